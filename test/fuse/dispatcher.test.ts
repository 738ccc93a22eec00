import { constants } from 'node:os'
import { describe, expect, test } from 'vitest'
import { controlAnswer, controlCommand, controlText, largestControl } from '../../src/fuse/control.ts'
import { PlyError } from '../../src/model/errors.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { contentAt, plainTree } from '../support/plain-tree.ts'
import { type Answered, attributesIn, directoryEntriesIn, entryIn, handleIn, type Part, Wire } from './wire.ts'

const { errno } = constants
const readWrite = 2
const [root, user] = [{ uid: 0 }, { uid: 1000, gid: 100 }]

const lower = () =>
  plainTree({
    '': { mode: 0o755, mtime: 7n },
    'etc/passwd': { content: 'root', mode: 0o644, mtime: 1_000_000_000_123_456_789n },
    'etc/su': { content: 'su', mode: 0o6755 },
    'etc/link': { target: 'pass\xffwd' },
    'dev/null': { kind: 'character', major: 1, minor: 3 },
    'shared/': { mode: 0o2775, gid: 50 },
    empty: '',
    one: { content: 'linked', xattrs: { 'user.a': '1', 'trusted.b': '2' } },
    two: { hardlink: 'one' },
  })

function served(): { readonly wire: Wire; readonly tree: WritableUnion } {
  const tree = union(lower(), memoryUpper())
  const wire = new Wire(tree)
  wire.init()
  return { wire, tree }
}

function ok(answered: Answered | undefined): Buffer {
  expect(answered?.error).toBe(0)
  return answered!.body
}

/** The kernel's number of a path, looked up step by step. */
function walk(wire: Wire, path: string): number {
  let node = 1
  for (const name of path.split('/')) node = entryIn(ok(wire.ask('lookup', node, [name]))).node
  return node
}

const openIt = (wire: Wire, node: number, flags: number, kill = 0, caller = root) =>
  handleIn(ok(wire.ask('open', node, [flags, kill], caller)))
const write = (wire: Wire, node: number, handle: bigint, position: bigint, text: string, flags = 0) =>
  wire.ask('write', node, [handle, position, text.length, flags, 0n, 0, 0, Buffer.from(text)])
const read = (wire: Wire, node: number, handle: bigint, position: bigint, size: number) =>
  wire.ask('read', node, [handle, position, size, 0, 0n, 0, 0])
const create = (wire: Wire, parent: number, name: string, mode = 0o644, umask = 0, caller = root) =>
  wire.ask('create', parent, [readWrite, mode, umask, 0, name], caller)
const getattr = (wire: Wire, node: number) => attributesIn(ok(wire.ask('getAttributes', node, [0, 0, 0n])), 16)

/** `struct fuse_setattr_in` */
function setattr(wire: Wire, node: number, valid: number, given: Record<string, number | bigint> = {}) {
  const {
    handle = 0n,
    size = 0n,
    atime = 0n,
    mtime = 0n,
    atimeRest = 0,
    mtimeRest = 0,
    mode = 0,
    uid = 0,
    gid = 0,
  } = given
  const parts = [valid, 0, handle, size, 0n, atime, mtime, 0n, atimeRest, mtimeRest, 0, mode, 0, uid, gid, 0]
  return wire.ask('setAttributes', node, parts as Part[])
}

