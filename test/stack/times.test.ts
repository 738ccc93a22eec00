import { expect, test } from 'vitest'
import { Index } from '../../src/erofs/index.ts'
import { chainIds } from '../../src/model/digest.ts'
import { foldedTree, stackedTree, type Tree, writeTree } from '../../src/stack/index.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { layerOf } from '../layer/layer.ts'
import { dir, file } from '../layer/parts.ts'
import { archive } from '../tar/raw.ts'

test('M-06: an implied directory takes its time from below, or has none', async () => {
  const below = archive(dir('d', { mtime: 5 }), dir('d/e', { mtime: 7 }), file('d/e/f', 'x', { mtime: 8 }))
  const above = archive(file('d/e/g', 'y', { mtime: 9 }), file('n/o/p', 'z', { mtime: 10 }))
  const views = [(await layerOf(below)).view, (await layerOf(above)).view]
  const chunks: Uint8Array[] = []
  const chainId = chainIds(views.flatMap(({ devices }) => devices.map(({ diffId }) => diffId))).at(-1)!
  await writeTree({ write: (chunk) => void chunks.push(chunk) }, { chainId, views })
  const folded = foldedTree(Index.open(memoryBytes(Buffer.concat(chunks))), () => memoryBytes(new Uint8Array(0)))
  const timeAt = (tree: Tree, path: string) =>
    tree.stat(path.split('/').reduce((directory, name) => tree.lookup(directory, name)!, tree.root)).mtime
  for (const tree of [stackedTree(views), folded]) {
    const paths = ['d', 'd/e', 'd/e/f', 'd/e/g', 'n', 'n/o', 'n/o/p']
    expect(paths.map((path) => Number(timeAt(tree, path) / 1_000_000_000n))).toEqual([5, 7, 8, 9, 0, 0, 10])
  }
})
