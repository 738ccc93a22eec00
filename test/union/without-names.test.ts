import { describe, expect, test } from 'vitest'
import { bytesOf } from '../../src/model/bytes.ts'
import { codeOf } from '../../src/model/errors.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import { contentAt, treeEntries } from '../support/plain-tree.ts'
import { at, directory, file, ino, make, upperPaths, write } from './make.ts'
import { caught, contentOf } from './upper-contract.ts'

describe('a file that was unlinked while open', () => {
  for (const [from, prepare] of [
    ['below', (tree: ReturnType<typeof make>) => ino(tree, 'a')],
    [
      'below, changed',
      (tree: ReturnType<typeof make>) => {
        tree.setAttributes(ino(tree, 'a'), { uid: 3 })
        return ino(tree, 'a')
      },
    ],
    [
      'above',
      (tree: ReturnType<typeof make>) => {
        write(tree, 'a', 'content')
        return ino(tree, 'a')
      },
    ],
  ] as const) {
    test(`from ${from}, answers everything by number until the last handle closes`, () => {
      const tree = make({ a: { content: 'content', mode: 0o640, xattrs: { 'user.a': '1' } } })
      const number = prepare(tree)
      const reader = tree.open(number)
      tree.unlink(tree.root, 'a')
      expect(tree.stat(number)).toMatchObject({ ino: number, kind: 'file', size: 7, links: 0, mode: 0o640 })
      expect([...tree.xattrs(number).keys()]).toEqual(['user.a'])
      tree.setAttributes(number, { mode: 0o600, uid: 9, mtime: 5n, atime: 6n })
      tree.setXattr(number, 'user.b', bytesOf('2'))
      tree.setXattr(number, 'user.a', undefined)
      expect(tree.stat(number)).toMatchObject({ mode: 0o600, uid: 9, mtime: 5n, atime: 6n })
      expect(tree.stat(number).ctime! > 5n).toBe(true)
      expect([...tree.xattrs(number).keys()]).toEqual(['user.b'])
      expect(codeOf(caught(() => tree.setXattr(number, 'user.a', undefined)))).toBe('ENODATA')
      expect(codeOf(caught(() => tree.readlink(number)))).toBe('EINVAL')
      expect(codeOf(caught(() => tree.link(tree.root, 'b', number)))).toBe('ENOENT')

      const other = tree.open(number)
      expect(contentOf(other)).toBe('content')
      const writer = tree.writer(number)
      writer.write(bytesOf('CON'), 0)
      writer.write(bytesOf('!'), 7)
      expect(tree.stat(number)).toMatchObject({ size: 8 })
      expect(tree.stat(number).mtime > 5n).toBe(true)
      writer.close()
      expect(reader.size).toBe(8)
      const truncated = tree.writer(number, { truncate: true })
      expect(reader.size).toBe(0)
      truncated.write(bytesOf('end'), 0)
      truncated.close()
      expect(tree.lookup(tree.root, 'a')).toBeUndefined()
      tree.sync()
      expect(contentOf(reader)).toBe('end')
      for (const ask of [
        () => tree.stat(number),
        () => tree.open(number),
        () => tree.xattrs(number),
        () => tree.writer(number),
        () => tree.hold(number),
        () => tree.setAttributes(number, { mode: 0 }),
      ])
        expect(codeOf(caught(ask))).toBe('ENOENT')
      expect(upperPaths(tree)).toEqual(['-a'])
    })
  }

  test('goes on being written through the handle that wrote it, and is read by a later one', () => {
    const tree = make({})
    const number = tree.create(tree.root, 'a', file)
    const writer = tree.writer(number)
    writer.write(bytesOf('before'), 0)
    tree.rename(tree.root, 'a', tree.root, 'b')
    tree.create(tree.root, 'c', file)
    tree.rename(tree.root, 'c', tree.root, 'b')
    const reader = tree.open(number)
    writer.write(bytesOf(' after'), 6)
    writer.close()
    expect(contentOf(reader)).toBe('before after')
  })

  test('is held without being open, whatever kind it is', () => {
    const tree = make({ l: { kind: 'symlink', target: 'x' }, 'd/': { xattrs: { 'user.d': '1' } }, a: 'content' })
    const numbers = ['l', 'd', 'a'].map((path) => ino(tree, path))
    const releases = numbers.map((number) => tree.hold(number))
    tree.unlink(tree.root, 'l')
    tree.rmdir(tree.root, 'd')
    tree.unlink(tree.root, 'a')
    const [link, dir, plain] = numbers as [number, number, number]
    expect(tree.readlink(link)).toBe('x')
    tree.setAttributes(dir, { mode: 0o711 })
    expect(tree.stat(dir)).toMatchObject({ kind: 'directory', links: 0, mode: 0o711 })
    expect([...tree.xattrs(dir).keys()]).toEqual(['user.d'])
    expect([...tree.list(dir)]).toEqual([])
    expect(codeOf(caught(() => tree.create(dir, 'x', file)))).toBe('ENOENT')
    expect(codeOf(caught(() => tree.lookup(dir, 'x')))).toBe('ENOENT')
    expect(codeOf(caught(() => tree.open(dir)))).toBe('EISDIR')
    expect(codeOf(caught(() => tree.writer(dir)))).toBe('EISDIR')
    expect(contentOf(tree.open(plain))).toBe('content')
    const writer = tree.writer(plain)
    writer.write(bytesOf('x'), 0)
    writer.close()
    for (const release of releases) {
      release()
      release()
    }
    for (const number of numbers) expect(codeOf(caught(() => tree.stat(number)))).toBe('ENOENT')
  })

  test('takes no memory of the upper once it is closed', () => {
    const upper = memoryUpper()
    const tree = make({ a: 'x'.repeat(100_000) }, upper)
    const before = upper.room().free
    const reader = tree.open(ino(tree, 'a'))
    tree.unlink(tree.root, 'a')
    const writer = tree.writer(ino2(reader))
    writer.write(bytesOf('y'), 0)
    expect(upper.room().free < before).toBe(true)
    writer.close()
    reader.close()
    expect(upper.room().free).toBe(before)
  })
})

