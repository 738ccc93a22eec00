import { describe, expect, test } from 'vitest'
import type { ByteString } from '../../src/model/bytes.ts'
import { codeOf } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { resolveName } from '../../src/union/resolve.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { firstNewInode } from '../../src/union/upper.ts'
import { contentAt, plainTree, treeEntries } from '../support/plain-tree.ts'
import { at, directory, file, ino, make, upperPaths, write } from './make.ts'
import { caught, contentOf } from './upper-contract.ts'

function paths(tree: WritableUnion): ByteString[] {
  return treeEntries(tree).map((entry) => entry.path)
}

describe('reading', () => {
  test('an empty upper shows the lower tree, number for number', () => {
    const spec = { 'a/b': 'x', 'a/c': { kind: 'symlink', target: 'b' }, d: { hardlink: 'a/b' } } as const
    const tree = make(spec)
    expect(treeEntries(tree)).toEqual(treeEntries(plainTree(spec)))
    expect(ino(tree, 'a/b')).toBe(ino(make(spec), 'a/b'))
    expect(tree.untouched(tree.root)).toBe(tree.root)
  })

  test('no lower views make an empty, writable file system', () => {
    const tree = union([], memoryUpper())
    tree.create(tree.root, 'a', file)
    write(tree, 'a', '1')
    expect(contentAt(tree, 'a')).toBe('1')
    expect(tree.stat(tree.root)).toMatchObject({ mode: 0o755, links: 2 })
  })

  test('one lower tree and no upper is allowed, and read only by type', () => {
    const tree = union(plainTree({ a: 'x' }))
    expect(contentAt(tree, 'a')).toBe('x')
    expect(tree).not.toHaveProperty('create')
  })
})

describe('copy-up', () => {
  test('a write copies the file and its parents up, keeps all numbers, and leaves the lower tree alone', () => {
    const tree = make({
      'a/b/c': { content: 'old', mode: 0o640, mtime: 5n },
      'a/': { mtime: 3n, mode: 0o700 },
      'a/x': 'x',
    })
    const before = ['a', 'a/b', 'a/b/c'].map((path) => ino(tree, path))
    write(tree, 'a/b/c', 'new')
    expect(['a', 'a/b', 'a/b/c'].map((path) => ino(tree, path))).toEqual(before)
    expect(contentAt(tree, 'a/b/c')).toBe('new')
    expect(contentAt(tree.lower as WritableUnion, 'a/b/c')).toBe('old')
    expect(tree.stat(ino(tree, 'a'))).toMatchObject({ mtime: 3n, mode: 0o700 })
    expect(tree.stat(ino(tree, 'a/b/c'))).toMatchObject({ mode: 0o640, size: 3, links: 1 })
    expect(tree.stat(ino(tree, 'a/b/c')).mtime).toBeGreaterThanOrEqual(1000n)
    expect(upperPaths(tree)).toEqual(['a', 'a/b', 'a/b/c'])
    expect(paths(tree)).toEqual(['', 'a', 'a/b', 'a/b/c', 'a/x'])
  })

  test('a change of attributes copies no content, and the content of below stays readable', () => {
    const tree = make({ a: 'content' })
    const number = ino(tree, 'a')
    tree.setAttributes(number, { mode: 0o600 })
    expect(tree.upper.hasContent(number)).toBe(false)
    expect(tree.stat(number)).toMatchObject({ mode: 0o600, size: 7, mtime: 0n })
    expect(contentAt(tree, 'a')).toBe('content')
    const writer = tree.writer(number)
    writer.write(Buffer.from('C'), 0)
    writer.close()
    expect(contentAt(tree, 'a')).toBe('Content')
    expect(tree.stat(number)).toMatchObject({ mode: 0o600, size: 7 })
  })

  test('opening for writing alone copies up and changes nothing that can be seen', () => {
    const spec = { 'd/a': 'content' }
    const tree = make(spec)
    tree.writer(ino(tree, 'd/a')).close()
    expect(upperPaths(tree)).toEqual(['d', 'd/a'])
    expect(treeEntries(tree)).toEqual(treeEntries(plainTree(spec)))
  })

  test('a read handle from before the copy-up shows the new content (as Linux since 6.18)', () => {
    const tree = make({ a: 'old' })
    const handle = tree.open(ino(tree, 'a'))
    write(tree, 'a', 'newer')
    expect(handle.size).toBe(5)
    expect(contentOf(handle)).toBe('newer')
  })

  test('xattrs, targets and device numbers come along', () => {
    const tree = make({
      f: { content: 'x', xattrs: { 'user.a': '\xff', 'security.capability': 'c' } },
      l: { kind: 'symlink', target: '../\xfe' },
      n: { kind: 'character', major: 5, minor: 1, mode: 0o620 },
    })
    const before = treeEntries(tree)
    for (const path of ['f', 'l', 'n']) tree.setAttributes(ino(tree, path), { mtime: 0n })
    expect(upperPaths(tree)).toEqual(['f', 'l', 'n'])
    expect(treeEntries(tree)).toEqual(before)
  })

  test('the root is described by the upper from its first change on', () => {
    const tree = make({ '/': { mode: 0o700, uid: 3, xattrs: { 'user.r': '1' } }, a: 'x' })
    tree.unlink(tree.root, 'a')
    expect(tree.stat(tree.root)).toMatchObject({ ino: tree.root, mode: 0o700, uid: 3 })
    expect(tree.stat(tree.root).mtime).toBeGreaterThanOrEqual(1000n)
    expect([...tree.xattrs(tree.root).keys()]).toEqual(['user.r'])
  })
})

