import { describe, expect, test } from 'vitest'
import { PlyError } from '../../src/model/errors.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { asUser } from '../../src/union/permissions.ts'
import { realPath, resolvePath } from '../../src/union/resolve.ts'
import type { RestackableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { plainTree } from '../support/plain-tree.ts'
import { directory, file, ino, make } from './make.ts'

const spec = {
  'd/': {},
  'd/f': 'text',
  'e/': {},
  'e/x': 'x',
  f: 'text',
  l: { kind: 'symlink', target: 'f' },
  p: { kind: 'fifo' },
} as const

const refusal = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    if (error instanceof PlyError) return `${error.code} ${error.details.syscall}`
    throw error
  }
  return 'nothing was refused'
}

describe('a refusal is that of Linux, and names the system call that would have met it', () => {
  test.each<[string, (tree: RestackableUnion) => unknown, string]>([
    ['a listing of a file', (tree) => [...tree.list(ino(tree, 'f'))], 'ENOTDIR lookup'],
    ['the parent of a file', (tree) => tree.parent(ino(tree, 'f')), 'ENOTDIR lookup'],
    ['the target of a file', (tree) => tree.readlink(ino(tree, 'f')), 'EINVAL readlink'],
    ['the target of a directory', (tree) => tree.readlink(ino(tree, 'd')), 'EINVAL readlink'],
    ['the content of a directory', (tree) => tree.open(ino(tree, 'd')), 'EISDIR open'],
    ['the content of a symlink', (tree) => tree.open(ino(tree, 'l')), 'EINVAL open'],
    ['the content of a fifo', (tree) => tree.open(ino(tree, 'p')), 'EINVAL open'],
    ['a writer of a directory', (tree) => tree.writer(ino(tree, 'd')), 'EISDIR open'],
    ['a writer of a symlink', (tree) => tree.writer(ino(tree, 'l')), 'EINVAL open'],
    ['a writer of a fifo', (tree) => tree.writer(ino(tree, 'p')), 'EINVAL open'],
    ['an inode that is nowhere', (tree) => tree.stat(2 ** 41), 'ENOENT stat'],
    ['xattrs of one that is nowhere', (tree) => tree.xattrs(2 ** 41), 'ENOENT getxattr'],
    ['a name in one that is nowhere', (tree) => tree.lookup(2 ** 41, 'x'), 'ENOENT lookup'],
    ['content of one that is nowhere', (tree) => tree.open(2 ** 41), 'ENOENT open'],
    ['a writer of one that is nowhere', (tree) => tree.writer(2 ** 41), 'ENOENT open'],
    ['attributes of one that is nowhere', (tree) => tree.setAttributes(2 ** 41, { mode: 0 }), 'ENOENT stat'],
    ['an xattr of one that is nowhere', (tree) => tree.setXattr(2 ** 41, 'user.a', Buffer.from('x')), 'ENOENT stat'],
    ['holding one that is nowhere', (tree) => tree.hold(2 ** 41), 'ENOENT open'],
    ['a link to one that is nowhere', (tree) => tree.link(tree.root, 'n', 2 ** 41), 'ENOENT link'],
    ['a target of one that is nowhere', (tree) => tree.readlink(2 ** 41), 'ENOENT readlink'],
    ['the parent of one that is nowhere', (tree) => tree.parent(2 ** 41), 'ENOENT lookup'],
    ['making in a file', (tree) => tree.create(ino(tree, 'f'), 'x', file), 'ENOTDIR lookup'],
    ['making what is there', (tree) => tree.create(tree.root, 'f', file), 'EEXIST open'],
    ['making a name of nothing', (tree) => tree.create(tree.root, '', file), 'EINVAL open'],
    ['making a dot', (tree) => tree.create(tree.root, '.', file), 'EINVAL open'],
    ['making two dots', (tree) => tree.create(tree.root, '..', directory), 'EINVAL open'],
    ['making a slash', (tree) => tree.create(tree.root, 'a/b', file), 'EINVAL open'],
    ['making a NUL', (tree) => tree.create(tree.root, 'a\0b', file), 'EINVAL open'],
    ['making a long name', (tree) => tree.create(tree.root, 'n'.repeat(256), file), 'ENAMETOOLONG open'],
    [
      'making the device 0:0',
      (tree) => tree.create(tree.root, 'w', { ...file, kind: 'character', major: 0, minor: 0 }),
      'EPERM mknod',
    ],
    [
      'making in a removed directory',
      (tree) => {
        const d = ino(tree, 'e')
        tree.hold(d)
        tree.unlink(d, 'x')
        tree.rmdir(tree.root, 'e')
        tree.create(d, 'n', file)
      },
      'ENOENT lookup',
    ],
    ['a file without a name in a file', (tree) => tree.unnamed(ino(tree, 'f'), file), 'ENOTDIR open'],
    ['linking a directory', (tree) => tree.link(tree.root, 'n', ino(tree, 'd')), 'EPERM link'],
    ['linking over a name', (tree) => tree.link(tree.root, 'l', ino(tree, 'f')), 'EEXIST link'],
    ['linking in a file', (tree) => tree.link(ino(tree, 'f'), 'n', ino(tree, 'p')), 'ENOTDIR lookup'],
    ['linking a long name', (tree) => tree.link(tree.root, 'n'.repeat(256), ino(tree, 'f')), 'ENAMETOOLONG link'],
    [
      'linking what lost its last name',
      (tree) => {
        const f = ino(tree, 'f')
        tree.hold(f)
        tree.unlink(tree.root, 'f')
        tree.link(tree.root, 'n', f)
      },
      'ENOENT link',
    ],
    ['removing nothing', (tree) => tree.unlink(tree.root, 'none'), 'ENOENT unlink'],
    ['removing a directory as a file', (tree) => tree.unlink(tree.root, 'd'), 'EISDIR unlink'],
    ['removing in a file', (tree) => tree.unlink(ino(tree, 'f'), 'x'), 'ENOTDIR lookup'],
    ['removing a dot', (tree) => tree.unlink(tree.root, '.'), 'EINVAL unlink'],
    ['removing a file as a directory', (tree) => tree.rmdir(tree.root, 'f'), 'ENOTDIR rmdir'],
    ['removing no directory', (tree) => tree.rmdir(tree.root, 'none'), 'ENOENT rmdir'],
    ['removing a full directory', (tree) => tree.rmdir(tree.root, 'd'), 'ENOTEMPTY rmdir'],
    ['removing two dots as a directory', (tree) => tree.rmdir(tree.root, '..'), 'EINVAL rmdir'],
    ['removing a directory in a file', (tree) => tree.rmdir(ino(tree, 'f'), 'x'), 'ENOTDIR lookup'],
    ['moving nothing', (tree) => tree.rename(tree.root, 'none', tree.root, 'n'), 'ENOENT rename'],
    ['moving in a file', (tree) => tree.rename(ino(tree, 'f'), 'x', tree.root, 'n'), 'ENOTDIR lookup'],
    ['moving into a file', (tree) => tree.rename(tree.root, 'p', ino(tree, 'f'), 'n'), 'ENOTDIR lookup'],
    ['moving a directory over a file', (tree) => tree.rename(tree.root, 'd', tree.root, 'f'), 'ENOTDIR rename'],
    ['moving a file over a directory', (tree) => tree.rename(tree.root, 'f', tree.root, 'd'), 'EISDIR rename'],
    ['moving a directory over a full one', (tree) => tree.rename(tree.root, 'd', tree.root, 'e'), 'ENOTEMPTY rename'],
    ['moving a directory into itself', (tree) => tree.rename(tree.root, 'd', ino(tree, 'd'), 'n'), 'EINVAL rename'],
    [
      'moving over a name that is to stay',
      (tree) => tree.rename(tree.root, 'f', tree.root, 'l', { noReplace: true }),
      'EEXIST rename',
    ],
    [
      'exchanging with nothing',
      (tree) => tree.rename(tree.root, 'f', tree.root, 'none', { exchange: true }),
      'ENOENT rename',
    ],
    [
      'both flags',
      (tree) => tree.rename(tree.root, 'f', tree.root, 'l', { noReplace: true, exchange: true }),
      'EINVAL rename',
    ],
    ['moving to a long name', (tree) => tree.rename(tree.root, 'f', tree.root, 'n'.repeat(256)), 'ENAMETOOLONG rename'],
    ['moving to a dot', (tree) => tree.rename(tree.root, 'f', tree.root, '.'), 'EINVAL rename'],
    ['the mode of a symlink', (tree) => tree.setAttributes(ino(tree, 'l'), { mode: 0o600 }), 'EOPNOTSUPP chmod'],
    [
      'removing an xattr that is not there',
      (tree) => tree.setXattr(ino(tree, 'f'), 'user.none', undefined),
      'ENODATA removexattr',
    ],
    ['an xattr of no kind', (tree) => tree.setXattr(ino(tree, 'f'), 'odd.a', Buffer.from('x')), 'EOPNOTSUPP setxattr'],
    [
      'an xattr without a name',
      (tree) => tree.setXattr(ino(tree, 'f'), 'user.', Buffer.from('x')),
      'EOPNOTSUPP setxattr',
    ],
    [
      'an xattr of a long name',
      (tree) => tree.setXattr(ino(tree, 'f'), `user.${'n'.repeat(251)}`, Buffer.from('x')),
      'ERANGE setxattr',
    ],
    [
      'an xattr that is too large',
      (tree) => tree.setXattr(ino(tree, 'f'), 'user.a', Buffer.alloc(65537)),
      'E2BIG setxattr',
    ],
    ['an empty name of an xattr', (tree) => tree.setXattr(ino(tree, 'f'), '', Buffer.from('x')), 'ERANGE setxattr'],
    [
      'reading after closing',
      (tree) => {
        const c = tree.open(ino(tree, 'f'))
        c.close()
        c.read(Buffer.alloc(1), 0)
      },
      'EBADF read',
    ],
    [
      'the size after closing',
      (tree) => {
        const c = tree.open(ino(tree, 'f'))
        c.close()
        c.size
      },
      'EBADF fstat',
    ],
    [
      'where data is after closing',
      (tree) => {
        const c = tree.writer(ino(tree, 'f'))
        c.close()
        c.nextData?.(0)
      },
      'EBADF lseek',
    ],
    [
      'writing after closing',
      (tree) => {
        const c = tree.writer(ino(tree, 'f'))
        c.close()
        c.write(Buffer.from('x'), 0)
      },
      'EBADF write',
    ],
    [
      'reading a writer after closing',
      (tree) => {
        const c = tree.writer(ino(tree, 'f'))
        c.close()
        c.read(Buffer.alloc(1), 0)
      },
      'EBADF read',
    ],
    [
      'truncating after closing',
      (tree) => {
        const c = tree.writer(ino(tree, 'f'))
        c.close()
        c.truncate(0)
      },
      'EBADF ftruncate',
    ],
    [
      'allocating after closing',
      (tree) => {
        const c = tree.writer(ino(tree, 'f'))
        c.close()
        c.allocate('zero', 0, 1)
      },
      'EBADF fallocate',
    ],
    [
      'syncing after closing',
      (tree) => {
        const c = tree.writer(ino(tree, 'f'))
        c.close()
        c.sync()
      },
      'EBADF fsync',
    ],
    [
      'the size of a writer after closing',
      (tree) => {
        const c = tree.writer(ino(tree, 'f'))
        c.close()
        c.size
      },
      'EBADF fstat',
    ],
    [
      'writing beyond what a file can be',
      (tree) => tree.writer(ino(tree, 'f')).write(Buffer.from('x'), Number.MAX_SAFE_INTEGER),
      'EFBIG write',
    ],
    [
      'truncating beyond what a file can be',
      (tree) => tree.writer(ino(tree, 'f')).truncate(Number.MAX_SAFE_INTEGER + 1),
      'EFBIG ftruncate',
    ],
    [
      'allocating beyond what a file can be',
      (tree) => tree.writer(ino(tree, 'f')).allocate('extend', Number.MAX_SAFE_INTEGER, 10),
      'EFBIG fallocate',
    ],
    [
      'going on over other sides with a file open',
      (tree) => {
        tree.open(ino(tree, 'f'))
        tree.restack(tree.lower, tree.upper, () => {})
      },
      'EBUSY restack',
    ],
  ])('%s', (_, act, expected) => {
    for (const touched of [false, true]) {
      const tree = make(spec) as RestackableUnion
      // What is in the upper is refused as what is below.
      if (touched)
        for (const path of ['d', 'd/f', 'e', 'e/x', 'f', 'l', 'p']) tree.setAttributes(ino(tree, path), { mtime: 1n })
      expect(
        refusal(() => act(tree)),
        touched ? 'in the upper' : 'below',
      ).toBe(expected)
    }
  })
})