describe('names', () => {
  test('the root is number 1 for the kernel, whatever the tree numbers so', () => {
    const inner = lower()
    // A tree whose root is 5, and whose number 1 is what was 5.
    const swap = (ino: number) => (ino === 1 ? 5 : ino === 5 ? 1 : ino)
    const tree: Tree = {
      ...inner,
      root: 5,
      lookup: (directory, name) => {
        const ino = inner.lookup(swap(directory), name)
        return ino === undefined ? undefined : swap(ino)
      },
      stat: (ino) => ({ ...inner.stat(swap(ino)), ino }),
    }
    const wire = new Wire(tree)
    wire.init()
    expect(getattr(wire, 1)).toMatchObject({ ino: 5, mode: 0o40755 })
    const five = [...['etc', 'dev', 'shared', 'empty', 'one']].map((name) => entryIn(ok(wire.ask('lookup', 1, [name]))))
    for (const { node, ino } of five) expect(node).toBe(ino === 1 ? 5 : ino)
    for (const { node, mode } of five) expect(getattr(wire, node).mode).toBe(mode)
  })

  test('a name that is not there is an answer too, which the kernel keeps', () => {
    const { wire } = served()
    expect(entryIn(ok(wire.ask('lookup', 1, ['nothing'])))).toMatchObject({ node: 0, nameValid: 24 * 3600 })
    expect(wire.ask('lookup', walk(wire, 'empty'), ['x'])!.error).toBe(-errno.ENOTDIR)
    expect(wire.ask('lookup', 1, ['n'.repeat(256)])!.error).toBe(-errno.ENAMETOOLONG)
  })

  test('what has set-id bits is asked for again each time: who writes takes them', () => {
    const { wire } = served()
    expect(entryIn(ok(wire.ask('lookup', walk(wire, 'etc'), ['su']))).attributesValid).toBe(0)
    expect(entryIn(ok(wire.ask('lookup', walk(wire, 'etc'), ['passwd']))).attributesValid).toBe(24 * 3600)
  })

  test('what is made belongs to who asks, less the umask, and a set-group-id directory hands its group on', () => {
    const { wire, tree } = served()
    const made = entryIn(ok(wire.ask('mkdir', 1, [0o777, 0o027, 'd'], user)))
    expect(made).toMatchObject({ mode: 0o40750, uid: 1000, gid: 100, links: 2 })
    const inside = entryIn(ok(wire.ask('mkdir', walk(wire, 'shared'), [0o755, 0o022, 'd'], user)))
    expect(inside).toMatchObject({ mode: 0o42755, uid: 1000, gid: 50 })
    const device = entryIn(ok(wire.ask('mknod', 1, [0o020600, (5 << 8) | 1, 0, 0, 'tty'])))
    expect(tree.stat(device.ino)).toMatchObject({ kind: 'character', major: 5, minor: 1, mode: 0o600 })
    const link = entryIn(ok(wire.ask('symlink', 1, ['s', 'to\xfe'])))
    expect(ok(wire.ask('readlink', link.node)).toString('latin1')).toBe('to\xfe')
    expect(wire.ask('mkdir', 1, [0o777, 0, 'd'])!.error).toBe(-errno.EEXIST)
    expect(wire.ask('mkdir', 1, [0o777, 0, 'n'.repeat(256)])!.error).toBe(-errno.ENAMETOOLONG)
  })

  test('a link is one more lookup of the same inode, and rename replaces, refuses or exchanges', () => {
    const { wire, tree } = served()
    const passwd = walk(wire, 'etc/passwd')
    expect(entryIn(ok(wire.ask('link', 1, [BigInt(passwd), 'p'])))).toMatchObject({ node: passwd, links: 2 })
    ok(wire.ask('rename', 1, [1n, 'p', 'empty']))
    expect(contentAt(tree, 'empty')).toBe('root')
    expect(wire.ask('rename2', 1, [1n, 1, 0, 'one', 'empty'])!.error).toBe(-errno.EEXIST)
    ok(wire.ask('rename2', 1, [1n, 2, 0, 'one', 'empty']))
    expect([contentAt(tree, 'one'), contentAt(tree, 'empty')]).toEqual(['root', 'linked'])
    expect(wire.ask('rename2', 1, [1n, 4, 0, 'one', 'empty'])!.error).toBe(-errno.EINVAL)
    expect(wire.ask('rename', 1, [BigInt(walk(wire, 'etc')), 'etc', 'x'])!.error).toBe(-errno.EINVAL)
  })

  test('what has lost its last name answers until the kernel forgets it, and not after', () => {
    const { wire } = served()
    const node = walk(wire, 'etc/passwd')
    walk(wire, 'etc/passwd')
    ok(wire.ask('unlink', walk(wire, 'etc'), ['passwd']))
    expect(getattr(wire, node)).toMatchObject({ links: 0, size: 4 })
    expect(wire.ask('forget', node, [1n])).toBeUndefined()
    expect(getattr(wire, node).links).toBe(0)
    expect(wire.ask('batchForget', 0, [2, 0, BigInt(node), 1n, 1n, 1n])).toBeUndefined()
    expect(wire.ask('getAttributes', node, [0, 0, 0n])!.error).toBe(-errno.ENOENT)
    const directory = entryIn(ok(wire.ask('mkdir', 1, [0o755, 0, 'd']))).node
    ok(wire.ask('rmdir', 1, ['d']))
    expect(getattr(wire, directory).links).toBe(0)
    const replaced = walk(wire, 'empty')
    ok(wire.ask('rename', 1, [1n, 'one', 'empty']))
    expect(getattr(wire, replaced).links).toBe(0)
  })
})

