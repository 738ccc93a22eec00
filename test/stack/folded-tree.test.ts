import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Index } from '../../src/erofs/index.ts'
import type { DiffId } from '../../src/model/digest.ts'
import { foldedTree, stackedTree } from '../../src/stack/index.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { kernelMount } from '../erofs/kernel-mount.ts'
import { temporary } from '../support/temporary.ts'
import { folded, foldedBytes, tarOf } from './folding.ts'
import { layerModel, modelView } from './layers.ts'
import { treeText } from './tree-text.ts'

const views = () =>
  [
    ['d/a:one', 'd/b:two', 'e/c', 'l->d/a'],
    ['d/.wh.b', 'd/f:three', 'h=d/a'],
    ['.wh.e', 'e/', 'e/g:four', 'k=d/b'].slice(0, 3),
  ].map((lines, layer) => modelView(layerModel(lines, layer), layer))

test('tars are opened when content is read, each once, and closed with the tree', async () => {
  const opened: DiffId[] = []
  const closed: DiffId[] = []
  const own = views()
  const tree = foldedTree(Index.open(memoryBytes(await foldedBytes(own))), ({ diffId }) => {
    opened.push(diffId)
    return { ...tarOf(own, diffId), close: () => void closed.push(diffId) }
  })
  const at = (path: string) => path.split('/').reduce((ino, part) => tree.lookup(ino, part)!, tree.root)
  expect(opened).toEqual([])
  const diffIds = own.map((view) => view.devices[0]!.diffId)
  for (const path of ['d/a', 'h', 'd/f', 'd/a']) {
    const content = tree.open(at(path))
    content.close()
    content.close()
  }
  expect(opened).toEqual([diffIds[0], diffIds[1]])
  const handle = tree.open(at('d/f'))
  const read = Buffer.alloc(100)
  expect(read.toString('latin1', 0, handle.read(read, 1))).toBe('hree')
  expect(tree.devices.map(({ diffId }) => diffId)).toEqual(diffIds)
  expect(() => tree.open(at('d'))).toThrow(expect.objectContaining({ code: 'EISDIR' }))
  expect(() => tree.open(at('l'))).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  const a = at('d/a')
  tree.close()
  tree.close()
  expect(closed).toEqual(opened)
  expect(() => tree.open(a)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})

test('a layer that is in a stack twice has one device', async () => {
  const [first, second] = views()
  const tree = await folded([first!, second!, first!])
  expect(tree.devices.map(({ diffId }) => diffId)).toEqual([first, second].map((view) => view!.devices[0]!.diffId))
  expect(treeText(tree)).toEqual(treeText(stackedTree([first!, second!, first!])))
})

test('nothing stacked is an empty directory with default attributes', async () => {
  const tree = stackedTree([])
  expect(tree.stat(tree.root)).toMatchObject({ kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0n, links: 2 })
  expect([...tree.list(tree.root)]).toEqual([])
  expect(treeText(await folded([]))).toEqual([])
})

test('closing a stack closes its sides', async () => {
  const closed: string[] = []
  const base = await folded(views().slice(0, 1))
  const baseClose = base.close.bind(base)
  base.close = () => {
    closed.push('base')
    baseClose()
  }
  stackedTree([{ ...views()[1]!, close: () => void closed.push('view') }], base).close()
  expect(closed).toEqual(['base', 'view'])
})

test('H-10: what is linked from above, and what lost a name, is counted over all layers', async () => {
  const stack = [
    ['a', 'b=a', 'c=a', 'x'],
    ['.wh.b', 'y=x', 'z=x'],
  ].map((lines, layer) => modelView(layerModel(lines, layer), layer))
  const tree = stackedTree(stack)
  const links = (name: string) => tree.stat(tree.lookup(tree.root, name)!).links
  expect(['a', 'c', 'x', 'y', 'z'].map(links)).toEqual([2, 2, 3, 3, 3])
  expect(tree.lookup(tree.root, 'y')).toBe(tree.lookup(tree.root, 'x'))
})

test('Linux mounts a folded tree with its tars and shows what we show', async (context) => {
  const own = views()
  const place = temporary()
  const target = join(place, 'mounted')
  mkdirSync(target)
  writeFileSync(join(place, 'tree'), await foldedBytes(own))
  const tars = own.map((view, number) => {
    const path = join(place, `tar${number}`)
    const tar = Buffer.alloc(view.devices[0]!.size)
    tarOf(own, view.devices[0]!.diffId).read(tar, 0)
    writeFileSync(path, tar)
    return path
  })
  const unmount = kernelMount(join(place, 'tree'), tars, target)
  if (typeof unmount === 'string') {
    console.warn(`not compared with Linux: ${unmount}`)
    return context.skip(unmount)
  }
  try {
    const shown = readdirSync(target, { recursive: true, withFileTypes: true }).map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const name = path.slice(target.length + 1)
      return entry.isFile() ? `${name} ${readFileSync(path)} ${statSync(path).nlink}` : name
    })
    expect(shown.sort()).toEqual(['d', 'd/a one 2', 'd/f three 1', 'e', 'e/g four 1', 'h one 2', 'l'])
  } finally {
    unmount()
  }
})
