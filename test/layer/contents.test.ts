import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Index } from '../../src/erofs/index.ts'
import { DigestTable } from '../../src/layer/digest-table.ts'
import { layerView } from '../../src/layer/layer-view.ts'
import { type PackItem, type PackOptions, packLayer } from '../../src/layer/pack.ts'
import type { LayerWarning } from '../../src/layer/report.ts'
import { scanLayer } from '../../src/layer/scan-layer.ts'
import type { IndexedView } from '../../src/layer/view.ts'
import { noXattrs, type Stat } from '../../src/model/entry.ts'
import { codeOf, type PlyError } from '../../src/model/errors.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'
import { bytesIn } from '../support/collect.ts'
import { archive, member } from '../tar/raw.ts'
import { layerOf } from './layer.ts'
import { dir, file, gone, link, symlink } from './parts.ts'

const stat = (some: Partial<Stat>): Stat => ({
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
const entry = (path: string, some: Partial<Stat> = {}, open?: () => Bytes): PackItem => ({
  says: 'entry',
  path,
  stat: stat(some),
  xattrs: noXattrs,
  open,
})
const packed = (items: readonly PackItem[], options: PackOptions = {}) => bytesIn(packLayer(items, options))
const refusalOf = (reading: Promise<unknown>) =>
  reading.then(
    () => 'nothing was refused',
    (error: PlyError) => ({ code: codeOf(error), ...error.details }),
  )
const at = (view: IndexedView, path: string): number =>
  path.split('/').reduce((ino, name) => {
    const verdict = view.lookup(ino, name)
    if (verdict.says !== 'entry') throw new Error(`${path}: ${verdict.says}`)
    return verdict.ino
  }, view.root.ino)

describe('packing', () => {
  const refused = (path: string, reason: string) => ({ code: 'PLY_UNREPRESENTABLE', path, where: 'a layer', reason })

  test.each<[string, readonly PackItem[], string, string]>([
    ['a name twice', [entry('a'), entry('a')], 'a', 'it is there twice (E-04)'],
    [
      'a whiteout twice',
      [
        { says: 'whiteout', path: 'a' },
        { says: 'whiteout', path: 'a' },
      ],
      'a',
      'it is there twice (E-04)',
    ],
    ['names out of order', [entry('b'), entry('a')], 'a', 'it comes after entries that belong behind it (E-04)'],
    [
      'a whiteout behind an entry',
      [entry('a'), { says: 'whiteout', path: 'a' }],
      'a',
      'it comes after entries that belong behind it (E-04)',
    ],
    [
      'an opaque marker behind a whiteout',
      [
        { says: 'whiteout', path: 'd/a' },
        { says: 'opaque', path: 'd' },
      ],
      'd',
      'it comes after entries that belong behind it (E-04)',
    ],
    [
      'a long name behind a longer one',
      [entry('n'.repeat(400)), entry('n'.repeat(300))],
      'n'.repeat(300),
      'it comes after entries that belong behind it (E-04)',
    ],
    [
      'a component that ends behind one that goes on',
      [entry('a-b'), entry('a/b')],
      'a/b',
      'it comes after entries that belong behind it (E-04)',
    ],
    ['a name like a marker', [entry('d/.wh.a')], 'd/.wh.a', 'its name starts with .wh., which marks whiteouts (E-10)'],
    [
      'a component like a marker',
      [entry('.wh.d/a')],
      '.wh.d/a',
      'its name starts with .wh., which marks whiteouts (E-10)',
    ],
    ['a file as the root', [entry('')], '', 'the root must be a directory'],
    ['a root that is removed', [{ says: 'whiteout', path: '' }], '', 'the root cannot be removed'],
    ['a size without content', [entry('a', { size: 1 })], 'a', 'a file of this size needs content'],
    ['a large size without content', [entry('a', { size: 70_000 })], 'a', 'a file of this size needs content'],
  ])('%s is refused in words', async (_, items, path, reason) => {
    expect(await refusalOf(packed(items))).toEqual(refused(path, reason))
  })

  test('what is in order is taken: parts of a directory, and names that only begin like another', async () => {
    const items: PackItem[] = [
      entry('', { kind: 'directory' }),
      { says: 'opaque', path: '' },
      { says: 'whiteout', path: 'z' },
      entry('a', { kind: 'directory' }),
      { says: 'opaque', path: 'a' },
      { says: 'whiteout', path: 'a/b' },
      entry('a/b'),
      entry('a/b-c'),
      entry('a-b'),
      entry('a.wh.b'),
      entry(`${'n'.repeat(200)}/${'n'.repeat(200)}`),
      entry(`${'n'.repeat(200)}/${'n'.repeat(200)}o`),
    ]
    const { report, view } = await layerOf(await packed(items))
    expect(report.entries).toBe(items.length)
    expect(view.lookup(view.root.ino, 'a.wh.b')).toMatchObject({ says: 'entry' })
  })

  test.each([10, 70_000])(
    'content of %i bytes is closed once, whether it is as long as it says, longer, shorter, or fails',
    async (size) => {
      for (const [real, outcome] of [
        [size, 'done'],
        [size + 1, 'PLY_CHANGED'],
        [size - 1, 'PLY_CHANGED'],
        [-1, 'EIO'],
      ] as const) {
        let closed = 0
        const content = memoryBytes(Buffer.alloc(Math.max(0, real), 'x'))
        const read = (into: Uint8Array, position: number) => {
          if (real < 0) throw Object.assign(new Error('broken'), { code: 'EIO' })
          return content.read(into, position)
        }
        const open = () => ({ size, read, close: () => void closed++ })
        const answer = await packed([entry('a', { size }, open)]).then(
          () => 'done',
          (error) => error.code,
        )
        expect([real, answer, closed]).toEqual([real, outcome, 1])
      }
    },
  )

  test('content that comes in small pieces comes out as it went in', async () => {
    for (const size of [1000, 70_000, (1 << 20) + 3]) {
      const bytes = Buffer.alloc(size, `${size} and so on `)
      const slow = () => {
        const content = memoryBytes(bytes)
        return {
          ...content,
          size,
          read: (into: Uint8Array, from: number) => content.read(into.subarray(0, 777), from),
          close() {},
        }
      }
      const tar = await packed([entry('a', { size }, slow), entry('b', { size }, slow)])
      const { view } = await layerOf(tar)
      for (const name of ['a', 'b']) {
        const content = view.open(at(view, name))
        const whole = Buffer.alloc(size)
        content.read(whole, 0)
        expect(whole.equals(bytes), `${name} of ${size}`).toBe(true)
      }
    }
  })

  test('sockets are left out and told, and nobody need listen', async () => {
    const told: LayerWarning[] = []
    const items = [entry('a', { kind: 'socket' }), entry('b')]
    const tar = await packed(items, { onWarning: (warning) => told.push(warning) })
    expect(told).toEqual([{ rule: 'T-09', entry: 'a', text: 'a socket has no form in an archive; left out' }])
    expect((await packed(items)).equals(tar)).toBe(true)
    expect((await layerOf(tar)).report.entries).toBe(1)
  })

  test('S-07: a large file that is mostly holes is told of, from a sixteenth of what is stored on', async () => {
    const size = (64 << 20) + 4096
    const texts = async (runs: readonly (readonly [number, number])[] | undefined, length = size) => {
      const told: string[] = []
      const nextData = (position: number) => {
        const run = runs!.find(([, end]) => end > position)
        return run && { start: Math.max(position, run[0]), end: run[1] }
      }
      const open = () => ({
        size: length,
        read: (into: Uint8Array) => into.fill(0).length,
        close() {},
        ...(runs && { nextData }),
      })
      const tar = packLayer([entry('a', { size: length }, open)], {
        onWarning: ({ rule, text }) => told.push(`${rule} ${text}`),
      })
      // The warning comes before the content.
      for await (const _ of tar) break
      return told
    }
    const warning = [`S-07 ${size} bytes, most of them holes, which an archive stores as zeros`]
    expect(await texts([])).toEqual(warning)
    expect(await texts([[0, size / 16 - 256]])).toEqual(warning)
    expect(
      await texts([
        [0, 100],
        [size - 100, size],
      ]),
    ).toEqual(warning)
    expect(await texts([[size - size / 16, size]])).toEqual([])
    expect(
      await texts([
        [0, size / 32],
        [size / 2, size / 2 + size / 32],
      ]),
    ).toEqual([])
    expect(await texts(undefined)).toEqual([])
    expect(await texts([], 64 << 20)).toEqual([])
  })
})

describe('what a layer says of its inodes', () => {
  const parts = [
    dir('d'),
    file('d/f', 'text'),
    file('d/e'),
    symlink('l', 'd/f'),
    gone('x'),
    link('b', 'below/c'),
    link('d/a', 'below/d'),
    member({ name: 'p', type: '6' }),
  ]
  const tar = archive(...parts)
  const views = async () =>
    [
      ['indexed', (await layerOf(tar)).view],
      ['scanned', await scanLayer(memoryBytes(tar))],
    ] as const
  const errno = (act: () => unknown) => {
    try {
      act()
    } catch (error) {
      return [codeOf(error), (error as PlyError).details.syscall]
    }
    return 'done'
  }

  test('is the same whether it was indexed or only its headers were read', async () => {
    for (const [which, view] of await views()) {
      const said = [...view.list(view.root.ino)].map(({ name, verdict }) => [name, verdict.says])
      expect(said, which).toEqual([
        ['b', 'link'],
        ['d', 'entry'],
        ['l', 'entry'],
        ['p', 'entry'],
        ['x', 'whiteout'],
      ])
      expect(
        [...view.list(at(view, 'd'))].map(({ name, verdict }) => [name, verdict.says]),
        which,
      ).toEqual([
        ['a', 'link'],
        ['e', 'entry'],
        ['f', 'entry'],
      ])
      expect(view.lookup(view.root.ino, 'b'), which).toEqual({ says: 'link', path: 'below/c' })
      expect(view.lookup(at(view, 'd'), 'a'), which).toEqual({ says: 'link', path: 'below/d' })
      expect(view.lookup(at(view, 'd'), 'b'), which).toEqual({ says: 'nothing' })
      expect([view.linksBelow, view.readlink(at(view, 'l'))], which).toEqual([true, 'd/f'])
      expect(view.place(at(view, 'd/f')), which).toMatchObject({ offset: 1024 })
      expect([view.place(at(view, 'd/e')), view.place(at(view, 'd')), view.place(at(view, 'l'))], which).toEqual([
        undefined,
        undefined,
        undefined,
      ])
      expect(view.provenance(at(view, 'd/e')).header, which).toBe(1536)
      expect(view.open(at(view, 'd/e')).size, which).toBe(0)
      expect(view.xattrs(at(view, 'd/f')).size, which).toBe(0)
    }
    for (const [which, view] of [
      ['indexed', (await layerOf(archive(file('a')))).view],
      ['scanned', await scanLayer(memoryBytes(archive(file('a'))))],
    ] as const)
      expect(view.linksBelow, which).toBe(false)
  })

  test('is refused where it is asked for what the inode is not', async () => {
    const [, [, scanned]] = await views()
    expect(errno(() => scanned.open(at(scanned, 'd')))).toEqual(['EISDIR', 'open'])
    expect(errno(() => scanned.open(at(scanned, 'l')))).toEqual(['EINVAL', 'open'])
    expect(errno(() => scanned.readlink(at(scanned, 'd/f')))).toEqual(['EINVAL', 'readlink'])
    expect(errno(() => scanned.lookup(at(scanned, 'd/f'), 'x'))).toEqual(['ENOTDIR', 'scandir'])
    expect(errno(() => scanned.list(at(scanned, 'l')))).toEqual(['ENOTDIR', 'scandir'])
    expect(errno(() => scanned.open(at(scanned, 'd/f')).read(Buffer.alloc(4), 0))).toEqual(['EIO', 'read'])
  })

  test('content is read from a tar that is opened once, is as long as it must be, and is closed with the view', async () => {
    const { index } = await layerOf(tar)
    let [opened, closed] = [0, 0]
    const over = (bytes: Buffer) =>
      layerView(Index.open(memoryBytes(index)), () => {
        opened++
        return {
          ...memoryBytes(bytes),
          size: bytes.length,
          read: (into, from) => memoryBytes(bytes).read(into, from),
          close: () => void closed++,
        }
      })
    const view = over(tar)
    const f = at(view, 'd/f')
    expect(view.open(at(view, 'd/e')).size).toBe(0)
    expect(opened).toBe(0)
    const read = Buffer.alloc(4)
    expect([view.open(f).read(read, 0), view.open(f).size, read.toString(), opened]).toEqual([4, 4, 'text', 1])
    view.close()
    expect([closed, errno(() => view.open(f))]).toEqual([1, ['EBADF', 'open']])
    expect(errno(() => over(tar.subarray(0, 1028)).open(f))).toBe('done')
    expect(errno(() => over(tar.subarray(0, 1027)).open(f))).toEqual(['EIO', 'open'])
    try {
      over(tar.subarray(0, 100)).open(f)
    } catch (error) {
      expect((error as Error).cause).toEqual(new Error('the tar is shorter than its index says'))
    }
  })
})

test('a table of digests takes more than it was made for, and the later digest of a key', () => {
  const hex = (text: string) => createHash('sha256').update(text).digest('hex')
  for (const [keySize, expected, many] of [
    [4, 0, 400],
    [16, 100, 300],
    [8, 12, 12],
    [8, 1, 49],
  ] as const) {
    const table = new DigestTable(keySize, expected)
    const entryOf = (i: number, text: string) => {
      const bytes = Buffer.alloc(3 + keySize + 32)
      bytes.writeInt32LE(i * 512, 3)
      bytes.write(hex(text), 3 + keySize, 'hex')
      return bytes
    }
    for (let i = 0; i < many; i++) {
      table.set(entryOf(i, `${i}`), 3)
      expect(table.size).toBe(i + 1)
    }
    for (let i = 0; i < many; i += 3) table.set(entryOf(i, `again ${i}`), 3)
    expect(table.size).toBe(many)
    for (let i = 0; i < many; i++)
      expect(table.get(entryOf(i, ''), 3)).toBe(`sha256:${hex(i % 3 === 0 ? `again ${i}` : `${i}`)}`)
    expect(table.get(entryOf(many, ''), 3)).toBeUndefined()
  }
})