function ino2(handle: object): number {
  return (handle as { readonly ino: number }).ino
}

describe('a file that was made without a name', () => {
  const creation = { ...file, kind: 'file', mode: 0o600, uid: 4, xattrs: new Map([['user.a', bytesOf('1')]]) } as const

  test('copies its directory up, is nowhere, and goes when it is closed', () => {
    const tree = make({ 'd/x': 'x' })
    const before = treeEntries(tree)
    const { ino: number, content } = tree.unnamed(ino(tree, 'd'), creation)
    content.write(bytesOf('abc'), 0)
    expect(tree.stat(number)).toMatchObject({ kind: 'file', mode: 0o600, uid: 4, size: 3, links: 0 })
    expect([...tree.xattrs(number).keys()]).toEqual(['user.a'])
    expect(upperPaths(tree)).toEqual(['d'])
    expect(treeEntries(tree)).toEqual(before)
    expect(contentOf(tree.open(number))).toBe('abc')
    content.close()
    expect(codeOf(caught(() => tree.stat(number)))).toBe('ENOENT')
    expect(codeOf(caught(() => tree.unnamed(ino(tree, 'd/x'), creation)))).toBe('ENOTDIR')
  })

  test('row 24: is linked with all that was done to it, and its handles go on', () => {
    const upper = memoryUpper()
    const tree = make({ gone: 'x', 'd/': {} }, upper)
    tree.unlink(tree.root, 'gone')
    const { ino: number, content } = tree.unnamed(tree.root, creation)
    content.write(bytesOf('before '), 0)
    tree.setAttributes(number, { mode: 0o4711, gid: 8, mtime: 5n, atime: 6n })
    tree.setXattr(number, 'user.b', bytesOf('2'))
    const reader = tree.open(number)
    const other = tree.writer(number)
    tree.link(tree.root, 'gone', number)
    expect(ino(tree, 'gone')).toBe(number)
    expect(tree.stat(number)).toMatchObject({ mode: 0o4711, uid: 4, gid: 8, mtime: 5n, atime: 6n, links: 1 })
    expect([...tree.xattrs(number).keys()].sort()).toEqual(['user.a', 'user.b'])
    content.write(bytesOf('after'), 7)
    content.close()
    expect(contentOf(reader)).toBe('before after')
    other.write(bytesOf('B'), 0)
    other.close()
    tree.link(ino(tree, 'd'), 'second', number)
    expect(tree.stat(number).links).toBe(2)
    expect(contentAt(tree, 'd/second')).toBe('Before after')
    expect(treeEntries(make({ gone: 'x', 'd/': {} }, upper))).toEqual(treeEntries(tree))
    for (const path of ['gone', 'd/second']) tree.unlink(...at(tree, path))
    expect(codeOf(caught(() => tree.stat(number)))).toBe('ENOENT')
  })

  test('is never linked if it was made exclusive, nor over what is there', () => {
    const tree = make({ a: 'x' })
    const exclusive = tree.unnamed(tree.root, creation, { exclusive: true })
    expect(codeOf(caught(() => tree.link(tree.root, 'b', exclusive.ino)))).toBe('ENOENT')
    const other = tree.unnamed(tree.root, creation)
    expect(codeOf(caught(() => tree.link(tree.root, 'a', other.ino)))).toBe('EEXIST')
    tree.link(tree.root, 'b', other.ino)
    other.content.close()
    expect(contentAt(tree, 'b')).toBe('')
  })

  test('is unlinked again while it is open, and still answers', () => {
    const tree = make({})
    const { ino: number, content } = tree.unnamed(tree.root, creation)
    tree.link(tree.root, 'a', number)
    tree.unlink(tree.root, 'a')
    expect(tree.stat(number).links).toBe(0)
    content.write(bytesOf('x'), 0)
    expect(contentOf(tree.open(number))).toBe('x')
    expect(codeOf(caught(() => tree.link(tree.root, 'b', number)))).toBe('ENOENT')
    content.close()
  })

  test('numbers are not used again', () => {
    const tree = make({})
    const { ino: number, content } = tree.unnamed(tree.root, creation)
    content.close()
    expect(tree.create(tree.root, 'a', directory)).not.toBe(number)
  })
})

test('a copy of attributes alone that is unlinked while it is open keeps what it reads', () => {
  const tree = make({ a: 'content' })
  const number = ino(tree, 'a')
  const reader = tree.open(number)
  tree.setAttributes(number, { mode: 0o600 })
  expect(tree.upper.hasContent(number)).toBe(false)
  tree.unlink(tree.root, 'a')
  expect(contentOf(tree.open(number))).toBe('content')
  expect(contentOf(reader)).toBe('content')
})
