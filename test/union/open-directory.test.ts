import { expect, test } from 'vitest'
import { codeOf } from '../../src/model/errors.ts'
import { type DirectoryHandle, openDirectory } from '../../src/union/directory-handle.ts'
import { plainTree } from '../support/plain-tree.ts'
import { directory, file, ino, make } from './make.ts'
import { caught } from './upper-contract.ts'

function names(handle: DirectoryHandle, from = 0): string[] {
  const found: string[] = []
  for (let offset = from; handle.at(offset) !== undefined; offset++) found.push(handle.at(offset)!.name)
  return found
}

test('an open directory begins with itself and its parent, with their numbers', () => {
  const tree = make({ 'd/e/a': 'x', 'd/e/b/': {} })
  const handle = openDirectory(tree, ino(tree, 'd/e'))
  expect(handle.at(0)).toEqual({ name: '.', ino: ino(tree, 'd/e'), kind: 'directory' })
  expect(handle.at(1)).toEqual({ name: '..', ino: ino(tree, 'd'), kind: 'directory' })
  expect(handle.at(2)).toEqual({ name: 'a', ino: ino(tree, 'd/e/a'), kind: 'file' })
  expect(handle.at(4)).toBeUndefined()
  const top = openDirectory(tree, tree.root)
  expect([top.at(0)?.ino, top.at(1)?.ino]).toEqual([tree.root, tree.root])
  expect(codeOf(caught(() => openDirectory(tree, ino(tree, 'd/e/a'))))).toBe('ENOTDIR')
  handle.close()
  handle.close()
  expect(codeOf(caught(() => handle.at(0)))).toBe('EBADF')
  expect(names(openDirectory(plainTree({ a: '' }), 1))).toEqual(['.', '..', 'a'])
})

test('what comes and goes meanwhile moves and repeats nothing, and a rewind shows it', () => {
  const tree = make({ b: '1', d: '2', f: '3', h: '4' })
  const handle = openDirectory(tree, tree.root)
  expect([0, 1, 2, 3].map((offset) => handle.at(offset)?.name)).toEqual(['.', '..', 'b', 'd'])
  tree.unlink(tree.root, 'b')
  tree.create(tree.root, 'a', file)
  tree.create(tree.root, 'e', file)
  tree.rename(tree.root, 'd', tree.root, 'z')
  const rest = names(handle, 4)
  expect(rest.filter((name) => name === 'f' || name === 'h')).toEqual(['f', 'h'])
  expect(new Set(rest).size).toBe(rest.length)
  expect(rest).not.toContain('d')
  expect(handle.at(3)?.name).toBe('d')
  handle.rewind()
  expect(names(handle)).toEqual(['.', '..', 'a', 'e', 'f', 'h', 'z'])
})

test('each entry of a directory that is emptied while it is read is told once', () => {
  const tree = make(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`d/${i}`, 'x'])))
  const dir = ino(tree, 'd')
  const handle = openDirectory(tree, dir)
  let removed = 0
  for (let offset = 2; ; offset++) {
    const entry = handle.at(offset)
    if (!entry) break
    tree.unlink(dir, entry.name)
    removed++
  }
  expect(removed).toBe(100)
  tree.rmdir(tree.root, 'd')
  handle.rewind()
  expect(names(handle)).toEqual([])
})

test('a removed directory stays open, has no links and lists nothing, whatever is made at its name', () => {
  for (const spec of [{ 'd/': {} }, {}]) {
    const tree = make(spec)
    const number = tree.lookup(tree.root, 'd') ?? tree.create(tree.root, 'd', directory)
    const handle = openDirectory(tree, number)
    tree.rmdir(tree.root, 'd')
    tree.create(tree.create(tree.root, 'd', directory), 'x', file)
    expect(names(handle)).toEqual([])
    expect(tree.stat(number).links).toBe(0)
    handle.close()
    expect(codeOf(caught(() => tree.stat(number)))).toBe('ENOENT')
  }
})

test('a directory that moves shows its new parent after a rewind', () => {
  const tree = make({ 'a/d/x': '', 'b/': {} })
  const handle = openDirectory(tree, ino(tree, 'a/d'))
  tree.rename(ino(tree, 'a'), 'd', ino(tree, 'b'), 'd')
  handle.rewind()
  expect(handle.at(1)?.ino).toBe(ino(tree, 'b'))
  expect(names(handle)).toEqual(['.', '..', 'x'])
})
