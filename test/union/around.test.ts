import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/model/digest.ts'
import { codeOf, type PlyError } from '../../src/model/errors.ts'
import { IdMapping } from '../../src/model/id-mapping.ts'
import type { ContentDigests } from '../../src/stack/content-digests.ts'
import { type Bytes, memoryBytes, type Run } from '../../src/stream/bytes.ts'
import { accessAcl, aclTag, parseAcl, serializeAcl } from '../../src/union/acl.ts'
import { BlockContent, BlockHandle } from '../../src/union/block-content.ts'
import { BlockMap } from '../../src/union/block-map.ts'
import { emptyTree } from '../../src/union/empty-tree.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { realPath, resolveName, resolveParent, resolvePath } from '../../src/union/resolve.ts'
import { shiftedUnion } from '../../src/union/shifted-union.ts'
import { union } from '../../src/union/union-tree.ts'
import type { WritableBytes } from '../../src/union/upper.ts'
import { plainTree } from '../support/plain-tree.ts'
import { LosingBytes } from './losing-bytes.ts'
import { at, directory, file, ino, make, write } from './make.ts'

const errno = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    return codeOf(error) ?? error
  }
  return 'done'
}
const syscallOf = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    return `${codeOf(error)} ${(error as PlyError).details.syscall}`
  }
  return 'done'
}
const textOf = (bytes: Bytes) => {
  const whole = Buffer.alloc(bytes.size)
  bytes.read(whole, 0)
  bytes.close()
  return whole.toString('latin1')
}

