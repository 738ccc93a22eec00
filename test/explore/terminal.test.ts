import { PassThrough } from 'node:stream'
import { beforeAll, describe, expect, test } from 'vitest'
import { explore, exploreInTerminal, type Terminal } from '../../src/explore/index.ts'
import type { Exploration } from '../../src/explore/table.ts'
import { ansi, cut, cutPath, fit, widthOf, wrapped } from '../../src/explore/terminal/cells.ts'
import { drawn } from '../../src/explore/terminal/draw.ts'
import { keysIn } from '../../src/explore/terminal/keys.ts'
import { initialState, pressed, resized, type State } from '../../src/explore/terminal/state.ts'
import { openStore } from '../../src/store/open-store.ts'
import { until } from '../support/until.ts'
import { sample, shownOdd } from './sample.ts'

let exploration: Exploration

beforeAll(async () => {
  const store = await openStore(':memory:')
  await store.write(sample(), 'one')
  exploration = (await explore({ name: 'one', stack: await store.layers(await store.image('one')) }, undefined)).before
})

const texts = (state: State) => drawn(state).map((line) => line.map(({ text }) => text).join(''))
/** What the pane with the tree says, without what is told of one file. */
const treeOf = (state: State) =>
  texts(state)
    .map((line) => line.split('│')[1] ?? '')
    .join('\n')
    .split('──')[0]!
const after = (state: State, ...keys: readonly string[]) => keys.reduce(pressed, state)

