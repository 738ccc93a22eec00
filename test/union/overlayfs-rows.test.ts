/** What the kernel's overlayfs does, row by row of a table of its behaviour on Linux 6.18: kept, or improved on purpose. */
import { describe, expect, test } from 'vitest'
import { type LayerView, nothing, type Verdict, whiteout } from '../../src/layer/view.ts'
import { noXattrs } from '../../src/model/entry.ts'
import { codeOf } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { union } from '../../src/union/union-tree.ts'
import { contentAt, plainTree, treeEntries } from '../support/plain-tree.ts'
import { at, directory, file, ino, make, upperPaths, write } from './make.ts'
import { caught, contentOf } from './upper-contract.ts'

/** One layer with empty files and whiteouts in its root. */
function layer(names: Readonly<Record<string, 'file' | 'whiteout'>>): LayerView {
  const sorted = Object.keys(names).sort()
  const verdict = (name: string): Verdict => {
    if (names[name] === 'whiteout') return whiteout
    const there = {
      says: 'entry',
      ino: sorted.indexOf(name) + 2,
      directory: false,
      implied: false,
      opaque: false,
    } as const
    return names[name] === 'file' ? there : nothing
  }
  return {
    root: { says: 'entry', ino: 1, directory: true, implied: true, opaque: false },
    lookup: (_, name) => verdict(name),
    list: () => sorted.map((name) => ({ name, verdict: verdict(name) })),
    stat: (number) => ({ ...(number === 1 ? directory : file), ino: number, size: 0, links: 1, major: 0, minor: 0 }),
    xattrs: () => noXattrs,
    open: () => memoryBytes(new Uint8Array()),
    readlink: () => '',
    close() {},
  }
}

describe('numbers', () => {
  test('row 1, row 2: a number is that of below before and after copy-up, and after opening again, for files and directories', () => {
    const upper = memoryUpper()
    const spec = { 'd/e/f': 'x', 'd/g': 'y' }
    const tree = make(spec, upper)
    const before = ['d', 'd/e', 'd/e/f'].map((path) => ino(tree, path))
    write(tree, 'd/e/f', 'changed')
    tree.rename(...at(tree, 'd/e'), tree.root, 'moved')
    const made = tree.create(tree.root, 'new', directory)
    for (const each of [tree, make(spec, upper)]) {
      expect(['d', 'moved', 'moved/f'].map((path) => ino(each, path))).toEqual(before)
      expect(ino(each, 'new')).toBe(made)
    }
  })

  test('row 19: the number in a list is that of stat, in pure and merged directories', () => {
    const tree = make({ 'a/lower': 'x', 'a/copied': 'y', 'b/c/': {}, 'l/x': { hardlink: 'a/copied' } })
    write(tree, 'a/copied', 'changed')
    tree.create(ino(tree, 'a'), 'own', file)
    tree.rename(...at(tree, 'b'), ino(tree, 'a'), 'b')
    const visit = (parent: number): void => {
      for (const { name, ino: listed, kind } of tree.list(parent)) {
        expect(listed).toBe(tree.lookup(parent, name))
        expect(tree.stat(listed)).toMatchObject({ ino: listed, kind })
        expect(tree.kind?.(listed)).toBe(kind)
        if (kind === 'directory') visit(listed)
      }
    }
    visit(tree.root)
  })

  test('row 18: links of a directory count its subdirectories, in merged ones too', () => {
    const tree = make({ 'a/b/': {}, 'a/c/': {}, 'a/f': 'x' })
    expect(tree.stat(ino(tree, 'a')).links).toBe(4)
    tree.create(ino(tree, 'a'), 'own', directory)
    tree.rmdir(...at(tree, 'a/b'))
    tree.rename(...at(tree, 'a/c'), tree.root, 'c')
    expect(tree.stat(ino(tree, 'a')).links).toBe(3)
    expect(tree.stat(tree.root).links).toBe(4)
  })
})

