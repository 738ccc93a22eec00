import fc from 'fast-check'
import { expect, test } from 'vitest'
import { factBits, Index, IndexBuilder, InodeRow } from '../../src/erofs/index.ts'
import { bytesOf } from '../../src/model/bytes.ts'
import { digestOf } from '../../src/model/digest.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { everyKind } from './every-kind.ts'
import { folder, plain, reopened, seed, written } from './support.ts'

const devices = [{ diffId: seed, size: 1 << 30 }]

test('what was put in comes out: attributes, targets, extents, facts, links, devices, page sums', async () => {
  const builder = new IndexBuilder()
  const directory = builder.inode({ ...folder, facts: { ghost: true, opaque: true, layer: 3 } })
  builder.enter(builder.root, 'd', directory)
  const xattrs = new Map([
    ['user.b', bytesOf('2')],
    ['security.a', bytesOf('')],
  ])
  const facts = { header: 2 ** 40 + 512, layer: 65_000 }
  const extent = { device: 1, offset: 2 ** 40 }
  const file = builder.inode({
    kind: 'file',
    mode: 0o4755,
    uid: 70_000,
    gid: 1,
    mtime: -1n,
    size: 1000,
    extent,
    xattrs,
    facts,
  })
  builder.enter(directory, 'f', file)
  builder.enter(directory, 'g', file)
  const whiteout = builder.inode({ kind: 'character', ...plain, facts: { whiteout: true } })
  builder.enter(directory, 'gone', whiteout)
  builder.externalLink({ directory, name: 'linked', path: 'etc/x' })
  builder.externalLink({ directory: builder.root, name: 'k', path: 'a\xff' })
  const two = [...devices, { diffId: digestOf(Buffer.from('2')), size: 2 ** 40 + 1000 }]
  const tarPages = Uint32Array.from({ length: 1 << 14 }, (_, i) => i * 77)
  const index = await reopened(builder, { devices: two, tarPages })

  expect(index.devices).toEqual(two)
  expect(index.inodes).toBe(4)
  expect(index.stat(index.root)).toMatchObject({ kind: 'directory', mode: 0o755, uid: 0, mtime: 0n, size: 0, links: 3 })
  expect(index.facts(index.root)).toMatchObject({ implied: true, header: undefined })
  const d = index.lookup(index.root, 'd')!
  expect(index.facts(d)).toEqual({
    implied: false,
    ghost: true,
    opaque: true,
    whiteout: false,
    layer: 3,
    header: undefined,
  })
  expect(index.flags(d)).toBe(factBits.ghost | factBits.opaque)
  const f = index.lookup(d, 'f')!
  expect(index.lookup(d, 'g')).toBe(f)
  expect(index.stat(f)).toMatchObject({
    kind: 'file',
    mode: 0o4755,
    uid: 70_000,
    gid: 1,
    mtime: -1n,
    size: 1000,
    links: 2,
  })
  expect(index.extent(f)).toEqual(extent)
  expect([...index.xattrs(f)].map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([
    ['security.a', ''],
    ['user.b', '2'],
  ])
  expect(index.facts(f)).toMatchObject(facts)
  expect([index.header(f), index.layer(f)]).toEqual([facts.header, facts.layer])
  expect(index.facts(index.lookup(d, 'gone')!).whiteout).toBe(true)
  expect(index.externalLinks()).toEqual([
    { directory: index.root, name: 'k', path: 'a\xff' },
    { directory: d, name: 'linked', path: 'etc/x' },
  ])
  expect(index.tarPages()).toEqual(tarPages)
  expect([...index.list(d)].map(({ name, kind }) => `${name} ${kind}`)).toEqual(['f file', 'g file', 'gone character'])
  expect([index.parent(d), index.parent(index.root)]).toEqual([index.root, index.root])
  expect([index.lookup(d, '.'), index.lookup(d, '..'), index.lookup(d, ''), index.lookup(d, 'h')]).toEqual(
    Array(4).fill(undefined),
  )
  expect(() => index.lookup(f, 'x')).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
  expect(() => index.readlink(f)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => index.extent(d)).toThrow(expect.objectContaining({ code: 'EISDIR' }))
})

test('A-01: the bytes depend on what was built, not on the order of building', async () => {
  const inodes = 40
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([...Array(inodes).keys()], { minLength: inodes }), async (order) => {
      const build = (sequence: readonly number[]) => {
        const builder = new IndexBuilder()
        const ids = new Map<number, number>()
        for (const i of sequence) {
          const xattrs = new Map([
            [`user.${i % 5}`, bytesOf('v')],
            [`user.own${i}`, bytesOf('v')],
          ])
          const common = { ...plain, xattrs, facts: { header: i * 512 } }
          ids.set(
            i,
            builder.inode(
              i % 4 === 0
                ? { kind: 'directory', ...common }
                : { kind: 'symlink', ...common, target: 't'.repeat(i * 20) },
            ),
          )
        }
        const parent = (i: number) => (i < 4 ? builder.root : ids.get(Math.floor(i / 8) * 4)!)
        for (const i of sequence) {
          builder.enter(parent(i), `name ${i * 31}`, ids.get(i)!)
          if (i % 4 === 1) builder.enter(builder.root, `also ${i}`, ids.get(i)!)
        }
        return builder
      }
      const first = await written(build([...Array(inodes).keys()]))
      expect((await written(build(order))).equals(first)).toBe(true)
    }),
    { numRuns: 30 },
  )
})