describe('hardlinks', () => {
  const spec = { a: 'old', 'd/b': { hardlink: 'a' }, c: { hardlink: 'a' } } as const

  test('H-11: a write through one name shows under all of them, and they stay one inode', () => {
    const tree = make(spec)
    write(tree, 'd/b', 'new')
    expect(['a', 'd/b', 'c'].map((path) => contentAt(tree, path))).toEqual(['new', 'new', 'new'])
    expect(new Set(['a', 'd/b', 'c'].map((path) => ino(tree, path))).size).toBe(1)
    expect(tree.stat(ino(tree, 'a')).links).toBe(3)
  })

  test('H-10: names below, names above and whiteouts are counted together', () => {
    const tree = make(spec)
    const number = ino(tree, 'a')
    const links = () => tree.stat(number).links
    expect(links()).toBe(3)
    tree.unlink(...at(tree, 'c'))
    expect(links()).toBe(2)
    tree.link(tree.root, 'e', number)
    expect(links()).toBe(3)
    tree.rename(...at(tree, 'e'), ...at(tree, 'd/e'))
    expect(links()).toBe(3)
    tree.unlink(...at(tree, 'a'))
    tree.unlink(...at(tree, 'd/e'))
    expect(links()).toBe(1)
    expect(treeEntries(tree).find((entry) => entry.path === 'd/b')).toMatchObject({ links: 1 })
  })

  test('H-11: the last copied-up name may go; the names from below keep the new content', () => {
    const tree = make(spec)
    write(tree, 'a', 'new')
    tree.unlink(tree.root, 'a')
    expect(contentAt(tree, 'd/b')).toBe('new')
    tree.create(tree.root, 'n', file)
    tree.rename(tree.root, 'n', ...at(tree, 'd/b'))
    expect(contentAt(tree, 'c')).toBe('new')
    expect(tree.stat(ino(tree, 'c')).links).toBe(1)
    tree.unlink(tree.root, 'c')
    expect(paths(tree)).toEqual(['', 'd', 'd/b'])
  })

  test('counts are the same for whoever opens the union again', () => {
    const upper = memoryUpper()
    const tree = make({ ...spec, 'x/y/z': { hardlink: 'a' }, 'x/w': 'w' }, upper)
    write(tree, 'a', 'new')
    tree.rename(tree.root, 'x', ...at(tree, 'd/x'))
    tree.unlink(tree.root, 'c')
    const again = make({ ...spec, 'x/y/z': { hardlink: 'a' }, 'x/w': 'w' }, upper)
    expect(treeEntries(again)).toEqual(treeEntries(tree))
    expect(again.stat(ino(again, 'a')).links).toBe(3)
  })

  test('two names of one inode are left alone by a rename of one over the other', () => {
    const tree = make(spec)
    tree.rename(tree.root, 'a', tree.root, 'c')
    expect(paths(tree)).toEqual(['', 'a', 'c', 'd', 'd/b'])
    expect(upperPaths(tree)).toEqual([])
  })
})