describe('a union with shifted owners is otherwise the union', () => {
  const lower = {
    'd/': {},
    'd/f': { content: 'text', uid: 5 },
    'd/g': {},
    'e/': {},
    l: { kind: 'symlink', target: 'd' },
  } as const
  const shift = { uids: IdMapping.parse('0:1000:100'), gids: IdMapping.parse('0:2000:100') }
  const both = () => {
    const own = make(lower)
    return { own, shown: shiftedUnion(own, shift) }
  }

  test('whatever is done by one is seen in the other', () => {
    const { own, shown } = both()
    shown.link(...at(shown, 'd/h'), ino(shown, 'd/f'))
    shown.rename(...at(shown, 'd/g'), ...at(shown, 'e/g'))
    shown.unlink(...at(shown, 'l'))
    expect(own.lookup(own.root, 'l')).toBeUndefined()
    expect([...own.list(ino(own, 'd'))].map(({ name }) => name)).toEqual(['f', 'h'])
    expect([...shown.list(ino(own, 'e'))].map(({ name }) => name)).toEqual(['g'])
    shown.unlink(...at(shown, 'e/g'))
    shown.rmdir(...at(shown, 'e'))
    expect(own.lookup(own.root, 'e')).toBeUndefined()
    write(shown, 'd/f', 'other')
    expect(textOf(own.open(ino(own, 'd/h')))).toBe('other')
    expect(errno(() => shown.rename(...at(shown, 'd/f'), ...at(shown, 'd/x'), { exchange: true }))).toBe('ENOENT')
    shown.sync()
  })

  test("its sides, its locks, its room and what it holds are the union's", () => {
    const { own, shown } = both()
    expect([shown.lower, shown.upper, shown.locks]).toEqual([own.lower, own.upper, own.locks])
    expect(shown.room()).toEqual(own.room())
    const f = ino(shown, 'd/f')
    expect(shown.untouched(f)).toBe(own.untouched(f))
    expect(shown.untouched(f)).toBeDefined()
    expect([shown.has!(f), shown.has!(own.root)]).toEqual([own.has!(f), own.has!(own.root)])
    const release = shown.hold(f)
    shown.unlink(...at(shown, 'd/f'))
    expect(shown.stat(f)).toMatchObject({ links: 0, uid: 1005 })
    release()
    expect(errno(() => own.stat(f))).toBe('ENOENT')
    expect(errno(() => shown.takeTimesOfDisk!())).toBe('done')
  })

  test('owners are shifted back one by one, and what names none is left alone', () => {
    const { own, shown } = both()
    const f = ino(shown, 'd/f')
    shown.setAttributes(f, { gid: 2007 })
    expect(own.stat(f)).toMatchObject({ uid: 5, gid: 7 })
    shown.setAttributes(f, { uid: 1009, mode: 0o600 })
    expect(own.stat(f)).toMatchObject({ uid: 9, gid: 7, mode: 0o600 })
    shown.setAttributes(f, { mtime: 77n })
    expect(shown.stat(f)).toMatchObject({ uid: 1009, gid: 2007, mtime: 77n })
    expect(syscallOf(() => shown.setAttributes(f, { uid: 5 }))).toBe('EINVAL chown')
    expect(syscallOf(() => shown.create(shown.root, 'n', { ...file, uid: 1000, gid: 5 }))).toBe('EOVERFLOW chown')
    shown.setXattr(f, 'user.a', Buffer.from('x'))
    expect(Buffer.from(own.xattrs(f).get('user.a')!).toString()).toBe('x')
    shown.setXattr(f, 'user.a', undefined)
    expect(own.xattrs(f).has('user.a')).toBe(false)
  })

  test('lists of what is made are shifted back, and refused where they name somebody without a number', () => {
    const acl = (user: number) =>
      serializeAcl([
        { tag: aclTag.owner, permissions: 6, id: -1 },
        { tag: aclTag.user, permissions: 4, id: user },
        { tag: aclTag.group, permissions: 4, id: -1 },
        { tag: aclTag.mask, permissions: 6, id: -1 },
        { tag: aclTag.other, permissions: 0, id: -1 },
      ])
    const { own, shown } = both()
    const creation = (user: number) => ({
      ...file,
      mode: 0o660,
      uid: 1001,
      gid: 2001,
      xattrs: new Map([[accessAcl, acl(user)]]),
    })
    const made = shown.create(shown.root, 'made', creation(1011))
    expect(parseAcl(own.xattrs(made).get(accessAcl)!)?.[1]).toMatchObject({ id: 11 })
    expect(errno(() => shown.create(shown.root, 'other', creation(11)))).toBe('EOVERFLOW')
    const onlyUsers = shiftedUnion(make(lower), { uids: shift.uids })
    const plain = onlyUsers.create(onlyUsers.root, 'n', { ...file, uid: 1001, gid: 12 })
    expect(onlyUsers.stat(plain)).toMatchObject({ uid: 1001, gid: 12 })
  })

  test('strangers are nobody, unless somebody else is named, and closing closes the union', () => {
    let closed = 0
    const tree = plainTree({ a: { uid: 500, gid: 600 } })
    const own = union({ ...tree, close: () => void closed++ }, memoryUpper())
    const shown = shiftedUnion(own, { ...shift, outside: { uid: 1, gid: 2 } })
    expect(shown.stat(ino(shown, 'a'))).toMatchObject({ uid: 1, gid: 2 })
    const usual = shiftedUnion(own, shift)
    expect(usual.stat(ino(usual, 'a'))).toMatchObject({ uid: 65534, gid: 65534 })
    shown.close()
    expect(closed).toBe(1)
  })
})

test('a union of nothing stands on an empty directory that has one inode', () => {
  const tree = emptyTree()
  expect([tree.lookup(1, 'a'), [...tree.list(1)], tree.parent(1), tree.xattrs(1).size]).toEqual([undefined, [], 1, 0])
  expect(tree.stat(1)).toMatchObject({ ino: 1, kind: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, links: 2 })
  for (const ask of [
    () => tree.lookup(2, 'a'),
    () => tree.list(2),
    () => tree.parent(2),
    () => tree.stat(2),
    () => tree.xattrs(2),
  ])
    expect(syscallOf(ask)).toBe('EIO stat')
  expect(syscallOf(() => tree.readlink(1))).toBe('EINVAL readlink')
  expect(syscallOf(() => tree.open(1))).toBe('EISDIR open')
  expect(errno(() => tree.close())).toBe('done')
})