test('what no name reaches is left out, with its share in links and xattrs', async () => {
  const build = (extra: boolean) => {
    const builder = new IndexBuilder()
    const xattrs = new Map([['user.a', bytesOf('once')]])
    const file = builder.inode({ kind: 'fifo', ...plain, xattrs })
    builder.enter(builder.root, 'f', file)
    if (!extra) return builder
    const directory = builder.inode(folder)
    builder.enter(directory, 'f', file)
    builder.enter(directory, 'g', builder.inode({ kind: 'fifo', ...plain, xattrs }))
    builder.externalLink({ directory, name: 'l', path: 'p' })
    builder.enter(builder.root, 'd', directory)
    builder.remove(builder.root, 'd')
    return builder
  }
  expect((await written(build(true))).equals(await written(build(false)))).toBe(true)
})

test('a name is a child or an external link, whichever came last', async () => {
  const builder = new IndexBuilder()
  const fifo = builder.inode({ kind: 'fifo', ...plain })
  builder.enter(builder.root, 'a', fifo)
  builder.externalLink({ directory: builder.root, name: 'a', path: 'x' })
  expect([builder.child(builder.root, 'a'), builder.externalPath(builder.root, 'a')]).toEqual([undefined, 'x'])
  builder.enter(builder.root, 'a', fifo)
  expect([builder.child(builder.root, 'a'), builder.externalPath(builder.root, 'a')]).toEqual([fifo, undefined])
  expect((await reopened(builder)).externalLinks()).toEqual([])
})

test('replacing an inode keeps its names and children', async () => {
  const builder = new IndexBuilder()
  const directory = builder.inode({ ...folder, xattrs: new Map([['user.a', bytesOf('b')]]), facts: { header: 0 } })
  builder.enter(builder.root, 'd', directory)
  builder.enter(directory, 'f', builder.inode({ kind: 'fifo', ...plain }))
  builder.setInode(directory, { ...folder, mode: 0o700 })
  const index = await reopened(builder)
  const d = index.lookup(index.root, 'd')!
  expect(index.stat(d).mode).toBe(0o700)
  expect(index.xattrs(d).size).toBe(0)
  expect(index.facts(d).header).toBeUndefined()
  expect(index.lookup(d, 'f')).toBeDefined()
})

test('what an index cannot hold is refused with a code, or counted where it can be left out', async () => {
  const builder = new IndexBuilder()
  const refused = (build: () => void) => expect(build).toThrow(expect.objectContaining({ code: 'PLY_UNREPRESENTABLE' }))
  const file = { kind: 'file', ...plain } as const
  refused(() => builder.inode({ ...file, size: 2 ** 40 + 1 }))
  refused(() => builder.inode({ ...file, size: 1, extent: { device: 0, offset: 100 } }))
  refused(() => builder.inode({ ...file, size: 1, extent: { device: 0, offset: 2 ** 41 } }))
  refused(() => builder.inode({ ...file, uid: -1 }))
  refused(() => builder.inode({ ...file, mtime: 2n ** 93n }))
  refused(() => builder.inode({ kind: 'character', ...plain, major: 4096 }))
  refused(() => builder.inode({ ...file, xattrs: new Map([['user.a', Buffer.alloc(65_536)]]) }))
  const five = Array.from({ length: 5 }, (_, i) => [`user.${i}`, Buffer.alloc(60_000)] as const)
  refused(() => builder.inode({ ...file, xattrs: new Map(five) }))
  for (const name of ['', '.', '..', 'a/b', 'a\0', 'n'.repeat(256)]) refused(() => builder.enter(builder.root, name, 0))
  refused(() => builder.setInode(builder.root, file))
  refused(() => builder.enter(builder.inode(file), 'a', 0))

  const names = ['user.ok', 'system.nfs4_acl', 'btrfs.compression', 'user.', 'trusted.x', `user.${'n'.repeat(251)}`]
  const id = builder.inode({ ...file, xattrs: new Map(names.map((name) => [name, bytesOf('v')])) })
  builder.enter(builder.root, 'f', id)
  expect(
    builder
      .droppedXattrs()
      .map(({ name }) => name)
      .sort(),
  ).toEqual([names[2], names[1], names[3], names[5]])
  const index = await reopened(builder)
  expect([...index.xattrs(index.lookup(index.root, 'f')!).keys()]).toEqual(['trusted.x', 'user.ok'])

  const twice = new IndexBuilder()
  const directory = twice.inode(folder)
  twice.enter(twice.root, 'a', directory)
  twice.enter(twice.root, 'b', directory)
  await expect(written(twice)).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
  const outside = new IndexBuilder()
  outside.enter(outside.root, 'f', outside.inode({ ...file, size: 1, extent: { device: 1, offset: 0 } }))
  await expect(written(outside, { devices })).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
})