describe('symlinks on the way', () => {
  const tree = plainTree({
    'd/e/f': 'x',
    'd/abs': { kind: 'symlink', target: '/top' },
    'd/e/up': { kind: 'symlink', target: '/d/e/../abs' },
    'd/rel': { kind: 'symlink', target: 'e' },
    'd/empty': { kind: 'symlink', target: '' },
    'top/f': 'top',
  })
  const text = (path: string) => {
    const { ino: found } = resolvePath(tree, path, { follow: true })
    const into = Buffer.alloc(3)
    return into.toString('latin1', 0, tree.open(found!).read(into, 0))
  }

  test('that are absolute begin at the root, wherever they stand', () => {
    expect([text('d/abs/f'), text('d/e/up/f'), text('d/rel/f')]).toEqual(['top', 'top', 'x'])
    expect(['d/abs/f', 'd/e/up', 'd/rel/../abs/f'].map((path) => realPath(tree, path))).toEqual([
      '/top/f',
      '/top',
      '/top/f',
    ])
  })

  test('that lead nowhere are refused', () => {
    for (const path of ['d/empty', 'd/empty/x'])
      expect(() => resolvePath(tree, path, { follow: true })).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  })

  test('a directory is passed through with the right to, also where nothing is looked up in it', () => {
    const shut = plainTree({ 'shut/': { mode: 0o700 }, 'open/': {} })
    const walk =
      (path: string, options = {}) =>
      () =>
        resolvePath(asUser(shut, { uid: 1, gid: 1 }), path, { follow: true, ...options })
    expect(walk('shut')).not.toThrow()
    expect(walk('open/.')).not.toThrow()
    for (const path of ['shut/.', 'shut/./', 'shut/..'])
      expect(walk(path), path).toThrow(expect.objectContaining({ code: 'EACCES' }))
    expect(walk('shut/new/', { toCreate: true })).toThrow(expect.objectContaining({ code: 'EACCES' }))
    expect(resolvePath(shut, 'shut/.', { follow: true }).directory).toBe(shut.lookup(shut.root, 'shut'))
  })
})