describe('the screen', () => {
  const everything = [
    'tab',
    '*',
    'down',
    'down',
    'page-down',
    'end',
    'home',
    'ctrl-b',
    '/',
    'o',
    'd',
    'enter',
    '?',
    'x',
    'escape',
    'ctrl-u',
    'tab',
    'up',
    'ctrl-a',
    'up',
    'home',
    'end',
  ]
  for (const [columns, rows] of [
    [80, 24],
    [200, 50],
    [40, 10],
    [63, 15],
    [20, 5],
    [500, 120],
  ] as const) {
    test(`every line of ${columns}x${rows} has exactly its columns, whatever key was pressed, and nothing that a terminal would take for an order`, () => {
      let state = initialState(exploration, columns, rows)
      for (const key of ['', ...everything]) {
        state = pressed(state, key)
        const lines = drawn(state)
        expect(lines).toHaveLength(rows)
        for (const line of lines) {
          const text = line.map((part) => part.text).join('')
          expect(widthOf(text), `after ${key}: ${text}`).toBe(columns)
          expect(text).not.toMatch(/[\x00-\x1f\x7f-\x9f]|\p{Cf}/u)
        }
      }
    })
  }

  test('names that hold orders to terminals, and wide ones, are told', () => {
    const state = after(initialState(exploration, 200, 60), 'up', 'up', 'tab', '*')
    const all = texts(state).join('\n')
    expect(all).toContain(shownOdd)
    expect(all).toContain('日本語のファイル')
  })

  test('without colours it says the same', () => {
    const state = initialState(exploration, 80, 24)
    const plain = drawn(state).map((line) => ansi(line, false))
    expect(plain.join('')).not.toMatch(/\x1b\[[0-9;]*(3[0-7]|9[0-7])m/)
    // What became of a file is told by a sign.
    expect(texts(after(state, 'tab', '*')).join('\n')).toMatch(/~.*busybox/)
  })
})

describe('keys', () => {
  test('Tab goes from the layers to the files and back', () => {
    const state = initialState(exploration, 80, 24)
    expect([state.pane, after(state, 'tab').pane, after(state, 'tab', 'tab').pane]).toEqual([
      'layers',
      'files',
      'layers',
    ])
  })

  test('another layer shows the tree as it is with that layer on top', () => {
    const state = initialState(exploration, 120, 160)
    expect(treeOf(after(state, 'tab', '*'))).toMatch(/-.*cache/)
    const base = after(state, 'home', 'tab', '*')
    expect(treeOf(base)).toMatch(/\+.*cache/)
    expect(treeOf(base)).not.toContain('srv')
  })

  test('Ctrl-A, Ctrl-R, Ctrl-M and Ctrl-U leave out what was added, removed, modified, not touched', () => {
    const state = after(initialState(exploration, 120, 160), 'tab', '*')
    const shown = (...keys: string[]) => treeOf(after(state, ...keys))
    expect(shown()).toContain('copy-of-server.js')
    expect(shown('ctrl-a')).not.toContain('copy-of-server.js')
    expect(shown()).toContain('package-001')
    expect(shown('ctrl-r')).not.toContain('package-001')
    expect(shown('enter')).not.toMatch(/~.*busybox/)
    expect(shown('ctrl-u')).not.toContain('lib-001')
    expect(shown('ctrl-u')).toContain('copy-of-server.js')
  })

  test('arrows and spaces open and close directories, and go in and out of them', () => {
    const state = after(initialState(exploration, 120, 160), 'ctrl-a', 'tab')
    const directory = state.listed.find((row) => exploration.files.kind[row] === 1)!
    const at = { ...state, row: directory }
    const opened = after(at, 'right')
    expect(opened.listed.length).toBeGreaterThan(at.listed.length)
    expect(after(at, 'l').listed).toEqual(opened.listed)
    expect(after(at, ' ').listed).toEqual(opened.listed)
    for (const key of ['left', 'h', ' ']) expect(after(opened, key).listed).toEqual(at.listed)
    // In an open one, the same keys go to what is in it, and back.
    const inside = after(opened, 'right')
    expect(inside.outline.parent[inside.row]).toBe(directory)
    expect(after(inside, 'left').row).toBe(directory)
    expect(after(at, 'x')).toEqual(at)
  })

  test('pages and ends are reached in both panes, and no key goes beyond them', () => {
    const layers = initialState(exploration, 80, 24)
    const last = exploration.layers.length - 1
    expect(after(layers, 'G').layer).toBe(last)
    expect(after(layers, 'G', 'j').layer).toBe(last)
    expect(after(layers, 'g', 'k').layer).toBe(0)
    expect(after(layers, 'g', 'page-down').layer).toBeGreaterThan(0)
    expect(after(layers, 'g', 'page-down', 'page-up').layer).toBe(0)
    expect(after(layers, 'enter').pane).toBe('files')
    const files = after(layers, 'right', '*')
    expect(after(files, 'G').row).toBe(files.listed.at(-1))
    expect(after(files, 'G', 'down').row).toBe(files.listed.at(-1))
    expect(after(files, 'g', 'page-down', 'page-up').row).toBe(files.listed[0])
    expect(after(files, 'g', 'page-down').row).not.toBe(files.listed[0])
  })

  test('Ctrl-A and Ctrl-L in the layers show them together, or what one changes', () => {
    const state = initialState(exploration, 120, 160)
    expect(after(state, 'ctrl-a').together).toBe(true)
    expect(after(state, 'ctrl-a', 'ctrl-l')).toMatchObject({ together: false, layer: state.layer })
  })

  test('a filter is typed, kept and cleared', () => {
    const state = after(initialState(exploration, 80, 24), '/', ...'server')
    expect(texts(state).join('\n')).toContain('server.js')
    expect(texts(state).join('\n')).not.toContain('busybox\n')
    expect(texts(after(state, 'backspace', 'enter')).at(-1)).toContain('serve')
    expect(after(state, 'escape').filter).toBe('')
  })

  test('q and Ctrl-C quit, also while a filter is typed', () => {
    const state = initialState(exploration, 80, 24)
    expect(after(state, 'q').quit).toBe(true)
    expect(after(state, '/', 'q').quit).toBe(false)
    expect(after(state, '/', 'ctrl-c').quit).toBe(true)
  })

  test('the cursor can be seen wherever it goes, and on a screen that becomes small', () => {
    let state = after(initialState(exploration, 200, 50), 'tab', '*', 'end')
    const name = state.outline.names[state.row]!
    for (const [columns, rows] of [
      [80, 24],
      [70, 12],
      [200, 50],
    ] as const) {
      state = resized(state, columns, rows)
      expect(texts(state).join('\n')).toContain(name)
    }
  })

  test('what a terminal sends is taken apart, also where it comes in pieces', () => {
    expect(keysIn('\x1b[A\x1bOB\x1b[5~\x1b[1;5C\t\r \x01é日').keys).toEqual([
      'up',
      'down',
      'page-up',
      'right',
      'tab',
      'enter',
      ' ',
      'ctrl-a',
      'é',
      '日',
    ])
    expect(keysIn('a\x1b')).toEqual({ keys: ['a'], rest: '\x1b' })
    expect(keysIn('\x1b', true)).toEqual({ keys: ['escape'], rest: '' })
    expect(keysIn('\x1b[1')).toEqual({ keys: [], rest: '\x1b[1' })
    expect(keysIn('\x1b[200~x').keys).toEqual(['x'])
  })
})

test('text is cut and broken by columns, wide characters and all', () => {
  expect(cut('日本語', 5)).toBe('日本…')
  expect(cut('日本語', 4)).toBe('日…')
  expect(fit('日本語', 4)).toBe('日… ')
  expect(cutPath('/usr/share/doc', 6)).toBe('…e/doc')
  expect(fit('ab', 4, true)).toBe('  ab')
  expect(wrapped('one two three', 7)).toEqual(['one two', 'three'])
  expect(wrapped('abcdefgh', 3).join('')).toBe('abcdefgh')
})

/** A terminal that keeps what it is told. */
function fakeTerminal() {
  const input = Object.assign(new PassThrough(), {
    raw: false,
    setRawMode: (raw: boolean) => Object.assign(input, { raw }),
  })
  const output = Object.assign(new PassThrough(), { columns: 80, rows: 24 })
  let told = ''
  output.on('data', (text: Buffer) => {
    told += text.toString()
  })
  const controller = new AbortController()
  const terminal = { input, output, signal: controller.signal, colours: true } as unknown as Terminal
  return { input, output, controller, terminal, told: () => told }
}

describe('the terminal is given back', () => {
  const endings: Readonly<Record<string, (fake: ReturnType<typeof fakeTerminal>) => void>> = {
    'when it is left': ({ input }) => void input.write('q'),
    'when it is aborted': ({ controller }) => controller.abort('SIGTERM'),
    'when its input ends': ({ input }) => void input.end(),
    'when nobody reads it any more': ({ output }) =>
      void output.emit('error', Object.assign(new Error('gone'), { code: 'EPIPE' })),
  }
  for (const [name, end] of Object.entries(endings)) {
    test(name, async () => {
      const fake = fakeTerminal()
      const listeners = () => process.eventNames().reduce((sum, event) => sum + process.listenerCount(event), 0)
      const before = listeners()
      const shown = exploreInTerminal(exploration, fake.terminal)
      expect(fake.input.raw).toBe(true)
      await until(() => fake.told().includes('Layers'))
      end(fake)
      await shown
      expect(fake.input.raw).toBe(false)
      expect(fake.told().startsWith('\x1b[?1049h')).toBe(true)
      expect(fake.told().endsWith('\x1b[?25h\x1b[?1049l')).toBe(true)
      expect(listeners()).toBe(before)
    })
  }

  test('before an exception is told', async () => {
    const fake = fakeTerminal()
    const shown = exploreInTerminal(exploration, fake.terminal)
    ;(process as NodeJS.EventEmitter).emit('uncaughtExceptionMonitor', new Error('an example'))
    expect(fake.input.raw).toBe(false)
    fake.controller.abort('SIGTERM')
    await shown
  })

  test('only lines that changed are sent again, and all of them after the size did', async () => {
    const fake = fakeTerminal()
    const shown = exploreInTerminal(exploration, fake.terminal)
    await until(() => fake.told().includes('Layers'))
    const first = fake.told().length
    fake.input.write('\x1b[A')
    await until(() => fake.told().includes('at layer 1'))
    expect(fake.told().length - first).toBeLessThan(first)
    const second = fake.told().length
    Object.assign(fake.output, { columns: 100, rows: 30 })
    fake.output.emit('resize')
    await until(() => fake.told().length > second)
    expect(fake.told().slice(second)).toContain('\x1b[30;1H')
    fake.input.write('q')
    await shown
  })
})