test('the largest xattrs that fit are kept: 65,535 bytes each, as many as i_xattr_icount counts', async () => {
  const builder = new IndexBuilder()
  const xattrs = new Map([0, 1, 2, 3].map((i) => [`user.${i}`, Buffer.alloc(i === 3 ? 65_480 : 65_535, i)]))
  for (const name of ['a', 'b']) {
    const own = new Map([...xattrs, [`user.${name}`, bytesOf(name)]])
    builder.enter(builder.root, name, builder.inode({ kind: 'fifo', ...plain, xattrs: name === 'a' ? xattrs : own }))
  }
  const index = await reopened(builder)
  expect(index.xattrs(index.lookup(index.root, 'a')!)).toEqual(
    new Map([...xattrs].map(([name, value]) => [name, Uint8Array.from(value)])),
  )
  expect(index.xattrs(index.lookup(index.root, 'b')!).size).toBe(5)
})

test('300 shared xattrs: 255 are shared, the rest stand in the inode, all are read', async () => {
  const builder = new IndexBuilder()
  const xattrs = new Map(
    Array.from({ length: 300 }, (_, i) => [`user.${String(i).padStart(3, '0')}`, bytesOf(`value ${i}`)]),
  )
  // Two sets that differ, so that sharing is between sets and not the set itself.
  builder.enter(builder.root, 'a', builder.inode({ kind: 'fifo', ...plain, xattrs }))
  builder.enter(
    builder.root,
    'b',
    builder.inode({ kind: 'fifo', ...plain, xattrs: new Map([...xattrs, ['user.z', bytesOf('')]]) }),
  )
  const index = await reopened(builder)
  const read = [...index.xattrs(index.lookup(index.root, 'a')!)].map(([name, value]) => [name, Buffer.from(value)])
  expect(read).toEqual([...xattrs])
  expect(index.xattrs(index.lookup(index.root, 'b')!).size).toBe(301)
})

test('a cache of one page reads the same as a large one', async () => {
  const { builder, tarSize } = everyKind()
  const bytes = await written(builder, { devices: [{ diffId: seed, size: tarSize }] })
  const text = (index: Index) => {
    const lines: string[] = []
    const visit = (ino: number, path: string) => {
      const { mtime, ...stat } = index.stat(ino)
      lines.push(
        `${path} ${JSON.stringify(stat)} ${mtime} ${JSON.stringify([...index.xattrs(ino)])} ${index.flags(ino)}`,
      )
      if (stat.kind === 'symlink') lines.push(index.readlink(ino))
      if (stat.kind === 'file') lines.push(JSON.stringify(index.extent(ino)))
      if (stat.kind === 'directory') for (const { name, ino: child } of index.list(ino)) visit(child, `${path}/${name}`)
    }
    visit(index.root, '')
    return lines
  }
  expect(bytes.length).toBeGreaterThan(10 * 65536)
  const small = Index.open(memoryBytes(bytes), { cachePages: 1 })
  expect(text(small)).toEqual(text(Index.open(memoryBytes(bytes))))
})

test('a file that is nothing but a hole has a size and no extent', async () => {
  const builder = new IndexBuilder()
  builder.enter(builder.root, 'hole', builder.inode({ kind: 'file', ...plain, size: 2 ** 40 }))
  const index = await reopened(builder)
  const hole = index.lookup(index.root, 'hole')!
  expect([index.stat(hole).size, index.extent(hole)]).toEqual([2 ** 40, undefined])
})

