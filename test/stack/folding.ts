import { Index } from '../../src/erofs/index.ts'
import type { IndexedView } from '../../src/layer/view.ts'
import { chainIds, type DiffId, digestOf } from '../../src/model/digest.ts'
import { type FoldedTree, foldedTree, writeTree } from '../../src/stack/index.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'
import { modelTar } from './layers.ts'

/** The bytes of a folded index. */
export async function foldedBytes(views: readonly IndexedView[], base?: FoldedTree): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  const diffIds = [...(base?.devices ?? []), ...views.flatMap((view) => view.devices)].map(({ diffId }) => diffId)
  const chainId = chainIds(diffIds).at(-1) ?? digestOf(Buffer.alloc(0))
  await writeTree({ write: (chunk) => void chunks.push(chunk) }, { views, base, chainId })
  return Buffer.concat(chunks)
}

/** A folded tree over views of models; `all` are those whose tars it may read, when a base brings some. */
export async function folded(views: readonly IndexedView[], base?: FoldedTree, all = views): Promise<FoldedTree> {
  const bytes = await foldedBytes(views, base)
  return foldedTree(Index.open(memoryBytes(bytes)), ({ diffId }) => tarOf(all, diffId))
}

/** The tar of one of these views. */
export function tarOf(views: readonly IndexedView[], diffId: DiffId): Bytes {
  const view = views.find(({ devices }) => devices[0]!.diffId === diffId)!
  return memoryBytes(modelTar(view, filesOf(view)))
}

function filesOf(view: IndexedView): number[] {
  const files: number[] = []
  const walk = (directory: number) => {
    for (const { verdict } of view.list(directory)) {
      if (verdict.says === 'ghost') walk(verdict.ino)
      if (verdict.says !== 'entry') continue
      if (verdict.directory) walk(verdict.ino)
      else if (view.stat(verdict.ino).kind === 'file') files.push(verdict.ino)
    }
  }
  walk(view.root.ino)
  return files
}
