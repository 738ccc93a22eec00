import { appendFileSync, chmodSync, linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packTree, type Skipped } from '../../src/diff/index.ts'
import { directoryTree } from '../../src/extract/index.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { contentAt } from '../support/plain-tree.ts'
import { inside, isRoot, mountTmpfs, scratchDirectory } from './scratch.ts'

function at(tree: Tree, path: string): number {
  return path.split('/').reduce((directory, name) => tree.lookup(directory, name)!, tree.root)
}

const names = (tree: Tree, directory = tree.root) => [...tree.list(directory)].map(({ name }) => name)

test('N-07: names come in byte order, byte for byte', () => {
  const base = scratchDirectory()
  for (const name of ['b', 'a', 'é']) writeFileSync(join(base, name), '')
  writeFileSync(Buffer.concat([Buffer.from(`${base}/`), Buffer.from([0xff, 0xfe])]), 'bytes')
  const tree = directoryTree(base)
  expect(names(tree)).toEqual(['a', 'b', '\xc3\xa9', '\xff\xfe'])
  expect(contentAt(tree, '\xff\xfe')).toBe('bytes')
  expect(tree.lookup(tree.root, 'no such')).toBeUndefined()
})

test('E-09, H-10: names that share device and inode are one file, and only names in the tree count', () => {
  const base = scratchDirectory()
  mkdirSync(join(base, 'tree/deep'), { recursive: true })
  writeFileSync(join(base, 'outside'), 'x')
  linkSync(join(base, 'outside'), join(base, 'tree/one'))
  linkSync(join(base, 'outside'), join(base, 'tree/deep/two'))
  writeFileSync(join(base, 'tree/alone'), '')
  linkSync(join(base, 'tree/alone'), join(base, 'elsewhere'))
  const tree = directoryTree(join(base, 'tree'))
  expect(tree.stat(at(tree, 'one')).links).toBe(2)
  expect(at(tree, 'deep/two')).toBe(at(tree, 'one'))
  expect(tree.stat(at(tree, 'alone')).links).toBe(1)
  expect(tree.stat(tree.root).links).toBe(3)
  expect(tree.parent(at(tree, 'deep'))).toBe(tree.root)
})

test('symlinks are never followed inside, the given path is', () => {
  const base = scratchDirectory()
  mkdirSync(join(base, 'real'))
  symlinkSync('/', join(base, 'real/out'))
  symlinkSync('real', join(base, 'link'))
  const tree = directoryTree(join(base, 'link'))
  expect(tree.stat(at(tree, 'out')).kind).toBe('symlink')
  expect(tree.readlink(at(tree, 'out'))).toBe('/')
  expect(() => tree.list(at(tree, 'out'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
  expect(() => tree.open(at(tree, 'out'))).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => tree.open(tree.root)).toThrow(expect.objectContaining({ code: 'EISDIR' }))
  expect(() => directoryTree(join(base, 'none'))).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})

test('a file is no directory tree', () => {
  const path = join(scratchDirectory(), 'file')
  writeFileSync(path, '')
  expect(() => directoryTree(path)).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
})

test('T-09, E-10: sockets are shown, and skipped and listed when packed; whiteout names are refused', async () => {
  const base = scratchDirectory()
  const server = createServer().listen(join(base, 'socket'))
  await new Promise((listening) => server.once('listening', listening))
  const tree = directoryTree(base)
  expect(tree.stat(at(tree, 'socket')).kind).toBe('socket')
  const skipped: Skipped[] = []
  for await (const item of packTree(tree, { onSkipped: (one) => skipped.push(one) })) expect(item.path).toBe('')
  expect(skipped).toEqual([{ path: 'socket', rule: 'T-09' }])
  await new Promise((closed) => server.close(closed))

  writeFileSync(join(base, '.wh.x'), '')
  const pack = async () => {
    for await (const _ of packTree(directoryTree(base)));
  }
  await expect(pack()).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
})

test('E-12: a file that changes between looking and reading, or while it is read, is an error', () => {
  const base = scratchDirectory()
  for (const name of ['grows', 'goes', 'other', 'later']) writeFileSync(join(base, name), 'content')
  const tree = directoryTree(base)
  names(tree)
  appendFileSync(join(base, 'grows'), '!')
  rmSync(join(base, 'goes'))
  rmSync(join(base, 'other'))
  symlinkSync('later', join(base, 'other'))
  for (const name of ['grows', 'goes', 'other']) {
    expect(() => tree.open(at(tree, name)), name).toThrow(
      expect.objectContaining({ code: 'PLY_CHANGED', details: { path: `/${name}` } }),
    )
  }
  const content = tree.open(at(tree, 'later'))
  const half = Buffer.alloc(3)
  expect(content.read(half, 0)).toBe(3)
  chmodSync(join(base, 'later'), 0o600)
  writeFileSync(join(base, 'later'), 'CONTENT')
  expect(() => content.read(Buffer.alloc(4), 3)).toThrow(expect.objectContaining({ code: 'PLY_CHANGED' }))
  content.close()
  content.close()
  expect(() => content.read(half, 0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})

test('one file system: what is mounted inside is shown empty', (context) => {
  if (!isRoot) return context.skip('only root may mount')
  const base = scratchDirectory()
  mkdirSync(join(base, 'mnt'))
  mountTmpfs(join(base, 'mnt'), 'size=1m')
  writeFileSync(join(base, 'mnt/f'), '')
  const whole = directoryTree(base)
  const one = directoryTree(base, { oneFileSystem: true })
  expect(names(whole, at(whole, 'mnt'))).toEqual(['f'])
  expect(names(one, at(one, 'mnt'))).toEqual([])
  expect(inside(join(base, 'mnt'))).toEqual(['f'])
})

test('a large device number is read as the kernel means it', async (context) => {
  if (!isRoot) return context.skip('only root may make devices')
  const base = scratchDirectory()
  const { makeNode } = await import('../../src/sys/nodes.ts')
  makeNode(join(base, 'd'), { kind: 'block', major: 4095, minor: 1048575, mode: 0o600 })
  const tree = directoryTree(base)
  expect(tree.stat(at(tree, 'd'))).toMatchObject({ kind: 'block', major: 4095, minor: 1048575, size: 0 })
})