test('digests of what a union shows from below are asked of below, those of its own content are taken each time', async () => {
  const asked: string[] = []
  const digest = digestOf(Buffer.from('known'))
  const below: ContentDigests = {
    known(number) {
      asked.push(`known ${number}`)
      return digest
    },
    async of(number) {
      asked.push(`of ${number}`)
      return digest
    },
    complete: async () => void asked.push('complete'),
    learn: (number, _, since) => void asked.push(`learn ${number} ${since}`),
    pays: () => true,
  }
  const lower = { ...plainTree({ f: 'lower', g: 'lower' }), digests: below }
  const merged = union(lower, memoryUpper())
  const [f, g] = [ino(merged, 'f'), ino(merged, 'g')]
  write(merged, 'g', 'upper')
  const digests = merged.digests!
  expect([digests.known(f), digests.known(g)]).toEqual([digest, undefined])
  expect([await digests.of(f), await digests.of(g)]).toEqual([digest, digestOf(Buffer.from('upper'))])
  digests.learn(f, digest, 7)
  digests.learn(g, digest, 7)
  await digests.complete()
  expect([digests.pays(f), digests.pays(g)]).toEqual([true, undefined])
  const own = lower.lookup(lower.root, 'f')
  expect(asked).toEqual([`known ${own}`, `of ${own}`, `learn ${own} 7`, 'complete'])
  expect(union(plainTree({}), memoryUpper()).digests).toBeUndefined()
})