describe('removing', () => {
  test('a whiteout is left only where something lies below', () => {
    const tree = make({ 'a/x': 'x', b: 'b' })
    tree.create(tree.root, 'n', file)
    tree.unlink(tree.root, 'n')
    expect(upperPaths(tree)).toEqual([])
    tree.unlink(tree.root, 'b')
    tree.unlink(...at(tree, 'a/x'))
    expect(upperPaths(tree)).toEqual(['a', '-a/x', '-b'])
    tree.rmdir(tree.root, 'a')
    expect(upperPaths(tree)).toEqual(['-a', '-b'])
    expect(paths(tree)).toEqual([''])
  })

  test('R-03: a directory made where one was removed is opaque and starts empty', () => {
    const tree = make({ 'a/x': 'x' })
    tree.unlink(...at(tree, 'a/x'))
    tree.rmdir(tree.root, 'a')
    tree.create(tree.root, 'a', directory)
    expect(paths(tree)).toEqual(['', 'a'])
    tree.create(...at(tree, 'a/x'), file)
    tree.unlink(...at(tree, 'a/x'))
    expect(upperPaths(tree)).toEqual(['a!'])
  })

  test('R-05: a file made where one was removed has a number of its own', () => {
    const tree = make({ a: 'x' })
    const old = ino(tree, 'a')
    tree.unlink(tree.root, 'a')
    expect(codeOf(caught(() => tree.stat(old)))).toBe('ENOENT')
    expect(tree.create(tree.root, 'a', file)).toBeGreaterThanOrEqual(firstNewInode)
  })

  test('R-05: no number is used again, and what is linked to the old one keeps its content', () => {
    const tree = make({})
    const old = tree.create(tree.root, 'a', file)
    write(tree, 'a', 'old')
    tree.link(tree.root, 'b', old)
    tree.unlink(tree.root, 'a')
    const next = tree.create(tree.root, 'a', file)
    tree.unlink(tree.root, 'a')
    const last = tree.create(tree.root, 'a', file)
    write(tree, 'a', 'new')
    expect(new Set([old, next, last]).size).toBe(3)
    expect(['a', 'b'].map((path) => contentAt(tree, path))).toEqual(['new', 'old'])
  })

  test.each(['below', 'above'])('a file from %s that is open without a name reads, writes and has no links', (side) => {
    const tree = make({ a: 'below' })
    if (side === 'above') write(tree, 'a', 'above')
    const number = ino(tree, 'a')
    const handle = tree.open(number)
    const writer = side === 'above' ? tree.writer(number) : undefined
    tree.unlink(tree.root, 'a')
    expect(tree.stat(number)).toMatchObject({ links: 0, size: 5, kind: 'file' })
    writer?.write(Buffer.from('!'), 5)
    tree.setAttributes(number, { mode: 0o600 })
    expect(tree.stat(number)).toMatchObject({ links: 0, mode: 0o600, size: writer ? 6 : 5 })
    writer?.close()
    expect(contentOf(handle)).toBe(writer ? 'above!' : 'below')
    expect(codeOf(caught(() => tree.stat(number)))).toBe('ENOENT')
    expect(codeOf(caught(() => tree.writer(number)))).toBe('ENOENT')
  })
})

