import { describe, expect, test } from 'vitest'
import { humanAge, rfc3339 } from '../../src/cli/ages.ts'
import { fileLine, fileValue, modeText } from '../../src/cli/file-values.ts'
import { jsonLine, jsonText } from '../../src/cli/json.ts'
import { placeOf } from '../../src/cli/places.ts'
import { chooseStyle, progressRenderer } from '../../src/cli/progress.ts'
import { humanSize } from '../../src/cli/sizes.ts'
import { shortId, table } from '../../src/cli/table.ts'
import * as library from '../../src/index.ts'
import { plainTree } from '../support/plain-tree.ts'

describe('sizes are SI with three significant digits, as docker prints them', () => {
  for (const [bytes, text] of [
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [1234, '1.23kB'],
    [124_400_000, '124MB'],
    [999_499, '999kB'],
    [999_500, '1MB'],
    [1_240_000_000, '1.24GB'],
  ] as const) {
    test(`${bytes} is ${text}`, () => expect(humanSize(bytes)).toBe(text))
  }
})

describe('ages are in docker’s words', () => {
  const now = Date.parse('2026-06-15T12:00:00Z')
  for (const [since, text] of [
    ['2026-06-15T11:59:59.9Z', 'Less than a second ago'],
    ['2026-06-15T11:59:30Z', '30 seconds ago'],
    ['2026-06-15T11:59:00Z', 'About a minute ago'],
    ['2026-06-15T11:00:00Z', 'About an hour ago'],
    ['2026-06-14T12:00:00Z', '24 hours ago'],
    ['2026-06-10T12:00:00Z', '5 days ago'],
    ['2026-05-15T12:00:00Z', '4 weeks ago'],
    ['2026-01-15T12:00:00Z', '5 months ago'],
    ['2020-01-15T12:00:00Z', '6 years ago'],
    ['2027-01-15T12:00:00Z', 'in the future'],
    ['yesterday', ''],
    [undefined, ''],
  ] as const) {
    test(`${since} is ${JSON.stringify(text)}`, () => expect(humanAge(since, now)).toBe(text))
  }
})

test('times keep their nanoseconds, before the epoch too', () => {
  expect(rfc3339(0n)).toBe('1970-01-01T00:00:00Z')
  expect(rfc3339(1_700_000_000_123_456_789n)).toBe('2023-11-14T22:13:20.123456789Z')
  expect(rfc3339(1_700_000_000_500_000_000n)).toBe('2023-11-14T22:13:20.5Z')
  expect(rfc3339(-1n)).toBe('1969-12-31T23:59:59.999999999Z')
})

test('a table has upper-case headers and columns three spaces apart', () => {
  const rows = [
    { name: 'a', size: '1B' },
    { name: 'longer', size: '100MB' },
  ]
  const lines = table(rows, [
    { header: 'name', of: (row) => row.name },
    { header: 'size', of: (row) => row.size, right: true },
  ])
  expect(lines).toEqual(['NAME      SIZE', 'a           1B', 'longer   100MB'])
})

test('an id is 12 digits unless it is asked for in full', () => {
  const digest = `sha256:${'0123456789abcdef'.repeat(4)}`
  expect(shortId(digest, false)).toBe('0123456789ab')
  expect(shortId(digest, true)).toBe(digest)
  expect(shortId(undefined, false)).toBe('<none>')
})

describe('modes look as in ls -l', () => {
  for (const [kind, mode, text] of [
    ['file', 0o644, '-rw-r--r--'],
    ['file', 0o4755, '-rwsr-xr-x'],
    ['file', 0o4644, '-rwSr--r--'],
    ['directory', 0o1777, 'drwxrwxrwt'],
    ['directory', 0o2750, 'drwxr-s---'],
    ['symlink', 0o777, 'lrwxrwxrwx'],
    ['character', 0o600, 'crw-------'],
  ] as const) {
    test(`${kind} ${mode.toString(8)}`, () => expect(modeText({ kind, mode })).toBe(text))
  }
})

test('JSON has times as RFC 3339, bytes as base64, maps as objects, and keeps big numbers', () => {
  const value = { mtime: 1n, big: 2n ** 63n, size: 3n, bytes: Buffer.from('hi'), map: new Map([['a', 1]]), run() {} }
  expect(JSON.parse(jsonText(value))).toEqual({
    mtime: '1970-01-01T00:00:00.000000001Z',
    big: '9223372036854775808',
    size: 3,
    bytes: 'aGk=',
    map: { a: 1 },
  })
})