describe('paths', () => {
  const tree = plainTree({
    'd/e/': {},
    'd/e/f': 'x',
    'd/l': { kind: 'symlink', target: 'e' },
    abs: { kind: 'symlink', target: '/d/e' },
    slashed: { kind: 'symlink', target: 'd/e/' },
    toFile: { kind: 'symlink', target: 'd/e/f' },
    dangling: { kind: 'symlink', target: 'd/new' },
    loop: { kind: 'symlink', target: 'loop' },
    up: { kind: 'symlink', target: '../../d' },
  })
  const number = (path: string) => path.split('/').reduce((parent, name) => tree.lookup(parent, name)!, tree.root)
  const [d, e, f] = [number('d'), number('d/e'), number('d/e/f')]
  const follow = (path: string, more = {}) => resolvePath(tree, path, { follow: true, ...more })

  test('lead where Linux goes', () => {
    for (const path of [
      'd/e/f',
      '/d/e/f',
      '//d//e//f',
      'd/./e/../e/f',
      'd/l/f',
      'abs/f',
      'slashed/f',
      'toFile',
      'up/e/f',
      '../d/e/f',
    ])
      expect(follow(path), path).toMatchObject({ directory: e, name: 'f', ino: f, trailingSlash: false })
    expect(follow('d/e/')).toEqual({ directory: d, name: 'e', ino: e, trailingSlash: true })
    expect(follow('slashed')).toEqual({ directory: d, name: 'e', ino: e, trailingSlash: true })
    for (const path of ['/', 'd/..', '..', '.'])
      expect(follow(path), path).toMatchObject({ directory: tree.root, name: '', ino: tree.root })
    expect(follow('/').trailingSlash).toBe(false)
    expect(follow('e/f', { from: d })).toMatchObject({ ino: f })
    expect(follow('/d/e/f', { from: d })).toMatchObject({ ino: f })
    expect(follow('dangling')).toEqual({ directory: d, name: 'new', ino: undefined, trailingSlash: false })
    expect(resolvePath(tree, 'abs', { follow: false })).toMatchObject({ name: 'abs', ino: number('abs') })
    expect(resolvePath(tree, 'abs/', { follow: false })).toMatchObject({ name: 'e', ino: e, trailingSlash: true })
  })

  test.each([
    ['', 'ENOENT'],
    ['none/f', 'ENOENT'],
    ['d/e/f/g', 'ENOTDIR'],
    ['d/e/f/', 'ENOTDIR'],
    ['toFile/', 'ENOTDIR'],
    ['toFile/x', 'ENOTDIR'],
    ['loop', 'ELOOP'],
    ['n'.repeat(256), 'ENAMETOOLONG'],
    [`${'n'.repeat(256)}/x`, 'ENAMETOOLONG'],
    [`d/${'./'.repeat(2047)}`, 'ENAMETOOLONG'],
  ])('%s is refused', (path, code) => {
    expect(errno(() => follow(path))).toBe(code)
  })

  test('are as long as Linux takes them, and go through forty symlinks', () => {
    expect(follow(`${'./'.repeat(2046)}d/e`.slice(-4095))).toMatchObject({ ino: e })
    expect(`${'./'.repeat(2046)}d/e`).toHaveLength(4095)
    const links = (count: number) =>
      Object.fromEntries(
        Array.from(
          { length: count },
          (_, i) => [`l${i}`, { kind: 'symlink', target: i === 0 ? 'end' : `l${i - 1}` }] as const,
        ),
      )
    const chain = plainTree({ end: 'x', ...links(41) })
    expect(resolvePath(chain, 'l39', { follow: true }).ino).toBe(chain.lookup(chain.root, 'end'))
    expect(errno(() => resolvePath(chain, 'l40', { follow: true }))).toBe('ELOOP')
  })

  test('to create take no slash at their end', () => {
    expect(errno(() => follow('d/new/', { toCreate: true }))).toBe('EISDIR')
    expect(errno(() => follow('d/e/', { toCreate: true }))).toBe('EISDIR')
    expect(errno(() => follow('slashed', { toCreate: true }))).toBe('EISDIR')
    expect(follow('d/new', { toCreate: true })).toMatchObject({ directory: d, name: 'new', ino: undefined })
    expect(follow('d/new/')).toMatchObject({ directory: d, name: 'new', ino: undefined, trailingSlash: true })
  })

  test('of names end in the name, which is not followed, or in what is none', () => {
    expect(resolveName(tree, 'abs')).toEqual({
      directory: tree.root,
      name: 'abs',
      ino: number('abs'),
      trailingSlash: false,
      last: 'name',
    })
    expect(resolveName(tree, 'd/l//')).toEqual({
      directory: d,
      name: 'l',
      ino: number('d/l'),
      trailingSlash: true,
      last: 'name',
    })
    expect(resolveName(tree, 'abs/f')).toMatchObject({ directory: e, name: 'f', ino: f })
    expect(resolveName(tree, 'new')).toMatchObject({ directory: tree.root, name: 'new', ino: undefined })
    expect(resolveName(tree, 'e/f', { from: d })).toMatchObject({ directory: e, ino: f })
    expect(resolveName(tree, 'l', { from: d })).toMatchObject({ directory: d, ino: number('d/l') })
    expect(resolveName(tree, '/')).toEqual({
      directory: tree.root,
      name: '',
      ino: tree.root,
      trailingSlash: true,
      last: '/',
    })
    expect(resolveName(tree, 'd/.')).toEqual({ directory: d, name: '', ino: d, trailingSlash: false, last: '.' })
    expect(resolveName(tree, 'd/e/../')).toEqual({ directory: d, name: '', ino: d, trailingSlash: true, last: '..' })
    expect(errno(() => resolveParent(tree, ''))).toBe('ENOENT')
    expect(errno(() => resolveParent(tree, 'none/a'))).toBe('ENOENT')
    expect(errno(() => resolveParent(tree, 'd/e/f/a'))).toBe('ENOTDIR')
    expect(errno(() => resolveName(tree, 'd/e/f/..'))).toBe('ENOTDIR')
    expect(errno(() => resolveParent(tree, `d/${'n'.repeat(300)}`))).toBe('done')
    expect(errno(() => resolveName(tree, `d/${'n'.repeat(256)}`))).toBe('ENAMETOOLONG')
    expect(errno(() => resolveParent(tree, `${'./'.repeat(2048)}a`))).toBe('ENAMETOOLONG')
  })

  test('without symlinks and dots are what is left of them', () => {
    expect(['d/l/f', 'abs/./f', 'up/e/../l/f', 'toFile', '/d/e//f'].map((path) => realPath(tree, path))).toEqual(
      Array(5).fill('/d/e/f'),
    )
    expect(['/', '..', 'd/..', 'abs/..', 'abs', 'd/e/.'].map((path) => realPath(tree, path))).toEqual([
      '/',
      '/',
      '/',
      '/d',
      '/d/e',
      '/d/e',
    ])
    expect(errno(() => realPath(tree, 'dangling'))).toBe('ENOENT')
  })
})