describe('renaming directories', () => {
  const spec = { 'usr/share/a': 'a', 'usr/share/doc/b': 'b', 'usr/lib': 'l', 'opt/': {} } as const

  test('a directory from below moves by a redirect, without its content', () => {
    const tree = make(spec)
    const number = ino(tree, 'usr/share')
    tree.rename(...at(tree, 'usr/share'), ...at(tree, 'opt/s'))
    expect(upperPaths(tree)).toEqual(['opt', 'opt/s<usr/share', 'usr', '-usr/share'])
    expect(ino(tree, 'opt/s')).toBe(number)
    expect(paths(tree)).toEqual(['', 'opt', 'opt/s', 'opt/s/a', 'opt/s/doc', 'opt/s/doc/b', 'usr', 'usr/lib'])
    expect(tree.parent(number)).toBe(ino(tree, 'opt'))
    write(tree, 'opt/s/doc/b', 'new')
    expect(upperPaths(tree)).toEqual(['opt', 'opt/s<usr/share', 'opt/s/doc', 'opt/s/doc/b', 'usr', '-usr/share'])
    tree.unlink(...at(tree, 'opt/s/a'))
    tree.rename(...at(tree, 'opt'), ...at(tree, 'usr/share'))
    expect(paths(tree)).toEqual([
      '',
      'usr',
      'usr/lib',
      'usr/share',
      'usr/share/s',
      'usr/share/s/doc',
      'usr/share/s/doc/b',
    ])
    const again = make(spec, tree.upper)
    expect(treeEntries(again)).toEqual(treeEntries(tree))
  })

  test('moved back to its old name, a directory needs no redirect any more', () => {
    const tree = make(spec)
    tree.rename(...at(tree, 'usr'), tree.root, 'x')
    tree.rename(...at(tree, 'x'), tree.root, 'usr')
    expect(upperPaths(tree)).toEqual(['usr'])
    const lower = treeEntries(plainTree(spec))
    expect(treeEntries(tree).map((entry) => entry.path)).toEqual(lower.map((entry) => entry.path))
  })

  test('a new directory over an emptied one from below does not show what was there', () => {
    const tree = make(spec)
    tree.unlink(...at(tree, 'usr/share/a'))
    tree.unlink(...at(tree, 'usr/share/doc/b'))
    tree.rmdir(...at(tree, 'usr/share/doc'))
    const made = tree.create(tree.root, 'new', directory)
    tree.create(made, 'n', file)
    tree.rename(tree.root, 'new', ...at(tree, 'usr/share'))
    expect(paths(tree)).toEqual(['', 'opt', 'usr', 'usr/lib', 'usr/share', 'usr/share/n'])
    expect(treeEntries(make(spec, tree.upper))).toEqual(treeEntries(tree))
  })

  test('exchange swaps a merged directory with a file, and both keep their numbers', () => {
    const tree = make(spec)
    const [usr, lib] = [ino(tree, 'usr/share'), ino(tree, 'usr/lib')]
    tree.rename(...at(tree, 'usr/share'), ...at(tree, 'usr/lib'), { exchange: true })
    expect([ino(tree, 'usr/lib'), ino(tree, 'usr/share')]).toEqual([usr, lib])
    expect(contentAt(tree, 'usr/lib/doc/b')).toBe('b')
    expect(contentAt(tree, 'usr/share')).toBe('l')
    expect(treeEntries(make(spec, tree.upper))).toEqual(treeEntries(tree))
  })
})

test('names are found from numbers without reading a large directory again for each', () => {
  const count = 30_000
  const start = process.cpuUsage()
  const spec: Record<string, string> = {}
  for (let i = 0; i < count; i++) spec[`d/e${i}/f`] = ''
  for (const order of ['forwards', 'backwards']) {
    const tree = make(spec)
    const entries = [...tree.list(ino(tree, 'd'))]
    if (order === 'backwards') entries.reverse()
    for (const entry of entries) tree.unlink(entry.ino, 'f')
    expect(paths(tree).length).toBe(count + 2)
  }
  const { user, system } = process.cpuUsage(start)
  expect((user + system) / 1e6).toBeLessThan(20)
})