test('a union cannot stand on one that can be written', () => {
  expect(() => union(make(spec), memoryUpper())).toThrow(
    expect.objectContaining({
      details: {
        what: 'a union over one that can be written',
        reason: 'what is new in both would have the same numbers; stack layers, or commit it and stand on its tree',
      },
    }),
  )
})

test('things of every kind are copied up as they are, with what they are called and with what they say of themselves', () => {
  const xattrs = { 'user.a': 'x', 'security.b': 'y' }
  const all = {
    'd/': { mode: 0o2755, uid: 1, gid: 2, xattrs },
    'd/f': { content: 'text', mode: 0o4711, uid: 3, gid: 4, mtime: 5n, xattrs },
    'd/g': { hardlink: 'd/f' },
    'd/b': { kind: 'block', major: 8, minor: 1, mode: 0o660, uid: 9 },
    'd/c': { kind: 'character', major: 4, minor: 64 },
    'd/p': { kind: 'fifo', mode: 0o622 },
    'd/s': { kind: 'socket' },
    'd/l': { kind: 'symlink', target: 'f', uid: 6 },
  } as const
  let open = 0
  const lower = plainTree(all)
  const counting = {
    ...lower,
    open(number: number) {
      const content = lower.open(number)
      open++
      return {
        ...content,
        size: content.size,
        read: (into: Uint8Array, at: number) => content.read(into, at),
        close: () => void open--,
      }
    },
  }
  const tree = union(counting, memoryUpper())
  const told = (path: string) => {
    const found = ino(tree, path)
    const { ctime: _, atime: __, ...stat } = tree.stat(found)
    const read = Buffer.alloc(4)
    const content = stat.kind === 'file' ? tree.open(found) : undefined
    const text = content && read.toString('latin1', 0, content.read(read, 0))
    content?.close()
    return {
      ...stat,
      text,
      target: stat.kind === 'symlink' ? tree.readlink(found) : undefined,
      xattrs: [...tree.xattrs(found)].map(([name, value]) => [name, Buffer.from(value).toString()]).sort(),
    }
  }
  for (const path of ['d', 'd/f', 'd/g', 'd/b', 'd/c', 'd/p', 'd/s', 'd/l']) {
    const before = told(path)
    const found = ino(tree, path)
    tree.setAttributes(found, { mtime: 77n })
    expect(tree.upper.has(found), path).toBe(true)
    expect(told(path), path).toEqual({ ...before, mtime: 77n })
  }
  expect(ino(tree, 'd/g')).toBe(ino(tree, 'd/f'))
  const writer = tree.writer(ino(tree, 'd/f'))
  writer.write(Buffer.from('T'), 0)
  writer.close()
  expect([told('d/g').text, open]).toEqual(['Text', 0])
})