describe('content in blocks', () => {
  const boot = Buffer.alloc(16, 1)
  const below = Buffer.from('b'.repeat(2000))
  const made = (more: Partial<WritableBytes> = {}, lower: Bytes = memoryBytes(below)) => {
    const data = new LosingBytes()
    const map = BlockMap.make(new LosingBytes(), boot, 2000, 512)
    const writable = new Proxy(data, {
      get(target, name) {
        if (name in more) return more[name as keyof WritableBytes]
        const value = Reflect.get(target, name, target) as unknown
        return typeof value === 'function' ? value.bind(target) : value
      },
    }) as WritableBytes
    return { content: new BlockContent(lower, map, writable), map, data }
  }
  const read = (content: BlockContent, length = content.size, from = 0) => {
    const into = Buffer.alloc(length, '?')
    const got = content.read(into, from)
    return into.toString('latin1', 0, got)
  }

  test('needs all that shows of what is below', () => {
    const map = BlockMap.make(new LosingBytes(), boot, 2001, 512)
    expect(syscallOf(() => new BlockContent(memoryBytes(below), map, new LosingBytes() as never))).toBe('EIO open')
  })

  test('a write copies the blocks up that it changes in part, and no other', () => {
    const { content, map } = made()
    expect(content.write(Buffer.from('XX'), 600)).toBe(2)
    expect([0, 1, 2, 3].map((block) => map.has(block))).toEqual([false, true, false, false])
    expect(read(content)).toBe(`${'b'.repeat(600)}XX${'b'.repeat(1398)}`)
    expect(content.write(Buffer.alloc(0), 100)).toBe(0)
    expect(content.write(Buffer.from('Y'), 1999)).toBe(1)
    expect([content.size, map.has(3)]).toEqual([2000, true])
    expect(content.write(Buffer.from('Z'), 2100)).toBe(1)
    expect(read(content, 200, 1995)).toBe(`bbbbY${'\0'.repeat(100)}Z`)
    expect(syscallOf(() => content.write(Buffer.from('x'), Number.MAX_SAFE_INTEGER))).toBe('EFBIG write')
  })

  test('what shows and what does not is told in runs', () => {
    const { content } = made()
    expect(content.nextData(0)).toEqual({ start: 0, end: 2000 })
    expect(content.nextData(700)).toEqual({ start: 700, end: 2000 })
    expect(content.nextData(2000)).toBeUndefined()
    content.truncate(5000)
    expect(content.nextData(1999)).toEqual({ start: 1999, end: 2000 })
    expect(content.nextData(2000)).toBeUndefined()
    content.write(Buffer.alloc(512, 'x'), 4096)
    expect(content.nextData(2000)).toEqual({ start: 4096, end: 4608 })
    const holes = (position: number): Run | undefined =>
      [
        { start: 100, end: 200 },
        { start: 300, end: 2000 },
      ]
        .map(({ start, end }) => ({ start: Math.max(start, position), end }))
        .find(({ end }) => end > position)
    const sparse = made(
      {},
      {
        ...memoryBytes(below),
        size: 2000,
        read: (into, from) => memoryBytes(below).read(into, from),
        close() {},
        nextData: holes,
      },
    ).content
    expect([0, 150, 200, 400].map((position) => sparse.nextData(position))).toEqual([
      { start: 100, end: 200 },
      { start: 150, end: 200 },
      { start: 300, end: 2000 },
      { start: 400, end: 2000 },
    ])
  })

  test('ranges are copied where the data can take them, whole blocks and what is around them', () => {
    const source: Bytes = {
      ...memoryBytes(Buffer.alloc(3000, 's')),
      size: 3000,
      read: (into, from) => memoryBytes(Buffer.alloc(3000, 's')).read(into, from),
      close() {},
      extent: { some: 'place' } as never,
    }
    let room = 5000
    const copying = () => {
      const target = made()
      const copyFrom = (from: Bytes, fromPosition: number, position: number, length: number) => {
        const size = Math.min(length, room)
        const bytes = Buffer.alloc(size)
        from.read(bytes, fromPosition)
        return target.data.write(bytes, position)
      }
      return made({ copyFrom } as Partial<WritableBytes>)
    }
    expect(made({ copyFrom: undefined } as never).content.copyFrom(source, 0, 0, 100)).toBe(0)
    const plain = copying().content
    expect(plain.copyFrom({ ...source, extent: undefined } as Bytes, 0, 0, 100)).toBe(0)
    expect([plain.copyFrom(source, 3000, 0, 100), plain.copyFrom(source, 2900, 0, 500)]).toEqual([0, 100])
    expect(plain.size).toBe(2000)
    expect(plain.copyFrom(source, 0, 1900, 500)).toBe(500)
    expect(plain.size).toBe(2400)
    room = 700
    expect(copying().content.copyFrom(source, 0, 100, 1000)).toBe(412)
    room = 300
    expect(copying().content.copyFrom(source, 0, 100, 1000)).toBe(0)
    room = 0
    expect(copying().content.copyFrom(source, 0, 100, 1000)).toBe(0)
  })

  test('what there is no room for is not there, and a write that has room for some of it says so', () => {
    const room = 0
    const limited = () => {
      const target = made()
      const write = (bytes: Uint8Array, position: number) => target.data.write(bytes.subarray(0, room), position)
      return made({ write } as Partial<WritableBytes>)
    }
    expect(syscallOf(() => limited().content.write(Buffer.alloc(2000, 'x'), 0))).toBe('ENOSPC write')
    expect(limited().content.size).toBe(2000)
  })

  test('a handle tells of each change, and answers nothing once it is closed', () => {
    const { content } = made()
    const told: string[] = []
    const handle = new BlockHandle(content, {
      change: () => told.push('change'),
      sync: () => told.push('sync'),
      close: () => told.push('close'),
    })
    expect(handle.size).toBe(2000)
    expect(handle.write(Buffer.from('abc'), 0)).toBe(3)
    const into = Buffer.alloc(4)
    expect([handle.read(into, 0), into.toString()]).toEqual([4, 'abcb'])
    handle.truncate(1000)
    handle.allocate('punch', 0, 512)
    expect(handle.copyFrom(memoryBytes(below), 0, 0, 10)).toBe(0)
    expect(handle.nextData(0)).toBeDefined()
    expect(told).toEqual(['change', 'change', 'change', 'change'])
    handle.sync()
    handle.close()
    handle.close()
    expect(told.slice(4)).toEqual(['sync', 'close'])
    const refused = [
      () => handle.size,
      () => handle.read(into, 0),
      () => handle.write(into, 0),
      () => handle.truncate(0),
      () => handle.allocate('punch', 0, 1),
      () => handle.copyFrom(memoryBytes(below), 0, 0, 1),
      () => handle.nextData(0),
      () => handle.sync(),
    ].map(syscallOf)
    expect(refused).toEqual(
      ['fstat', 'read', 'write', 'ftruncate', 'fallocate', 'copy_file_range', 'lseek', 'fsync'].map(
        (call) => `EBADF ${call}`,
      ),
    )
    expect(told).toHaveLength(6)
  })
})