test('writing gives other work a turn, and stops when asked to', async () => {
  const builder = new IndexBuilder()
  for (let i = 0; i < 60_000; i++)
    builder.enter(builder.root, `name ${(i * 7919) % 60_000}`, builder.inode({ kind: 'fifo', ...plain }))
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  await written(builder)
  clearInterval(timer)
  expect(turns).toBeGreaterThan(1)
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 5)
  await expect(written(builder, { signal: controller.signal })).rejects.toMatchObject({ code: 'PLY_ABORTED' })
})

test('T-08, X-05: data that would mean something to overlayfs is announced, whiteouts are not', async () => {
  const found = async (name: string, whiteout: boolean) => {
    const builder = new IndexBuilder()
    const xattrs = new Map([[name, bytesOf('y')]])
    builder.enter(builder.root, 'f', builder.inode({ kind: 'character', ...plain, xattrs, facts: { whiteout } }))
    builder.inode({ kind: 'fifo', ...plain, xattrs: new Map([['trusted.overlay.unreached', bytesOf('y')]]) })
    return (await reopened(builder)).overlayData
  }
  expect(await found('user.plain', true)).toEqual({ devices: false, trusted: false, user: false })
  expect(await found('trusted.overlay.opaque', false)).toEqual({ devices: true, trusted: true, user: false })
  expect(await found('user.overlay.redirect', true)).toEqual({ devices: false, trusted: false, user: true })
})

test('a directory that is filled at once is the one that is entered name by name, and can be changed like it', async () => {
  const names = ['!', '+a', 'a', 'b', 'b.c', 'd\xff']
  const build = (fill: boolean) => {
    const builder = new IndexBuilder()
    const directory = builder.inode(folder)
    const inodes = names.map((_, i) => builder.inode({ kind: 'file', ...plain, mode: i }))
    builder.enter(builder.root, 'd', directory)
    if (fill) builder.fill(directory, names, inodes)
    else for (const i of [3, 0, 5, 1, 4, 2]) builder.enter(directory, names[i]!, inodes[i]!)
    return { builder, directory }
  }
  const [filled, entered] = [build(true), build(false)]
  expect((await written(filled.builder)).equals(await written(entered.builder))).toBe(true)
  for (const { builder, directory } of [filled, entered]) {
    expect(builder.attributes(builder.child(directory, 'b')!).mode).toBe(3)
    builder.remove(directory, 'a')
    builder.enter(directory, 'c', builder.child(directory, 'b')!)
  }
  expect((await written(filled.builder)).equals(await written(entered.builder))).toBe(true)
  const { builder, directory } = build(true)
  expect(() => builder.fill(directory, ['z'], [directory])).toThrow(TypeError)
  const empty = builder.inode(folder)
  expect(() => builder.fill(empty, ['a', 'a/b'], [1, 1])).toThrow(
    expect.objectContaining({ code: 'PLY_UNREPRESENTABLE' }),
  )
})

test('an inode is copied from another index with all that it has', async () => {
  const { builder: every, tarSize } = everyKind()
  const tars = [{ diffId: seed, size: tarSize }]
  const from = await reopened(every, { devices: tars })
  const builder = new IndexBuilder()
  const row = new InodeRow()
  const pairs: [number, number][] = []
  const copyOf = (directory: number, into: number) => {
    for (const { name, ino, kind } of from.list(directory)) {
      from.load(ino, row)
      const id = builder.copy(row, from, ino)
      builder.enter(into, name, id)
      if (kind === 'directory') copyOf(ino, id)
    }
  }
  copyOf(from.root, builder.root)
  const copy = await reopened(builder, { devices: tars })
  const compare = (directory: number, other: number) => {
    for (const { name, ino, kind } of from.list(directory)) {
      const same = copy.lookup(other, name)!
      pairs.push([ino, same])
      if (kind === 'directory') compare(ino, same)
    }
  }
  compare(from.root, copy.root)
  expect(pairs.length).toBeGreaterThan(3000)
  for (const [there, here] of pairs) {
    const { ino: _, links: __, ...stat } = from.stat(there)
    expect(copy.stat(here)).toMatchObject(stat)
    expect(copy.facts(here)).toEqual(from.facts(there))
    expect(copy.xattrs(here)).toEqual(from.xattrs(there))
    if (stat.kind === 'file') expect(copy.extent(here)).toEqual(from.extent(there))
    if (stat.kind === 'symlink') expect(copy.readlink(here)).toBe(from.readlink(there))
  }
})