describe('names', () => {
  test('row 3: a directory of below is renamed, and its upper says where it came from', () => {
    const upper = memoryUpper()
    const spec = { 'd/e/f': 'x', 'other/': {} }
    const tree = make(spec, upper)
    tree.rename(...at(tree, 'd/e'), ino(tree, 'other'), 'moved')
    tree.rename(...at(tree, 'd'), tree.root, 'renamed')
    expect(upperPaths(tree)).toEqual(['-d', 'other', 'other/moved<d/e', 'renamed<d', '-renamed/e'])
    expect(contentAt(tree, 'other/moved/f')).toBe('x')
    expect(treeEntries(make(spec, upper))).toEqual(treeEntries(tree))
  })

  test('row 4: a link group stays one over copy-up, and counts the names that are left', () => {
    const tree = make({ 'a/x': 'old', 'b/y': { hardlink: 'a/x' }, z: { hardlink: 'a/x' } })
    write(tree, 'a/x', 'new')
    expect(contentAt(tree, 'b/y')).toBe('new')
    expect(ino(tree, 'z')).toBe(ino(tree, 'a/x'))
    tree.unlink(...at(tree, 'a/x'))
    expect(tree.stat(ino(tree, 'z')).links).toBe(2)
    expect(contentAt(tree, 'z')).toBe('new')
  })

  test('row 9: a device 0:0 is not to be had, and removing leaves a whiteout where something lies below', () => {
    const tree = make({ a: 'x' })
    expect(codeOf(caught(() => tree.create(tree.root, 'c', { ...file, kind: 'character', major: 0, minor: 0 })))).toBe(
      'EPERM',
    )
    tree.unlink(tree.root, 'a')
    tree.create(tree.root, 'b', file)
    tree.unlink(tree.root, 'b')
    expect(upperPaths(tree)).toEqual(['-a'])
  })

  test('row 12: a whiteout with nothing below it is hidden in every list', () => {
    const tree = union([layer({ a: 'file', gone: 'whiteout' }), layer({ b: 'file', other: 'whiteout' })], memoryUpper())
    tree.upper.whiteout(tree.upper.root.ino, 'here')
    expect([...tree.list(tree.root)].map(({ name }) => name)).toEqual(['a', 'b'])
    for (const name of ['gone', 'other', 'here']) expect(tree.lookup(tree.root, name)).toBeUndefined()
  })

  test('row 24: NOREPLACE and EXCHANGE work between below and above, for any two kinds', () => {
    const tree = make({ low: 'low', 'd/x': 'x', l: { kind: 'symlink', target: 'low' } })
    const own = tree.create(tree.root, 'own', file)
    write(tree, 'own', 'own')
    const [low, dir] = [ino(tree, 'low'), ino(tree, 'd')]
    expect(codeOf(caught(() => tree.rename(tree.root, 'own', tree.root, 'low', { noReplace: true })))).toBe('EEXIST')
    expect(codeOf(caught(() => tree.rename(tree.root, 'own', tree.root, 'none', { exchange: true })))).toBe('ENOENT')
    tree.rename(tree.root, 'own', tree.root, 'low', { exchange: true })
    expect([ino(tree, 'low'), ino(tree, 'own')]).toEqual([own, low])
    tree.rename(tree.root, 'd', tree.root, 'own', { exchange: true })
    expect([ino(tree, 'own'), ino(tree, 'd')]).toEqual([dir, low])
    expect(contentAt(tree, 'own/x')).toBe('x')
    tree.rename(tree.root, 'own', tree.root, 'free', { noReplace: true })
    expect(contentAt(tree, 'free/x')).toBe('x')
  })

  test('row 28: a name may have 255 bytes', () => {
    const tree = make({})
    const name = 'x'.repeat(255)
    tree.create(tree.root, name, file)
    expect(tree.lookup(tree.root, name)).toBeDefined()
    expect(codeOf(caught(() => tree.create(tree.root, `${name}x`, file)))).toBe('ENAMETOOLONG')
    expect(tree.room()).toMatchObject({ blockSize: 4096 })
  })

  test('row 30: a merged directory with nothing visible in it is removed, and leaves one whiteout', () => {
    const tree = make({ 'd/a': 'x', 'd/e/b': 'y' })
    tree.unlink(...at(tree, 'd/a'))
    tree.unlink(...at(tree, 'd/e/b'))
    tree.rmdir(...at(tree, 'd/e'))
    tree.rmdir(...at(tree, 'd'))
    expect(upperPaths(tree)).toEqual(['-d'])
  })
})