test('a union goes on over other sides when nothing of it is open, and closes the old ones', () => {
  const closed: string[] = []
  const closing = (name: string, spec: Parameters<typeof plainTree>[0]) => ({
    ...plainTree(spec),
    close: () => void closed.push(name),
  })
  const merged = union(closing('old', { a: 'old', 'd/': {} }), memoryUpper())
  const content = merged.open(ino(merged, 'a'))
  expect(errno(() => merged.restack(plainTree({}), memoryUpper(), () => {}))).toBe('EBUSY')
  content.close()
  const decided = new Error('not now')
  expect(() =>
    merged.restack(plainTree({}), memoryUpper(), () => {
      throw decided
    }),
  ).toThrow(decided)
  expect([closed, textOf(merged.open(ino(merged, 'a')))]).toEqual([[], 'old'])
  merged.unlink(merged.root, 'a')
  merged.restack(closing('new', { a: 'new', 'e/': {} }), memoryUpper(), () => {})
  expect(closed).toEqual(['old'])
  expect([...merged.list(merged.root)].map(({ name }) => name)).toEqual(['a', 'e'])
  expect(textOf(merged.open(ino(merged, 'a')))).toBe('new')
  merged.create(merged.root, 'made', directory)
  const kept = merged.retain()
  merged.close()
  expect(closed).toEqual(['old'])
  kept.close()
  expect(closed).toEqual(['old', 'new'])
  kept.close()
  expect(closed).toEqual(['old', 'new'])
})
