import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exportedTime, type PackItem, type PackOptions, packLayer } from '../../src/layer/pack.ts'
import type { LayerWarning } from '../../src/layer/report.ts'
import { noXattrs, type Stat, type Xattrs } from '../../src/model/entry.ts'
import { codeOf } from '../../src/model/errors.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { bytesIn } from '../support/collect.ts'
import { prompt } from '../support/prompt.ts'
import { temporary } from '../support/temporary.ts'
import { readAll } from '../tar/read.ts'
import { layerOf, sayings } from './layer.ts'

const stat = (some: Partial<Stat> = {}): Stat => ({
  ino: 1,
  kind: 'file',
  size: 0,
  links: 1,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0n,
  major: 0,
  minor: 0,
  ...some,
})

const dir = (path: string, some: Partial<Stat> = {}): PackItem => ({
  says: 'entry',
  path,
  stat: stat({ kind: 'directory', mode: 0o755, ...some }),
  xattrs: noXattrs,
})
const file = (path: string, text = '', some: Partial<Stat> = {}, xattrs: Xattrs = noXattrs): PackItem => ({
  says: 'entry',
  path,
  stat: stat({ size: text.length, ...some }),
  xattrs,
  open: () => memoryBytes(Buffer.from(text, 'latin1')),
})
const node = (path: string, some: Partial<Stat>): PackItem => ({
  says: 'entry',
  path,
  stat: stat(some),
  xattrs: noXattrs,
})
const whiteout = (path: string): PackItem => ({ says: 'whiteout', path })
const opaque = (path: string): PackItem => ({ says: 'opaque', path })