describe('open files', () => {
  test('row 5: what was opened before copy-up shows what is written after it', () => {
    const tree = make({ a: 'before' })
    const reader = tree.open(ino(tree, 'a'))
    write(tree, 'a', 'after, and longer')
    tree.setAttributes(ino(tree, 'a'), { mode: 0o600 })
    expect(reader.size).toBe(17)
    expect(contentOf(reader)).toBe('after, and longer')
  })

  test('row 6: a lock that was taken before copy-up still keeps others out', () => {
    const tree = make({ a: 'x' })
    const [one, other] = [{}, {}]
    expect(tree.locks.flock(ino(tree, 'a'), one, 'exclusive')).toBe(true)
    write(tree, 'a', 'y')
    tree.rename(tree.root, 'a', tree.root, 'b')
    expect(tree.locks.flock(ino(tree, 'b'), other, 'exclusive')).toBe(false)
  })

  test('row 7: reading changes no access time', () => {
    const tree = make({ low: 'x', own: 'y' })
    tree.setAttributes(ino(tree, 'own'), { atime: 5n })
    const before = tree.stat(ino(tree, 'low'))
    for (const path of ['low', 'own']) contentAt(tree, path)
    expect(tree.stat(ino(tree, 'low'))).toEqual(before)
    expect(tree.stat(ino(tree, 'own')).atime).toBe(5n)
  })

  test('row 8: what is open and has no name any more has no links, from below as from above', () => {
    const tree = make({ low: 'x' })
    tree.create(tree.root, 'own', file)
    for (const path of ['low', 'own']) {
      const number = ino(tree, path)
      const reader = tree.open(number)
      tree.unlink(tree.root, path)
      expect(tree.stat(number)).toMatchObject({ ino: number, kind: 'file', links: 0 })
      reader.close()
      expect(codeOf(caught(() => tree.stat(number)))).toBe('ENOENT')
    }
  })

  test('row 16: opening for writing, changing and linking copy up; reading and removing do not', () => {
    const ways: [string, (tree: ReturnType<typeof make>, number: number) => void, boolean][] = [
      ['read', (tree, number) => contentOf(tree.open(number)), false],
      ['stat', (tree, number) => tree.stat(number) && tree.xattrs(number), false],
      ['unlink', (tree) => tree.unlink(...at(tree, 'd/a')), false],
      ['open for writing', (tree, number) => tree.writer(number).close(), true],
      ['chmod', (tree, number) => tree.setAttributes(number, { mode: 0o600 }), true],
      ['utimes', (tree, number) => tree.setAttributes(number, { mtime: 1n, atime: 2n }), true],
      ['setxattr', (tree, number) => tree.setXattr(number, 'user.a', Buffer.from('1')), true],
      ['link', (tree, number) => tree.link(tree.root, 'b', number), true],
      ['rename', (tree) => tree.rename(...at(tree, 'd/a'), tree.root, 'b'), true],
    ]
    for (const [way, go, copies] of ways) {
      const tree = make({ 'd/a': 'x' })
      const number = ino(tree, 'd/a')
      go(tree, number)
      expect(tree.upper.has(number), way).toBe(copies)
    }
  })

  test('row 17: parents come up with attributes, ACLs and times, and content with its holes', () => {
    const acl = Buffer.from(
      '0200000001000700ffffffff02000700e803000004000500ffffffff10000700ffffffff20000500ffffffff',
      'hex',
    )
    const xattrs = { 'user.x': '1', 'system.posix_acl_access': acl }
    const tree = make({ 'd/': { mode: 0o2775, uid: 5, gid: 6, mtime: 3n, xattrs }, 'd/f': 'x' })
    const before = tree.stat(ino(tree, 'd'))
    write(tree, 'd/f', 'y')
    expect(tree.upper.has(before.ino)).toBe(true)
    const { atime = before.mtime, ctime: _, ...after } = tree.stat(ino(tree, 'd'))
    expect({ ...after, atime }).toEqual({ ...before, atime: 3n })
    expect([...tree.xattrs(before.ino).keys()].sort()).toEqual(['system.posix_acl_access', 'user.x'])

    const sparse = {
      size: 10_000_000,
      read: (into: Uint8Array) => into.fill(0).length,
      nextData: (position: number) =>
        position < 5_000_001 ? { start: Math.max(position, 5_000_000), end: 5_000_001 } : undefined,
      close() {},
    }
    const below = { ...plainTree({ a: 'x' }), open: () => sparse }
    const copied = union(below, memoryUpper())
    const { free } = copied.room()
    const writer = copied.writer(ino(copied, 'a'))
    expect(writer.size).toBe(10_000_000)
    expect(free - copied.room().free).toBeLessThanOrEqual(65536n)
  })
})

describe('layers', () => {
  test('row 23: one lower and no upper, and no lower at all, are allowed', () => {
    expect(contentAt(union(plainTree({ a: 'x' })), 'a')).toBe('x')
    const own = union([], memoryUpper())
    own.create(own.root, 'a', file)
    expect(own.lookup(own.root, 'a')).toBeDefined()
  })

  test('row 26: a thousand lowers', () => {
    const lowers = Array.from({ length: 1000 }, (_, i) => layer({ [`f${i}`]: 'file' }))
    const tree = union(lowers, memoryUpper())
    expect([...tree.list(tree.root)].length).toBe(1000)
    tree.unlink(tree.root, 'f0')
    write(tree, 'f999', 'x')
    expect([...tree.list(tree.root)].length).toBe(999)
  })
})