describe('cp and rm tell a path in a container from one on this machine', () => {
  for (const [text, place] of [
    ['work:/etc/issue', { in: 'container', container: 'work', path: '/etc/issue' }],
    ['work:', { in: 'container', container: 'work', path: '' }],
    ['w.o-r_k:a:b', { in: 'container', container: 'w.o-r_k', path: 'a:b' }],
    ['/tmp/a:b', { in: 'host', path: '/tmp/a:b' }],
    ['./a:b', { in: 'host', path: './a:b' }],
    ['file', { in: 'host', path: 'file' }],
    ['-', { in: 'stream' }],
  ] as const) {
    test(text, () => expect(placeOf(text)).toEqual(place))
  }
})

describe('progress', () => {
  const target = (isTTY: boolean) => {
    const written: string[] = []
    return { isTTY, columns: 80, written, write: (text: string) => written.push(text) }
  }

  test('auto draws a bar on a terminal only', () => {
    expect(chooseStyle('auto', target(true), {})).toBe('tty')
    expect(chooseStyle('auto', target(true), { TERM: 'dumb' })).toBe('plain')
    expect(chooseStyle('auto', target(true), { CI: '1' })).toBe('plain')
    expect(chooseStyle('auto', target(false), {})).toBe('plain')
    expect(chooseStyle('none', target(true), {})).toBe('none')
    expect(chooseStyle('tty', target(false), {})).toBe('tty')
  })

  test('plain lines come for what is finished, and at most once a second for what is not', () => {
    let now = 0
    const out = target(false)
    const { show } = progressRenderer('plain', out, () => now)
    const digest = `sha256:${'ab'.repeat(32)}`
    for (; now <= 2500; now += 100) show({ what: digest, done: now * 100, total: 500_000 })
    show({ what: digest, done: 500_000, total: 500_000 })
    show({ what: 'a document', done: 700, total: 700 })
    expect(out.written).toEqual([
      'abababababab 100kB/500kB\n',
      'abababababab 200kB/500kB\n',
      'abababababab 500kB/500kB\n',
    ])
  })

  test('the bar is one line, never wider than the terminal, and leaves nothing behind', () => {
    let now = 0
    const out = target(true)
    const { show, stop } = progressRenderer('tty', out, () => now)
    for (; now < 1000; now += 10) show({ what: `layer\n\x1b[2J${'x'.repeat(200)}`, done: now, total: 1000 })
    expect(out.written.length).toBeLessThanOrEqual(11)
    for (const text of out.written) {
      const visible = text.replace(/^\r/, '').replace(/\x1b\[K$/, '')
      expect(visible.length).toBeLessThan(80)
      expect(visible).not.toMatch(/[\x00-\x1f]/)
    }
    stop()
    stop()
    expect(out.written.filter((text) => text === '\r\x1b[K')).toHaveLength(1)
  })

  test('json is an object a line, for what is finished and at most ten times a second', () => {
    const lines: string[] = []
    let now = 0
    const { show } = progressRenderer('json', { write: (text) => lines.push(text) }, () => now)
    show({ what: 'layer', done: 1, total: 3 })
    show({ what: 'layer', done: 2, total: 3 })
    show({ what: 'layer', done: 3, total: 3 })
    now = 100
    show({ what: 'a "name"', done: 7 })
    expect(lines).toEqual([
      '{"progress":{"what":"layer","done":1,"total":3}}\n',
      '{"progress":{"what":"layer","done":3,"total":3}}\n',
      '{"progress":{"what":"a \\"name\\"","done":7}}\n',
    ])
  })

  test('none says nothing', () => {
    const out = target(true)
    progressRenderer('none', out).show({ what: 'x', done: 1, total: 1 })
    expect(out.written).toEqual([])
  })
})

test('a file of a long listing is the same JSON as alone', () => {
  const tree = plainTree({
    'a "quoted"\n name': { content: 'x', mtime: 1_700_000_000_123_000_000n, uid: 5, mode: 0o4755 },
    'caf\xc3\xa9': { content: '', mtime: -1n },
    '\xff': 'no text',
    l: { kind: 'symlink', target: '\xff/"x' },
    c: { kind: 'character', major: 1, minor: 3 },
    d: { kind: 'directory' },
    x: { content: 'x', xattrs: { 'user.k': 'v' } },
  })
  let seen = 0
  for (const { path, ino } of library.walkTree(tree)) {
    const line = fileLine(tree, ino, path, library)
    expect(JSON.parse(line)).toEqual(JSON.parse(jsonLine(fileValue(tree, ino, path, library))))
    seen++
  }
  expect(seen).toBe(8)
})