describe('refusals are those of Linux', () => {
  const spec = { f: 'f', 'd/x': 'x', 'e/': {}, l: { kind: 'symlink', target: 'f' } } as const
  const cases: [string, string, (tree: WritableUnion) => unknown][] = [
    ['create over something', 'EEXIST', (t) => t.create(t.root, 'f', file)],
    ['create in a file', 'ENOTDIR', (t) => t.create(ino(t, 'f'), 'x', file)],
    ['create .', 'EINVAL', (t) => t.create(t.root, '.', file)],
    ['create ..', 'EINVAL', (t) => t.create(t.root, '..', file)],
    ['create the empty name', 'EINVAL', (t) => t.create(t.root, '', file)],
    ['create a/b', 'EINVAL', (t) => t.create(t.root, 'a/b', file)],
    ['create with NUL', 'EINVAL', (t) => t.create(t.root, 'a\0', file)],
    ['create 256 bytes', 'ENAMETOOLONG', (t) => t.create(t.root, 'x'.repeat(256), file)],
    ['create a device 0:0', 'EPERM', (t) => t.create(t.root, 'w', { ...file, kind: 'character' })],
    ['unlink nothing', 'ENOENT', (t) => t.unlink(t.root, 'n')],
    ['unlink a directory', 'EISDIR', (t) => t.unlink(t.root, 'e')],
    ['rmdir a file', 'ENOTDIR', (t) => t.rmdir(t.root, 'f')],
    ['rmdir a symlink', 'ENOTDIR', (t) => t.rmdir(t.root, 'l')],
    ['rmdir a full directory', 'ENOTEMPTY', (t) => t.rmdir(t.root, 'd')],
    ['link over something', 'EEXIST', (t) => t.link(t.root, 'f', ino(t, 'd/x'))],
    ['link a directory', 'EPERM', (t) => t.link(t.root, 'n', ino(t, 'd'))],
    ['rename nothing', 'ENOENT', (t) => t.rename(t.root, 'n', t.root, 'm')],
    ['rename nothing to 256 bytes', 'ENOENT', (t) => t.rename(t.root, 'n', t.root, 'x'.repeat(256))],
    ['rename to 256 bytes', 'ENAMETOOLONG', (t) => t.rename(t.root, 'f', t.root, 'x'.repeat(256))],
    ['walk to 256 bytes in nothing', 'ENOENT', (t) => resolveName(t, `n/${'x'.repeat(256)}`)],
    ['walk to 256 bytes', 'ENAMETOOLONG', (t) => resolveName(t, `d/${'x'.repeat(256)}`)],
    ['rename a directory over a file', 'ENOTDIR', (t) => t.rename(t.root, 'e', t.root, 'f')],
    ['rename a file over a directory', 'EISDIR', (t) => t.rename(t.root, 'f', t.root, 'e')],
    ['rename over a full directory', 'ENOTEMPTY', (t) => t.rename(t.root, 'e', t.root, 'd')],
    ['rename into itself', 'EINVAL', (t) => t.rename(t.root, 'd', ino(t, 'd'), 'y')],
    ['rename over its own parent', 'ENOTEMPTY', (t) => t.rename(ino(t, 'd'), 'x', t.root, 'd')],
    ['exchange with its own parent', 'EINVAL', (t) => t.rename(ino(t, 'd'), 'x', t.root, 'd', { exchange: true })],
    ['rename over something, noReplace', 'EEXIST', (t) => t.rename(t.root, 'f', ino(t, 'd'), 'x', { noReplace: true })],
    ['exchange with nothing', 'ENOENT', (t) => t.rename(t.root, 'f', t.root, 'n', { exchange: true })],
    ['exchange, noReplace', 'EINVAL', (t) => t.rename(t.root, 'f', t.root, 'e', { exchange: true, noReplace: true })],
    ['write a directory', 'EISDIR', (t) => t.writer(ino(t, 'd'))],
    ['write a symlink', 'EINVAL', (t) => t.writer(ino(t, 'l'))],
    ['open a directory', 'EISDIR', (t) => t.open(ino(t, 'd'))],
    ['readlink of a file', 'EINVAL', (t) => t.readlink(ino(t, 'f'))],
    ['remove an xattr that is not there', 'ENODATA', (t) => t.setXattr(ino(t, 'f'), 'user.x', undefined)],
    ['an xattr outside of the namespaces', 'EOPNOTSUPP', (t) => t.setXattr(ino(t, 'f'), 'x.y', new Uint8Array())],
    ['a user xattr on a symlink', 'EPERM', (t) => t.setXattr(ino(t, 'l'), 'user.x', new Uint8Array())],
    ['the mode of a symlink', 'EOPNOTSUPP', (t) => t.setAttributes(ino(t, 'l'), { mode: 0o600 })],
  ]
  test.each(cases)('%s: %s, and nothing changes', (_, code, act) => {
    const tree = make(spec)
    expect(codeOf(caught(() => act(tree)))).toBe(code)
    expect(upperPaths(tree)).toEqual([])
    expect(treeEntries(tree)).toEqual(treeEntries(plainTree(spec)))
  })
})

describe('times and modes', () => {
  test('what changes a directory sets its modify time, what reads does not', () => {
    const tree = make({ 'd/f': 'x', 'e/': {} })
    const [d, e] = [ino(tree, 'd'), ino(tree, 'e')]
    const times = () => [tree.stat(d).mtime, tree.stat(e).mtime]
    write(tree, 'd/f', 'y')
    tree.setAttributes(ino(tree, 'd/f'), { mode: 0o600 })
    expect(times()).toEqual([0n, 0n])
    tree.create(d, 'n', file)
    const [created] = times()
    expect(created).toBeGreaterThanOrEqual(1000n)
    tree.rename(d, 'n', e, 'n')
    expect(times()[0]).toBeGreaterThan(created!)
    expect(times()[1]).toBeGreaterThan(created!)
    const moved = times()
    tree.unlink(e, 'n')
    expect(times()[1]).toBeGreaterThan(moved[1]!)
  })

  test('a write sets the modify time, and a time set afterwards stays', () => {
    const tree = make({ a: 'x' })
    const number = ino(tree, 'a')
    const writer = tree.writer(number)
    writer.write(Buffer.from('y'), 0)
    expect(tree.stat(number).mtime).toBeGreaterThanOrEqual(1000n)
    tree.setAttributes(number, { mtime: 5n })
    writer.close()
    expect(tree.stat(number).mtime).toBe(5n)
  })

  test('a change of owner clears set-id bits of files as Linux does, and capabilities', () => {
    const tree = make({
      f: { content: 'x', mode: 0o6755, xattrs: { 'security.capability': 'c' } },
      g: { content: 'x', mode: 0o6744 },
      'd/': { mode: 0o6755 },
    })
    for (const path of ['f', 'g', 'd']) tree.setAttributes(ino(tree, path), { uid: 5 })
    expect(['f', 'g', 'd'].map((path) => tree.stat(ino(tree, path)).mode)).toEqual([0o755, 0o2744, 0o6755])
    expect(tree.xattrs(ino(tree, 'f')).size).toBe(0)
  })

  test('a write takes file capabilities away', () => {
    const tree = make({ f: { content: 'x', xattrs: { 'security.capability': 'c', 'user.k': 'k' } } })
    const writer = tree.writer(ino(tree, 'f'))
    expect(tree.xattrs(ino(tree, 'f')).size).toBe(2)
    writer.write(Buffer.from('y'), 0)
    writer.close()
    expect([...tree.xattrs(ino(tree, 'f')).keys()]).toEqual(['user.k'])
  })
})