const pack = (items: readonly PackItem[], options?: PackOptions) => bytesIn(packLayer(items, options))
const codeFor = async (items: readonly PackItem[]) => {
  try {
    await pack(items)
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

const sample: readonly PackItem[] = [
  dir('', { mode: 0o700, uid: 3 }),
  whiteout('gone'),
  dir('a'),
  opaque('a'),
  file('a/f', 'text', { mtime: 1_500_000_000n }),
  { ...file('a/g', 'text', { mtime: 1_500_000_000n }), linkTo: 'a/f' } as PackItem,
  dir('a-b'),
  whiteout('a-b/x'),
  { ...node('l', { kind: 'symlink', size: 3, mode: 0o644 }), target: 'a/f' } as PackItem,
  node('null', { kind: 'character', major: 1, minor: 3, mode: 0o666 }),
  node('pipe', { kind: 'fifo' }),
]

describe('packing a layer', () => {
  test('E-15: what is packed is what the layer says', async () => {
    const { view, report } = await layerOf(await pack(sample))
    expect(report.warnings).toEqual([])
    expect(sayings(view)).toEqual({
      '/': 'directory 700 3',
      'a-b/': 'directory',
      'a-b/x': 'whiteout',
      'a/': 'opaque directory',
      'a/f': 'file "text"',
      'a/g': 'same as a/f',
      gone: 'whiteout',
      l: 'symlink to a/f',
      null: 'character 1:3',
      pipe: 'fifo',
    })
  })

  test('E-08, E-11, E-14: names, markers and the end are canonical', async () => {
    const bytes = await pack(sample)
    const { members } = readAll(bytes)
    expect(members.map(({ type, name }) => `${type} ${name}`)).toEqual([
      '5 ./',
      '0 .wh.gone',
      '5 a/',
      '0 a/.wh..wh..opq',
      '0 a/f',
      '1 a/g',
      '5 a-b/',
      '0 a-b/.wh.x',
      '2 l',
      '3 null',
      '6 pipe',
    ])
    expect(members[1]).toMatchObject({ mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n })
    expect(members[5]).toMatchObject({ linkName: 'a/f', size: 0 })
    expect(members[8]).toMatchObject({ mode: 0o777, linkName: 'a/f' })
    // Eleven headers, one block of content, two blocks of end.
    expect(bytes.length).toBe(14 * 512)
    expect((await pack([])).equals(Buffer.alloc(1024))).toBe(true)
  })

  test('E-13: the same items give the same bytes, from an iterable or from an async one', async () => {
    async function* slowly() {
      for (const item of sample) {
        await new Promise((resolve) => setImmediate(resolve))
        yield item
      }
    }
    expect((await bytesIn(packLayer(slowly()))).equals(await pack(sample))).toBe(true)
  })

  test.each<[string, readonly PackItem[]]>([
    ['a directory after its content', [file('a/f'), dir('a')]],
    ['names out of byte order', [file('b'), file('a')]],
    ['a whiteout after an entry of its directory', [dir('a'), file('a/b'), whiteout('a/c')]],
    ['an opaque marker after a whiteout of its directory', [dir('a'), whiteout('a/b'), opaque('a')]],
    ['the same name twice', [file('a'), file('a')]],
    ['the same whiteout twice', [whiteout('a'), whiteout('a')]],
    ['components compared as text', [dir('a'), file('a-b'), file('a/f')]],
    ['a name that means a whiteout (E-10)', [file('.wh.a')]],
    ['a directory that means a whiteout (E-10)', [file('.wh.a/b')]],
    ['a whiteout of a name that means one (E-10)', [whiteout('d/.wh.a')]],
    ['a whiteout of the root', [whiteout('')]],
    ['a root that is a file', [file('')]],
    ['a file without content', [node('a', { size: 1 })]],
    ['a NUL in a name', [file('a\0b')]],
  ])('E-04: %s is refused', async (_, items) => {
    expect(await codeFor(items)).toBe('PLY_UNREPRESENTABLE')
  })

  test('E-04: whiteout and entry of one name may both be there, the whiteout first', async () => {
    expect(
      await codeFor([whiteout('a'), dir('a'), opaque('a'), whiteout('a/b'), file('a/b'), file('a.')]),
    ).toBeUndefined()
  })

  test('E-12: content that is shorter or longer than it was is an error, and is closed', async () => {
    let closed = 0
    const closing = (bytes: Bytes): Bytes => ({ ...bytes, close: () => void closed++ })
    const item = (size: number): PackItem => ({
      says: 'entry',
      path: 'f',
      stat: stat({ size }),
      xattrs: noXattrs,
      open: () => closing(memoryBytes(Buffer.from('four'))),
    })
    expect(await codeFor([item(3)])).toBe('PLY_CHANGED')
    expect(await codeFor([item(5)])).toBe('PLY_CHANGED')
    expect(await codeFor([item(4)])).toBeUndefined()
    expect(closed).toBe(3)
  })

  test('M-07, M-08: times are whole seconds, floored, and at most the source epoch', async () => {
    expect(exportedTime(1_999_999_999n)).toBe(1_000_000_000n)
    expect(exportedTime(-1n)).toBe(-1_000_000_000n)
    expect(exportedTime(-1_000_000_000n)).toBe(-1_000_000_000n)
    expect(exportedTime(1_999_999_999n, { nanoseconds: true })).toBe(1_999_999_999n)
    expect(exportedTime(9_000_000_000n, { sourceEpoch: 5 })).toBe(5_000_000_000n)
    expect(exportedTime(3_000_000_000n, { sourceEpoch: 5 })).toBe(3_000_000_000n)
    const times = async (options: PackOptions) =>
      readAll(await pack([whiteout('a'), file('b', '', { mtime: 9_500_000_000n })], options)).members.map(
        ({ mtime }) => mtime,
      )
    expect(await times({})).toEqual([0n, 9_000_000_000n])
    expect(await times({ nanoseconds: true })).toEqual([0n, 9_500_000_000n])
    expect(await times({ sourceEpoch: 7 })).toEqual([0n, 7_000_000_000n])
  })

  test('T-09, X-03, X-04, X-07, X-09: what an archive cannot carry is left out, and told where it matters', async () => {
    const warnings: LayerWarning[] = []
    const capability = Uint8Array.from({ length: 24 }, (_, i) => (i === 3 ? 3 : i))
    const xattrs = new Map([
      ['user.z', Uint8Array.of(1)],
      ['user.empty', new Uint8Array(0)],
      ['security.selinux', Uint8Array.of(1)],
      ['user.containers.override_stat', Uint8Array.of(1)],
      ['security.capability', capability],
    ])
    const items = [file('f', '', {}, xattrs), node('s', { kind: 'socket' })]
    const { members } = readAll(await pack(items, { onWarning: (warning) => warnings.push(warning) }))
    expect(members.map(({ name }) => name)).toEqual(['f'])
    expect([...members[0]!.xattrs.keys()]).toEqual(['security.capability', 'user.z'])
    const second = members[0]!.xattrs.get('security.capability')!
    expect([second.length, second[3]]).toEqual([20, 2])
    expect(warnings.map(({ rule, entry }) => `${rule} ${entry}`)).toEqual(['X-09 f', 'T-09 s'])
  })

  test('large content streams in chunks, and comes out as it went in', async () => {
    const large = Buffer.from(Array.from({ length: 1_000_003 }, (_, i) => i % 251))
    const item: PackItem = {
      says: 'entry',
      path: 'b',
      stat: stat({ size: large.length }),
      xattrs: noXattrs,
      open: () => memoryBytes(large),
    }
    const progress: number[] = []
    const chunks: number[] = []
    const parts: Uint8Array[] = []
    for await (const chunk of packLayer([file('a', 'x'), item, file('c', 'y')], {
      onProgress: ({ done }) => progress.push(done),
    })) {
      chunks.push(chunk.length)
      parts.push(Buffer.from(chunk))
    }
    const bytes = Buffer.concat(parts)
    expect(Math.max(...chunks)).toBeLessThanOrEqual(1 << 18)
    expect(progress.at(-1)).toBe(bytes.length)
    const { members } = readAll(bytes)
    expect(bytes.subarray(members[1]!.data, members[1]!.data + large.length).equals(large)).toBe(true)
    expect(members.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  })

  test('an extended header larger than a chunk fits all the same', async () => {
    const xattrs = new Map(
      Array.from({ length: 6 }, (_, i) => [`user.${i}`, new Uint8Array(60_000).fill(i + 1)] as const),
    )
    const { members } = readAll(await pack([file('a', 'x'), file('f', 'y', {}, xattrs), file('g', 'z')]))
    expect(members.map(({ name }) => name)).toEqual(['a', 'f', 'g'])
    expect(members[1]!.xattrs).toEqual(xattrs)
  })

  test('it stops within 100 ms of the signal, and what it had open is closed', async () => {
    const controller = new AbortController()
    let opened = 0
    let closed = 0
    const endless = {
      *[Symbol.iterator]() {
        for (let i = 0; ; i++) {
          const item = file(`f${String(i).padStart(9, '0')}`, 'x'.repeat(5000)) as PackItem & { says: 'entry' }
          const open = () => {
            opened++
            return { ...item.open!(), close: () => void closed++ }
          }
          yield { ...item, open }
        }
      },
    }
    let fired = 0
    setTimeout(() => {
      fired = performance.now()
      controller.abort()
    }, 30)
    const consumed = (async () => {
      for await (const _ of packLayer(endless, { signal: controller.signal }));
    })()
    await expect(consumed).rejects.toMatchObject({ code: 'PLY_ABORTED' })
    expect(performance.now() - fired).toBeLessThan(prompt)
    expect(opened).toBe(closed)
  })

  test('E-15: random trees come back as they were packed', async () => {
    const component = fc
      .array(
        fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f),
        { minLength: 1, maxLength: 40 },
      )
      .map((bytes) => String.fromCharCode(...bytes))
      .filter((name) => name !== '.' && name !== '..' && !name.startsWith('.wh.'))
    const thing = fc.record({
      name: component,
      kind: fc.constantFrom('file', 'directory', 'symlink', 'fifo', 'whiteout'),
      text: fc.string({ maxLength: 20, unit: 'binary-ascii' }),
      mode: fc.nat(0o7777),
      uid: fc.nat(4294967294),
    })
    const things = (max: number) => fc.uniqueArray(thing, { selector: ({ name }) => name, maxLength: max })
    await fc.assert(
      fc.asyncProperty(things(6), things(4), async (top, inner) => {
        const items: PackItem[] = []
        const expected: Record<string, string> = { '/': 'implied directory' }
        const put = (directory: string, list: typeof top, within: typeof inner) => {
          const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)
          for (const { name } of list.filter(({ kind }) => kind === 'whiteout').sort(byName)) {
            items.push(whiteout(`${directory}${name}`))
            expected[`${directory}${name}`] = 'whiteout'
          }
          for (const { name, kind, text, mode, uid } of list.filter((one) => one.kind !== 'whiteout').sort(byName)) {
            const path = `${directory}${name}`
            const owner = uid === 0 ? '' : ` of ${uid}`
            if (kind === 'directory') {
              items.push(dir(path, { mode, uid }))
              expected[`${path}/`] = mode === 0o755 && uid === 0 ? 'directory' : `directory ${mode.toString(8)} ${uid}`
              put(`${path}/`, within, [])
            } else if (kind === 'symlink') {
              const target = `x${text.replaceAll('\0', '')}`
              items.push({ ...(node(path, { kind }) as PackItem & { says: 'entry' }), target })
              expected[path] = `symlink to ${target}`
            } else if (kind === 'fifo') {
              items.push(node(path, { kind }))
              expected[path] = 'fifo'
            } else {
              items.push(file(path, text, { mode, uid }))
              expected[path] = text === '' ? `file${owner}` : `file "${text}"${owner}`
            }
          }
        }
        put('', top, inner)
        const { view, report } = await layerOf(await pack(items))
        expect(report.warnings).toEqual([])
        expect(sayings(view)).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })

  testIf(hasProgram('tar'), 'there is no tar program')('GNU tar lists a packed layer without complaint', async () => {
    const path = join(temporary(), 'layer.tar')
    writeFileSync(path, await pack(sample))
    const listed = execFileSync('tar', ['-tf', path], { encoding: 'utf8' }).trimEnd().split('\n')
    expect(listed).toEqual([
      './',
      '.wh.gone',
      'a/',
      'a/.wh..wh..opq',
      'a/f',
      'a/g',
      'a-b/',
      'a-b/.wh.x',
      'l',
      'null',
      'pipe',
    ])
  })
})