describe('content', () => {
  test('who only writes goes past the cache of a kernel that takes out of it what was written', () => {
    const answers = (minor: number, features: number, access: number) => {
      const wire = new Wire(union(lower(), memoryUpper()), { writebackCache: true })
      wire.ask('init', 0, [7, minor, 131072, features, 0, ...Array<number>(11).fill(0)])
      return ok(wire.ask('open', walk(wire, 'one'), [access, 0])).readUInt32LE(8)
    }
    const writeOnly = 1
    const [keepCache, directIo, writebackCache] = [2, 1, 1 << 16]
    expect(answers(39, 0, writeOnly)).toBe(keepCache | directIo)
    expect(answers(38, 0, writeOnly)).toBe(keepCache)
    expect(answers(39, writebackCache, writeOnly)).toBe(keepCache)
    for (const access of [0, readWrite]) expect(answers(39, 0, access)).toBe(keepCache)
  })

  test('is read and written by handles, and copied up unseen', () => {
    const { wire, tree } = served()
    const node = walk(wire, 'etc/passwd')
    const reader = openIt(wire, node, 0)
    const writer = openIt(wire, node, readWrite)
    expect(ok(write(wire, node, writer, 4n, '!!')).readUInt32LE(0)).toBe(2)
    expect(ok(read(wire, node, reader, 1n, 100)).toString()).toBe('oot!!')
    expect(ok(read(wire, node, reader, 6n, 100)).length).toBe(0)
    expect(write(wire, node, reader, 0n, 'x')!.error).toBe(-errno.EBADF)
    expect(ok(wire.ask('fsync', node, [writer, 0, 0])).length).toBe(0)
    for (const handle of [reader, writer]) ok(wire.ask('release', node, [handle, 0, 0, 0n]))
    expect(read(wire, node, reader, 0n, 1)!.error).toBe(-errno.EBADF)
    expect(contentAt(tree, 'etc/passwd')).toBe('root!!')
  })

  test('O_TRUNC cuts off at opening, also for reading', () => {
    const { wire, tree } = served()
    const node = walk(wire, 'etc/passwd')
    openIt(wire, node, 0o1000)
    expect(tree.stat(node).size).toBe(0)
  })

  test('CREATE makes and opens, also for reading alone, and TMPFILE makes what only a link names', () => {
    const { wire, tree } = served()
    const body = ok(create(wire, 1, 'new', 0o666, 0o022, user))
    const { node, mode, uid } = entryIn(body)
    expect([mode, uid]).toEqual([0o100644, 1000])
    ok(write(wire, node, handleIn(body, 128), 0n, 'content'))
    expect(contentAt(tree, 'new')).toBe('content')
    const temporary = ok(wire.ask('temporaryFile', 1, [readWrite, 0o600, 0, 0, '/']))
    const unnamed = entryIn(temporary)
    expect(unnamed.links).toBe(0)
    ok(write(wire, unnamed.node, handleIn(temporary, 128), 0n, 'tmp'))
    ok(wire.ask('link', 1, [BigInt(unnamed.node), 'named']))
    expect(contentAt(tree, 'named')).toBe('tmp')
    const exclusive = entryIn(ok(wire.ask('temporaryFile', 1, [readWrite | 0o200, 0o600, 0, 0, '/'])))
    expect(wire.ask('link', 1, [BigInt(exclusive.node), 'never'])!.error).toBe(-errno.ENOENT)
  })

  test('what CREATE cannot open it has not made: the kernel goes on knowing that there is nothing', () => {
    const tree = union(lower(), memoryUpper())
    const poor = new Proxy(tree, {
      get(target, member) {
        if (member === 'writer')
          return () => {
            throw new PlyError('EMFILE')
          }
        const value: unknown = Reflect.get(target, member)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const wire = new Wire(poor)
    wire.init()
    expect(create(wire, 1, 'new')!.error).toBe(-errno.EMFILE)
    expect(tree.lookup(tree.root, 'new')).toBeUndefined()
  })

  test('a full disk has room again for who has removed a file that nobody has open, though the kernel has not forgotten it yet', () => {
    const wire = new Wire(union(lower(), memoryUpper({ room: 40_000 })))
    wire.init()
    const made = (name: string) => {
      const body = ok(create(wire, 1, name))
      return [entryIn(body).node, handleIn(body, 128)] as const
    }
    const [big, bigHandle] = made('big')
    ok(write(wire, big, bigHandle, 0n, 'x'.repeat(20_000)))
    const [next, nextHandle] = made('next')
    const writeNext = () => write(wire, next, nextHandle, 0n, 'y'.repeat(30_000))!
    expect(writeNext().error).toBe(-errno.ENOSPC)
    expect(wire.ask('unlink', 1, ['big'])!.error).toBe(0)
    // Somebody has it open, and reads what is in it.
    expect(writeNext().error).toBe(-errno.ENOSPC)
    expect(ok(read(wire, big, bigHandle, 0n, 3)).toString()).toBe('xxx')
    expect(wire.ask('release', big, [bigHandle, 0, 0, 0n])!.error).toBe(0)
    expect(ok(writeNext()).readUInt32LE()).toBe(30_000)
    // The kernel forgets it in its own time, and nobody minds.
    wire.ask('forget', big, [1n])
  })

  test('set-id bits go when a write, a truncation or an opening says so, and only then', () => {
    const { wire, tree } = served()
    const node = walk(wire, 'etc/su')
    const mode = () => tree.stat(node).mode
    const handle = openIt(wire, node, readWrite, 0, user)
    ok(write(wire, node, handle, 0n, 'a'))
    expect(mode()).toBe(0o6755)
    ok(write(wire, node, handle, 0n, 'b', 4))
    expect(mode()).toBe(0o755)
    tree.setAttributes(node, { mode: 0o6755 })
    ok(write(wire, node, handle, 0n, 'c', 4))
    expect(mode()).toBe(0o755)
    tree.setAttributes(node, { mode: 0o6755 })
    ok(setattr(wire, node, 8, { size: 1n }))
    expect(mode()).toBe(0o6755)
    ok(setattr(wire, node, 8 | 2048, { size: 0n }))
    expect(mode()).toBe(0o755)
    tree.setAttributes(node, { mode: 0o6755 })
    openIt(wire, node, readWrite | 0o1000, 1, user)
    expect(mode()).toBe(0o755)
  })

  test('holes are found, made and kept, and ranges copied', () => {
    const { wire, tree } = served()
    const body = ok(create(wire, 1, 'sparse'))
    const [{ node }, handle] = [entryIn(body), handleIn(body, 128)]
    const far = 1n << 20n
    ok(write(wire, node, handle, far, 'data'))
    const seek = (position: bigint, whence: number) => wire.ask('lseek', node, [handle, position, whence, 0])!
    expect(ok(seek(0n, 3)).readBigUInt64LE()).toBe(far)
    expect(ok(seek(0n, 4)).readBigUInt64LE()).toBe(0n)
    expect(ok(seek(far, 4)).readBigUInt64LE()).toBe(far + 4n)
    expect(seek(far + 4n, 3).error).toBe(-errno.ENXIO)
    const allocate = (mode: number, position: bigint, length: bigint) =>
      wire.ask('fallocate', node, [handle, position, length, mode, 0])!
    ok(allocate(0, 0n, 2n << 20n))
    expect(tree.stat(node).size).toBe(2 << 20)
    ok(allocate(16, 2n << 20n, 10n))
    expect(tree.stat(node).size).toBe((2 << 20) + 10)
    ok(allocate(3, far, 4n))
    expect(ok(read(wire, node, handle, far, 4))).toEqual(Buffer.alloc(4))
    expect(allocate(8, 0n, 4096n).error).toBe(-errno.EOPNOTSUPP)
    const passwd = walk(wire, 'etc/passwd')
    const from = openIt(wire, passwd, 0)
    const copied = wire.ask('copyFileRange', passwd, [from, 1n, BigInt(node), handle, 5n, 1n << 40n, 0n])
    expect(ok(copied).readUInt32LE()).toBe(3)
    expect(ok(read(wire, node, handle, 5n, 3)).toString()).toBe('oot')
  })
})

describe('attributes', () => {
  test('modes, owners, sizes and times are set, exact to the nanosecond and before the epoch', () => {
    const { wire } = served()
    const node = walk(wire, 'etc/passwd')
    ok(
      setattr(wire, node, 1 | 2 | 4 | 16 | 32, {
        mode: 0o100600,
        uid: 5,
        gid: 6,
        atime: -1n,
        atimeRest: 1,
        mtime: 2n,
        mtimeRest: 3,
      }),
    )
    expect(getattr(wire, node)).toMatchObject({
      mode: 0o100600,
      uid: 5,
      gid: 6,
      atime: -999_999_999n,
      mtime: 2_000_000_003n,
    })
    ok(setattr(wire, node, 8, { size: 3n }))
    expect(getattr(wire, node)).toMatchObject({ size: 3, blocks: 1 })
    const before = BigInt(Date.now()) * 1_000_000n - 20_000_000n
    ok(setattr(wire, node, 16 | 32 | 128 | 256))
    expect(getattr(wire, node).mtime).toBeGreaterThan(before)
    expect(getattr(wire, node).atime).toBeGreaterThan(before)
  })

  test('extended attributes: sizes first, then values; names of trusted ones for root alone', () => {
    const { wire, tree } = served()
    const node = walk(wire, 'one')
    expect(ok(wire.ask('getXattr', node, [0, 0, 'user.a'])).readUInt32LE()).toBe(1)
    expect(ok(wire.ask('getXattr', node, [10, 0, 'user.a'])).toString()).toBe('1')
    expect(wire.ask('getXattr', node, [10, 0, 'user.none'])!.error).toBe(-errno.ENODATA)
    expect(ok(wire.ask('listXattrs', node, [100, 0])).toString()).toBe('user.a\0trusted.b\0')
    expect(ok(wire.ask('listXattrs', node, [100, 0], user)).toString()).toBe('user.a\0')
    expect(wire.ask('listXattrs', node, [3, 0])!.error).toBe(-errno.ERANGE)
    const set = (name: string, value: string, flags = 0) =>
      wire.ask('setXattr', node, [value.length, flags, 0, 0, name, Buffer.from(value)])!
    expect(set('user.a', 'x', 1).error).toBe(-errno.EEXIST)
    expect(set('user.c', 'x', 2).error).toBe(-errno.ENODATA)
    ok(set('user.c', 'see'))
    expect(Buffer.from(tree.xattrs(node).get('user.c')!).toString()).toBe('see')
    ok(wire.ask('removeXattr', node, ['user.c']))
    expect(wire.ask('removeXattr', node, ['user.c'])!.error).toBe(-errno.ENODATA)
  })

  test('room is that of the upper', () => {
    const { wire, tree } = served()
    const body = ok(wire.ask('statfs', 1))
    const { size, blockSize } = tree.room()
    expect(body.length).toBe(80)
    expect([body.readBigUInt64LE(0), body.readUInt32LE(40), body.readUInt32LE(44)]).toEqual([
      size / BigInt(blockSize),
      blockSize,
      255,
    ])
  })
})

describe('directories', () => {
  const list = (
    wire: Wire,
    node: number,
    handle: bigint,
    plus: boolean,
    size: number,
  ): ReturnType<typeof directoryEntriesIn> => {
    const all: ReturnType<typeof directoryEntriesIn> = []
    for (let offset = 0n; ; ) {
      const parts = [handle, offset, size, 0, 0n, 0, 0]
      const entries = directoryEntriesIn(ok(wire.ask(plus ? 'readDirectoryPlus' : 'readDirectory', node, parts)), plus)
      if (entries.length === 0) return all
      all.push(...entries)
      offset = all.at(-1)!.next
    }
  }
  const opened = (wire: Wire, node: number) => handleIn(ok(wire.ask('openDirectory', node, [0, 0])))

  test('are told in pieces of any size, each name once, whatever comes and goes meanwhile', () => {
    const { wire } = served()
    for (let i = 0; i < 50; i++) ok(create(wire, 1, `file-${i}`))
    const names = list(wire, 1, opened(wire, 1), false, 4096).map(({ name }) => name)
    expect(names).toHaveLength(2 + 6 + 50)
    expect(list(wire, 1, opened(wire, 1), true, 400).map(({ name }) => name)).toEqual(names)
    const handle = opened(wire, 1)
    const told: string[] = []
    for (let offset = 0n; ; ) {
      const entries = directoryEntriesIn(ok(wire.ask('readDirectory', 1, [handle, offset, 200, 0, 0n, 0, 0])), false)
      if (entries.length === 0) break
      offset = entries.at(-1)!.next
      for (const { name } of entries) {
        told.push(name)
        if (name.startsWith('file')) ok(wire.ask('unlink', 1, [name]))
      }
    }
    expect(told).toEqual(names)
    expect(list(wire, 1, handle, false, 4096)).toHaveLength(2 + 6)
  })

  test('with attributes, each entry is a lookup, but for . and ..', () => {
    const { wire } = served()
    const handle = opened(wire, 1)
    const entries = list(wire, 1, handle, true, 4096)
    expect(entries.slice(0, 2).map(({ name, node }) => [name, node])).toEqual([
      ['.', 0],
      ['..', 0],
    ])
    const { node } = entries.find(({ name }) => name === 'empty')!
    ok(wire.ask('unlink', 1, ['empty']))
    expect(getattr(wire, node!).links).toBe(0)
    wire.ask('forget', node!, [1n])
    expect(wire.ask('getAttributes', node!, [0, 0, 0n])!.error).toBe(-errno.ENOENT)
  })

  test('a name that stands for something else by now is told without attributes', () => {
    const { wire } = served()
    const handle = opened(wire, 1)
    const from = (offset: bigint) =>
      directoryEntriesIn(ok(wire.ask('readDirectoryPlus', 1, [handle, offset, 4096, 0, 0n, 0, 0])), true)
    const rest = from(2n)
    ok(wire.ask('unlink', 1, ['two']))
    ok(wire.ask('mkdir', 1, [0o755, 0, 'two']))
    const again = from(2n)
    expect(again.map(({ name }) => name)).toEqual(rest.map(({ name }) => name))
    expect(again.find(({ name }) => name === 'two')!.node).toBe(0)
    expect(again.find(({ name }) => name === 'one')!.node).toBeGreaterThan(0)
    // Going back to the start reads it anew.
    expect(from(0n).find(({ name }) => name === 'two')!.node).toBe(walk(wire, 'two'))
  })

  test('a removed one lists nothing, and is ENOTDIR where it is none', () => {
    const { wire } = served()
    const { node } = entryIn(ok(wire.ask('mkdir', 1, [0o755, 0, 'd'])))
    const handle = opened(wire, node)
    ok(wire.ask('rmdir', 1, ['d']))
    expect(list(wire, node, handle, true, 4096)).toEqual([])
    ok(wire.ask('releaseDirectory', node, [handle, 0, 0, 0n]))
    expect(wire.ask('openDirectory', walk(wire, 'one'), [0, 0])!.error).toBe(-errno.ENOTDIR)
  })
})

describe('a tree without an upper', () => {
  test('is read as any, and answers EROFS to every change', () => {
    const wire = new Wire(lower())
    wire.init()
    const node = walk(wire, 'etc/passwd')
    expect(ok(read(wire, node, openIt(wire, node, 0), 0n, 10)).toString()).toBe('root')
    expect(ok(wire.ask('statfs', 1)).length).toBe(80)
    const changes: (Answered | undefined)[] = [
      create(wire, 1, 'x'),
      wire.ask('mkdir', 1, [0o755, 0, 'x']),
      wire.ask('symlink', 1, ['x', 'y']),
      wire.ask('link', 1, [BigInt(node), 'x']),
      wire.ask('unlink', 1, ['one']),
      wire.ask('rmdir', 1, ['etc']),
      wire.ask('rename', 1, [1n, 'one', 'x']),
      wire.ask('open', node, [readWrite, 0]),
      setattr(wire, node, 1, { mode: 0o600 }),
      wire.ask('setXattr', node, [0, 0, 0, 0, 'user.a']),
      wire.ask('removeXattr', node, ['user.a']),
      wire.ask('temporaryFile', 1, [readWrite, 0o600, 0, 0, '/']),
    ]
    expect(changes.map((answered) => answered!.error)).toEqual(changes.map(() => -errno.EROFS))
  })
})

describe('locks', () => {
  const lock = (handle: bigint, owner: bigint, start: bigint, end: bigint, type: number, pid: number, flags = 0) => [
    ...[handle, owner, start, end],
    ...[type, pid, flags, 0],
  ]
  const all = 2n ** 63n - 1n

  test('are those of the union, where that was asked for', () => {
    const tree = union(lower(), memoryUpper())
    const wire = new Wire(tree, { locks: true })
    wire.init()
    const node = walk(wire, 'one')
    const ino = node
    const handle = openIt(wire, node, readWrite)
    ok(wire.ask('setLock', node, lock(handle, 0xdeadbeefdeadbeefn, 10n, 19n, 1, 42)))
    expect(tree.locks.range(ino, 'other', 'shared', { start: 0, end: 11 })).toBe(false)
    expect(tree.locks.range(ino, 'other', 'shared', { start: 20, end: Number.POSITIVE_INFINITY })).toBe(true)
    expect(wire.ask('setLock', node, lock(handle, 1n, 0n, all, 0, 43))!.error).toBe(-errno.EAGAIN)
    const found = ok(wire.ask('getLock', node, lock(handle, 1n, 0n, all, 0, 43)))
    expect([
      found.readBigUInt64LE(0),
      found.readBigUInt64LE(8),
      found.readUInt32LE(16),
      found.readUInt32LE(20),
    ]).toEqual([10n, 19n, 1, 42])
    expect(wire.ask('waitForLock', node, lock(handle, 2n, 15n, 15n, 0, 44))).toBeUndefined()
    const waiting = wire.unique
    ok(wire.ask('flush', node, [handle, 0, 0, 0xdeadbeefdeadbeefn]))
    expect(wire.late()!.error).toBe(0)
    expect(wire.late()).toBeUndefined()
    expect(waiting).toBeGreaterThan(0n)
  })

  test('who waits is interrupted', () => {
    const tree = union(lower(), memoryUpper())
    const wire = new Wire(tree, { locks: true })
    wire.init()
    const node = walk(wire, 'one')
    tree.locks.flock(node, 'somebody', 'exclusive')
    const handle = openIt(wire, node, 0)
    expect(wire.ask('waitForLock', node, lock(handle, 5n, 0n, all, 0, 1, 1))).toBeUndefined()
    const waiting = wire.unique
    expect(wire.ask('interrupt', 0, [waiting + 100n])).toBeUndefined()
    expect(wire.late()).toBeUndefined()
    expect(wire.ask('interrupt', 0, [waiting])).toBeUndefined()
    expect(wire.late()!.error).toBe(-errno.EINTR)
    tree.locks.flock(node, 'somebody', 'none')
    expect(tree.locks.flock(node, 'third', 'exclusive')).toBe(true)
  })
})

describe('control requests', () => {
  const ask = (wire: Wire, node: number, question: unknown, caller = root) =>
    wire.ask('ioctl', node, [0n, 0, controlCommand, 0n, largestControl, largestControl, controlText(question)], caller)
  const answering = (answer: (asked: unknown) => unknown) => {
    const wire = new Wire(lower(), { control: { uid: 1000, answer } })
    wire.init()
    return wire
  }

  test('are answered late, with what was answered or thrown', async () => {
    const wire = answering((asked) => {
      if (asked === 'fail') throw new PlyError('ENOSPC', { syscall: 'write' })
      return { asked }
    })
    expect(ask(wire, 1, ['x', 1], user)).toBeUndefined()
    expect(wire.dispatcher.isAsked).toBe(true)
    expect(controlAnswer(ok(await wire.control()).subarray(16))).toEqual({ asked: ['x', 1] })
    expect(wire.dispatcher.isAsked).toBe(false)
    expect(ask(wire, 1, 'fail')).toBeUndefined()
    const failed = ok(await wire.control()).subarray(16)
    expect(() => controlAnswer(failed)).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    ask(wire, 1, 'x'.repeat(largestControl - 2))
    const long = ok(await wire.control()).subarray(16)
    expect(() => controlAnswer(long)).toThrow(expect.objectContaining({ code: 'EOVERFLOW' }))
  })

  test('are for the root of the mount, its user and root alone', () => {
    const wire = answering(() => 1)
    expect(ask(wire, 1, 1, { uid: 1001 })?.error).toBe(-errno.EPERM)
    expect(ask(wire, walk(wire, 'etc'), 1)?.error).toBe(-errno.ENOTTY)
    expect(wire.ask('ioctl', 1, [0n, 0, controlCommand, 0n, 4, 4, Buffer.from('{no}')])?.error).toBe(-errno.EINVAL)
    expect(wire.ask('ioctl', 1, [0n, 0, 0x5401, 0n, 0, 0])?.error).toBe(-errno.ENOTTY)
    expect(ask(served().wire, 1, 1)?.error).toBe(-errno.ENOSYS)
  })
})

test('what the kernel leaves open is closed in the end', () => {
  const { wire, tree } = served()
  ok(create(wire, 1, 'open'))
  ok(wire.ask('openDirectory', 1, [0, 0]))
  ok(wire.ask('unlink', 1, ['open']))
  wire.dispatcher.close()
  const { ino } = tree.stat(tree.lookup(1, 'one')!)
  tree.hold(ino)()
  expect(() => tree.stat(2 ** 40 + 1)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})