describe('untouched', () => {
  test('is the lower inode until something at or under it changes', () => {
    const tree = make({ 'a/x': 'x', 'a/y/z': 'z', 'b/c': 'c' })
    const [a, y, b] = ['a', 'a/y', 'b'].map((path) => ino(tree, path)) as [number, number, number]
    tree.setAttributes(ino(tree, 'a/x'), { mode: 0 })
    expect([tree.root, a, y, b].map((each) => tree.untouched(each))).toEqual([undefined, undefined, y, b])
    expect(tree.untouched(ino(tree, 'a/x'))).toBeUndefined()
    tree.unlink(...at(tree, 'b/c'))
    expect(tree.untouched(b)).toBeUndefined()
  })

  test('H-11: a directory whose hardlink changed through another name is touched', () => {
    const tree = make({ a: 'x', 'd/e/b': { hardlink: 'a' }, 'f/g': 'g' })
    const [d, e, f] = ['d', 'd/e', 'f'].map((path) => ino(tree, path)) as [number, number, number]
    expect([d, e, f].map((each) => tree.untouched(each))).toEqual([d, e, f])
    write(tree, 'a', 'new')
    expect([d, e, f].map((each) => tree.untouched(each))).toEqual([undefined, undefined, f])
    const again = make({ a: 'x', 'd/e/b': { hardlink: 'a' }, 'f/g': 'g' }, tree.upper)
    expect([d, e, f].map((each) => again.untouched(each))).toEqual([undefined, undefined, f])
  })
})

describe('an upper that the union did not write', () => {
  test('a directory with a number of its own merges by its name, and its parts copy up under it', () => {
    const upper = memoryUpper()
    const d = upper.create(upper.root.ino, 'd', directory)
    upper.whiteout(d, 'gone')
    const tree = make({ 'd/gone': 'g', 'd/e/f': 'f' }, upper)
    expect(paths(tree)).toEqual(['', 'd', 'd/e', 'd/e/f'])
    expect(tree.parent(ino(tree, 'd/e'))).toBe(d)
    tree.setAttributes(ino(tree, 'd/e/f'), { mode: 0o600 })
    expect(upperPaths(tree)).toEqual(['d', 'd/e', 'd/e/f', '-d/gone'])
    tree.rename(tree.root, 'd', tree.root, 'n')
    expect(treeEntries(make({ 'd/gone': 'g', 'd/e/f': 'f' }, upper))).toEqual(treeEntries(tree))
  })

  test('an inode can be copied up by a number from before, when nobody looked its name up', () => {
    const spec = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`d${i % 7}/f${i}`, `${i}`]))
    const known = make(spec)
    const number = ino(known, 'd3/f31')
    const tree = make(spec)
    tree.setAttributes(number, { mode: 0o600 })
    expect(upperPaths(tree)).toEqual(['d3', 'd3/f31'])
    tree.setAttributes(ino(known, 'd3/f38'), { mode: 0o600 })
    expect(upperPaths(tree)).toEqual(['d3', 'd3/f31', 'd3/f38'])
  })

  test('a copied-up file shows the content of the upper, whoever copied it up', () => {
    const upper = memoryUpper()
    upper.copyUp(upper.root.ino, 'a', 2, { ...file }, memoryBytes(Buffer.from('up')))
    const tree = make({ a: 'low' }, upper)
    expect(contentAt(tree, 'a')).toBe('up')
  })
})
