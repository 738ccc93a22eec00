import { describe, expect, test } from 'vitest'
import { codeOf, PlyError } from '../../src/model/errors.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'
import { accessAcl, aclTag, serializeAcl } from '../../src/union/acl.ts'
import { copyRange } from '../../src/union/copy-range.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { sameFile } from '../../src/union/open-content.ts'
import { union } from '../../src/union/union-tree.ts'
import type { Upper, WritableBytes } from '../../src/union/upper.ts'
import { plainTree } from '../support/plain-tree.ts'
import { at, directory, file, ino, make } from './make.ts'

const textOf = (bytes: Bytes, length = bytes.size) => {
  const into = Buffer.alloc(length)
  return into.toString('latin1', 0, bytes.read(into, 0))
}
const errno = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    return codeOf(error) ?? error
  }
  return 'done'
}

/** A union whose contents are counted while they are open, below and above. */
function counted(spec: Parameters<typeof plainTree>[0], more: Partial<Upper> = {}) {
  const open = { below: 0, above: 0 }
  const counting = <Content extends Bytes>(side: 'below' | 'above', content: Content): Content => {
    open[side]++
    let closed = false
    return new Proxy(content, {
      get(target, name) {
        if (name === 'close')
          return () => {
            if (!closed) open[side]--
            closed = true
            target.close()
          }
        const value = Reflect.get(target, name, target) as unknown
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
  const lower = plainTree(spec)
  const upper = memoryUpper()
  const watching = new Proxy(upper, {
    get(target, name) {
      if (name in more) return more[name as keyof Upper]
      if (name === 'open') return (number: number) => counting('above', target.open(number))
      if (name === 'writer') return (number: number) => counting('above', target.writer(number))
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const tree = union({ ...lower, open: (number) => counting('below', lower.open(number)) }, watching)
  return { tree, open, upper }
}

describe('what is open', () => {
  test('a reader goes on in the copy, and what it read before is closed', () => {
    const { tree, open } = counted({ f: 'lower' })
    const reader = tree.open(ino(tree, 'f'))
    expect([textOf(reader), open]).toEqual(['lower', { below: 1, above: 0 }])
    const writer = tree.writer(ino(tree, 'f'))
    writer.write(Buffer.from('UP'), 0)
    expect([textOf(reader), textOf(writer), open.below]).toEqual(['UPwer', 'UPwer', 0])
    const later = tree.open(ino(tree, 'f'))
    expect(textOf(later)).toBe('UPwer')
    for (const handle of [reader, writer, later]) {
      handle.close()
      handle.close()
    }
    expect(open).toEqual({ below: 0, above: 0 })
    expect(errno(() => reader.read(Buffer.alloc(1), 0))).toBe('EBADF')
  })

  test('goes on without a name, and is closed with its last handle', () => {
    const { tree, open } = counted({ f: 'lower', g: 'other' })
    const f = ino(tree, 'f')
    const [reader, other] = [tree.open(f), tree.open(f)]
    tree.unlink(tree.root, 'f')
    const writer = tree.writer(f)
    writer.write(Buffer.from('X'), 0)
    writer.truncate(3)
    expect([textOf(reader), textOf(other), tree.stat(f).links, tree.stat(f).size]).toEqual(['Xow', 'Xow', 0, 3])
    reader.close()
    writer.close()
    expect([textOf(other), errno(() => tree.stat(f))]).toEqual(['Xow', 'done'])
    other.close()
    expect([open, errno(() => tree.stat(f))]).toEqual([{ below: 0, above: 0 }, 'ENOENT'])
  })

  test('is closed with the union', () => {
    const { tree, open } = counted({ f: 'lower', g: 'g' })
    const handles = [
      tree.open(ino(tree, 'f')),
      tree.open(ino(tree, 'g')),
      tree.writer(ino(tree, 'g')),
      tree.open(ino(tree, 'f')),
    ]
    tree.close()
    expect(open).toEqual({ below: 0, above: 0 })
    for (const handle of handles) expect(errno(() => handle.size)).toBe('EBADF')
  })

  test('a copy-up that fails leaves the reader where it was, and nothing open', () => {
    const { tree, open, upper } = counted({ f: 'lower' }, {
      copyUp() {
        throw new PlyError('ENOSPC', { syscall: 'write' })
      },
    } as Partial<Upper>)
    const reader = tree.open(ino(tree, 'f'))
    expect(errno(() => tree.writer(ino(tree, 'f')))).toBe('ENOSPC')
    expect([textOf(reader), open, upper.has(ino(tree, 'f'))]).toEqual(['lower', { below: 1, above: 0 }, false])
    reader.close()
    expect(open).toEqual({ below: 0, above: 0 })
  })

  test('two handles on one inode of one union are one file, and no others', () => {
    const tree = make({ f: 'x', g: 'x' })
    const [one, other, writer, g] = [
      tree.open(ino(tree, 'f')),
      tree.open(ino(tree, 'f')),
      tree.writer(ino(tree, 'f')),
      tree.open(ino(tree, 'g')),
    ]
    expect([sameFile(one, one), sameFile(one, other), sameFile(writer, one), sameFile(one, g)]).toEqual([
      true,
      true,
      true,
      false,
    ])
    const elsewhere = make({ f: 'x', g: 'x' })
    expect(sameFile(one, elsewhere.open(ino(elsewhere, 'f')))).toBe(false)
    const [a, b] = [memoryBytes(Buffer.from('x')), memoryBytes(Buffer.from('x'))]
    expect([sameFile(a, b), sameFile(a, a), sameFile(a, one)]).toEqual([false, true, false])
  })

  test('where data is, and where in a file of the disk, is asked of the content', () => {
    const extent = { fd: 7, offset: 512 }
    const nextData = (position: number) => ({ start: position, end: 9 })
    const lower = plainTree({ f: 'x' })
    const tree = union(
      { ...lower, open: (number) => ({ ...lower.open(number), size: 1, read: () => 0, close() {}, extent, nextData }) },
      memoryUpper(),
    )
    const reader = tree.open(ino(tree, 'f'))
    expect([reader.extent, reader.nextData!(3)]).toEqual([extent, { start: 3, end: 9 }])
    reader.close()
    expect([errno(() => reader.extent), errno(() => reader.nextData)]).toEqual(['EBADF', 'EBADF'])
  })

  test('ranges to allocate have a beginning and a length', () => {
    const tree = make({ f: 'text' })
    const writer = tree.writer(ino(tree, 'f'))
    expect([
      errno(() => writer.allocate('zero', -1, 1)),
      errno(() => writer.allocate('zero', 0, 0)),
      errno(() => writer.allocate('zero', 0, -1)),
    ]).toEqual(['EINVAL', 'EINVAL', 'EINVAL'])
    writer.allocate('zero', 0, 1)
    writer.allocate('extend', 4, 2)
    expect(textOf(writer)).toBe('\0ext\0\0')
  })
})

describe('times', () => {
  test('what is written has its time when the writer closes or syncs, and shows it before', () => {
    const tree = make({ f: 'text' })
    const f = ino(tree, 'f')
    const writer = tree.writer(f)
    const before = tree.stat(f).mtime
    writer.write(Buffer.alloc(0), 0)
    expect(tree.stat(f).mtime).toBe(before)
    writer.write(Buffer.from('a'), 0)
    const shown = tree.stat(f).mtime
    expect(shown).toBeGreaterThan(before)
    expect(tree.upper.stat(f).mtime).not.toBe(shown)
    writer.sync()
    expect(tree.upper.stat(f).mtime).toBe(shown)
    writer.truncate(1)
    const cut = tree.stat(f).mtime
    expect(cut).toBeGreaterThan(shown)
    tree.setAttributes(f, { mtime: 5n })
    writer.close()
    expect([tree.stat(f).mtime, tree.upper.stat(f).mtime]).toEqual([5n, 5n])
    const other = tree.writer(f)
    other.write(Buffer.from('b'), 0)
    other.close()
    expect(tree.upper.stat(f).mtime).toBe(tree.stat(f).mtime)
    expect(tree.stat(f).mtime).toBeGreaterThan(cut)
  })

  test('are those of the disk from when they are asked for, where the upper gives them', () => {
    for (const givesTimes of [true, false]) {
      const set: (bigint | undefined)[] = []
      const upper = memoryUpper()
      const asked = new Proxy(upper, {
        get(target, name) {
          if (name === 'givesTimes') return givesTimes
          if (name === 'setAttributes')
            return (number: number, change: { mtime?: bigint }) => {
              set.push(change.mtime)
              target.setAttributes(number, change)
            }
          const value = Reflect.get(target, name, target) as unknown
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
      const tree = union(plainTree({ f: 'x' }), asked)
      const writer = tree.writer(ino(tree, 'f'))
      writer.write(Buffer.from('y'), 0)
      tree.create(tree.root, 'a', file)
      const own = set.length
      expect(own).toBeGreaterThan(0)
      tree.takeTimesOfDisk!()
      // What was written before keeps the time that it had.
      expect(set.length).toBe(own + 1)
      writer.write(Buffer.from('z'), 0)
      tree.create(tree.root, 'b', file)
      writer.close()
      expect(set.length > own + 1, `givesTimes ${givesTimes}`).toBe(!givesTimes)
    }
  })

  test('a directory whose time cannot be set has its name all the same', () => {
    for (const failure of [new PlyError('ENOSPC', { syscall: 'utimensat' }), new Error('no error of a system call')]) {
      let failing = false
      const own = memoryUpper()
      const setAttributes = (...how: Parameters<Upper['setAttributes']>) => {
        if (failing) throw failure
        own.setAttributes(...how)
      }
      const upper = new Proxy(own, {
        get(target, name) {
          if (name === 'setAttributes') return setAttributes
          const value = Reflect.get(target, name, target) as unknown
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
      const tree = union(plainTree({ 'd/': {} }), upper)
      const d = ino(tree, 'd')
      tree.setAttributes(d, { mode: 0o700 })
      failing = true
      if (failure instanceof PlyError) expect(errno(() => tree.create(d, 'n', file))).toBe('done')
      else expect(() => tree.create(d, 'n', file)).toThrow(failure)
      expect(tree.lookup(d, 'n')).toBeDefined()
    }
  })
})

describe('set-id bits and capabilities', () => {
  const spec = {
    f: { content: 'text', mode: 0o6755 },
    locking: { content: 'text', mode: 0o6745 },
    'd/': { mode: 0o6755 },
  } as const
  const mode = (act: (tree: ReturnType<typeof make>, number: number) => void, name: string = 'f') => {
    const tree = make(spec)
    act(tree, ino(tree, name))
    return tree.stat(ino(tree, name)).mode.toString(8)
  }
  const writing = (killSetId: boolean | undefined, text: string) => (tree: ReturnType<typeof make>, number: number) => {
    const writer = tree.writer(number, killSetId === undefined ? {} : { killSetId })
    writer.write(Buffer.from(text), 0)
    writer.close()
  }

  test('go with what somebody writes who could not set them, and stay otherwise', () => {
    expect([
      mode(writing(true, 'x')),
      mode(writing(false, 'x')),
      mode(writing(undefined, 'x')),
      mode(writing(true, '')),
    ]).toEqual(['755', '6755', '6755', '6755'])
    expect([
      mode(writing(true, 'x'), 'locking'),
      mode((tree, f) => tree.writer(f, { truncate: true, killSetId: true }).close()),
    ]).toEqual(['2745', '755'])
    expect(
      mode((tree, f) => {
        const writer = tree.writer(f, { killSetId: true })
        writer.write(Buffer.from('x'), 0)
        tree.setAttributes(f, { mode: 0o4711 })
        writer.write(Buffer.from('y'), 0)
        writer.close()
      }),
    ).toBe('711')
  })

  test('go with an owner that changes, but not from directories', () => {
    expect([
      mode((tree, f) => tree.setAttributes(f, { uid: 5 })),
      mode((tree, f) => tree.setAttributes(f, { gid: 5 }), 'locking'),
      mode((tree, d) => tree.setAttributes(d, { uid: 5 }), 'd'),
    ]).toEqual(['755', '2745', '6755'])
    expect(mode((tree, f) => tree.setAttributes(f, { uid: 5, mode: 0o4700 }))).toBe('4700')
    expect([
      mode((tree, f) => tree.setAttributes(f, {}, { killSetId: true })),
      mode((tree, f) => tree.setAttributes(f, {})),
    ]).toEqual(['755', '6755'])
    expect(mode((tree, f) => tree.setAttributes(f, { mtime: 5n }))).toBe('6755')
  })

  test('a capability goes with content or an owner that changes, in what has no name any more too', () => {
    const capable = (act: (tree: ReturnType<typeof make>, number: number) => void, unlinked = false) => {
      const tree = make({ f: { content: 'text', xattrs: { 'security.capability': 'c', 'user.a': 'x' } } })
      const f = ino(tree, 'f')
      const release = tree.hold(f)
      if (unlinked) tree.unlink(tree.root, 'f')
      act(tree, f)
      const names = [...tree.xattrs(f).keys()].sort()
      release()
      return names
    }
    for (const unlinked of [false, true]) {
      expect(capable(writing(false, 'x'), unlinked)).toEqual(['user.a'])
      expect(capable((tree, f) => tree.setAttributes(f, { uid: 7 }), unlinked)).toEqual(['user.a'])
      expect(capable((tree, f) => tree.setAttributes(f, { mode: 0o700 }), unlinked)).toEqual([
        'security.capability',
        'user.a',
      ])
      expect(capable((tree, f) => tree.setXattr(f, 'user.a', undefined), unlinked)).toEqual(['security.capability'])
    }
  })

  test('a mode of somebody with a list changes the list, and a list the mode', () => {
    const acl = serializeAcl([
      { tag: aclTag.owner, permissions: 6, id: -1 },
      { tag: aclTag.user, permissions: 7, id: 9 },
      { tag: aclTag.group, permissions: 4, id: -1 },
      { tag: aclTag.mask, permissions: 7, id: -1 },
      { tag: aclTag.other, permissions: 0, id: -1 },
    ])
    const tree = make({ f: { mode: 0o4644 } })
    const f = ino(tree, 'f')
    tree.setXattr(f, accessAcl, acl)
    expect(tree.stat(f).mode.toString(8)).toBe('4670')
    tree.setAttributes(f, { mode: 0o4640 })
    const stored = Buffer.from(tree.xattrs(f).get(accessAcl)!)
    expect(stored.readUInt16LE(4 + 3 * 8 + 2)).toBe(4)
    tree.setAttributes(f, { mode: 0o640 })
    expect([tree.stat(f).mode, Buffer.from(tree.xattrs(f).get(accessAcl)!).equals(stored)]).toEqual([0o640, true])
    tree.setXattr(f, accessAcl, undefined)
    expect(tree.xattrs(f).has(accessAcl)).toBe(false)
  })
})

describe('copying ranges', () => {
  const bytes = Buffer.from(Array.from({ length: 3 << 20 }, (_, i) => (i * 7) % 251))
  const made = (size = 0) => {
    const tree = make({})
    const number = tree.create(tree.root, 'to', file)
    const to = tree.writer(number)
    if (size > 0) to.write(Buffer.alloc(size, 0x2e), 0)
    return to
  }
  const whole = (to: WritableBytes) => {
    const into = Buffer.alloc(to.size)
    to.read(into, 0)
    return into
  }

  test('large ones come in pieces, from any place to any place', () => {
    for (const [from, at, length] of [
      [0, 0, bytes.length],
      [12_345, 777, 2_500_001],
      [5, 1 << 20, 10],
    ] as const) {
      const to = made()
      expect(copyRange(memoryBytes(bytes), from, to, at, length)).toBe(length)
      expect(to.size).toBe(at + length)
      expect(
        whole(to)
          .subarray(0, at)
          .every((byte) => byte === 0),
      ).toBe(true)
      expect(
        whole(to)
          .subarray(at)
          .equals(bytes.subarray(from, from + length)),
      ).toBe(true)
    }
  })

  test('where the target takes ranges itself they are its, in as many pieces as it takes', () => {
    for (const [piece, most] of [
      [100, 5],
      [1000, Number.POSITIVE_INFINITY],
      [0, 0],
    ] as const) {
      const to = made()
      let times = 0
      const copyFrom = (from: Bytes, fromPosition: number, position: number, length: number) => {
        if (times++ >= most) return 0
        const part = Buffer.alloc(Math.min(piece, length))
        from.read(part, fromPosition)
        return to.write(part, position)
      }
      const taking = new Proxy(to, {
        get: (target, name) =>
          name === 'copyFrom'
            ? copyFrom
            : typeof Reflect.get(target, name, target) === 'function'
              ? (Reflect.get(target, name, target) as () => void).bind(target)
              : Reflect.get(target, name, target),
      })
      expect(copyRange(memoryBytes(bytes), 50, taking, 20, 2600)).toBe(2600)
      expect(whole(to).subarray(20).equals(bytes.subarray(50, 2650)), `pieces of ${piece}`).toBe(true)
    }
  })

  test('a source that turns out to be shorter gives what it has', () => {
    const short = {
      ...memoryBytes(bytes),
      size: 10_000,
      read: (into: Uint8Array, from: number) => memoryBytes(bytes.subarray(0, 4000)).read(into, from),
      close() {},
    }
    expect(copyRange(short, 1000, made(), 0, 9000)).toBe(3000)
  })

  test('holes become holes, or zeros where there can be none', () => {
    const sparse = {
      ...memoryBytes(bytes),
      size: 2_000_000,
      read: (into: Uint8Array, from: number) => memoryBytes(bytes).read(into, from),
      close() {},
      nextData: (position: number) =>
        position < 1_500_000 ? { start: Math.max(position, 1_400_000), end: 1_500_000 } : undefined,
    }
    for (const refuses of [undefined, 'EOPNOTSUPP', 'EIO'] as const) {
      const to = made(1_800_000)
      const punched: number[][] = []
      const allocate = (what: 'punch', position: number, length: number) => {
        punched.push([position, length])
        if (refuses) throw new PlyError(refuses, { syscall: 'fallocate' })
        to.allocate(what, position, length)
      }
      const target = new Proxy(to, {
        get: (of, name) =>
          name === 'allocate'
            ? allocate
            : typeof Reflect.get(of, name, of) === 'function'
              ? (Reflect.get(of, name, of) as () => void).bind(of)
              : Reflect.get(of, name, of),
      })
      if (refuses === 'EIO') {
        expect(errno(() => copyRange(sparse, 0, target, 0, 2_000_000))).toBe('EIO')
        continue
      }
      expect(copyRange(sparse, 0, target, 0, 2_000_000)).toBe(2_000_000)
      expect(punched).toEqual([
        [0, 1_400_000],
        [1_500_000, 300_000],
      ])
      const expected = Buffer.alloc(2_000_000)
      bytes.copy(expected, 1_400_000, 1_400_000, 1_500_000)
      expect(whole(to).equals(expected), `${refuses}`).toBe(true)
    }
  })
})

test('a directory that was removed while it was held has no names, and takes none', () => {
  const tree = make({ 'd/e/': {} })
  const d = ino(tree, 'd')
  const release = tree.hold(d)
  tree.rmdir(...at(tree, 'd/e'))
  tree.rmdir(tree.root, 'd')
  expect([...tree.list(d)]).toEqual([])
  expect(errno(() => tree.create(d, 'n', directory))).toBe('ENOENT')
  tree.setAttributes(d, { mode: 0o700 })
  tree.setXattr(d, 'user.a', Buffer.from('x'))
  expect([tree.stat(d).mode, tree.xattrs(d).has('user.a')]).toEqual([0o700, true])
  release()
  expect(errno(() => tree.stat(d))).toBe('ENOENT')
})
