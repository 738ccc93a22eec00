import { gzipSync } from 'node:zlib'
import { Index } from '../../src/erofs/index.ts'
import { type IndexedLayer, importLayer, LayerIndexer, layerView } from '../../src/layer/index.ts'
import type { IndexedView } from '../../src/layer/view.ts'
import { type ChainId, type DiffId, digestOf } from '../../src/model/digest.ts'
import { type FoldedTree, foldedTree, stackedTree, type Tree, writeTree } from '../../src/stack/index.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { inChunks } from '../support/collect.ts'
import type { Dice } from './seed.ts'

/** A layer that was imported. */
export interface Layer {
  readonly view: IndexedView
  readonly tar: Buffer
  readonly diffId: DiffId
}

/** How an archive arrives. */
export interface Arrival {
  readonly gzip: boolean
  /** Bytes of a chunk. */
  readonly chunk: number
}

export const atOnce: Arrival = { gzip: false, chunk: 1 << 16 }

export function someArrival(dice: Dice): Arrival {
  return { gzip: dice.once(20), chunk: dice.pick([1 << 16, 1 << 16, 4096, 513, 512, 511, 100]) }
}

/** Imports an archive. `strict`: whatever is odd about it is an error. */
export async function imported(
  tar: Buffer,
  { gzip, chunk }: Arrival,
  { strict }: { readonly strict: boolean },
): Promise<Layer> {
  let layer: IndexedLayer
  if (gzip) {
    const unpacked: Buffer[] = []
    const sink = { write: (bytes: Uint8Array) => void unpacked.push(Buffer.from(bytes)) }
    const blob = gzipSync(tar, { level: 1 })
    layer = await importLayer(
      inChunks(blob, chunk),
      { blob: { write() {} }, openTar: () => Promise.resolve(sink) },
      { strict },
    )
    if (!Buffer.concat(unpacked).equals(tar)) throw new Error('the tar is not what was compressed')
  } else {
    const indexer = new LayerIndexer({ strict })
    for (let at = 0; at < tar.length; at += chunk) indexer.push(tar.subarray(at, at + chunk))
    layer = indexer.finish()
  }
  const index = await bytesOf((sink) => layer.writeIndex(sink))
  const view = layerView(Index.open(memoryBytes(index)), () => memoryBytes(tar))
  return { view, tar, diffId: layer.diffId }
}

const chainId: ChainId = digestOf(Buffer.from('one name for all trees, so that their bytes can be compared'))

/** The bytes of the folded index of some layers over a tree. */
export function foldedBytes(layers: readonly Pick<Layer, 'view'>[], base?: FoldedTree): Promise<Buffer> {
  return bytesOf((sink) => writeTree(sink, { chainId, views: viewsOf(layers), base }))
}

export function viewsOf(layers: readonly Pick<Layer, 'view'>[]): IndexedView[] {
  return layers.map(({ view }) => view)
}

/** A folded tree from its bytes; `layers` are all whose tars it may read. */
export function openFolded(bytes: Buffer, layers: readonly Layer[]): FoldedTree {
  return foldedTree(Index.open(memoryBytes(bytes)), ({ diffId }) => {
    return memoryBytes(layers.find((layer) => layer.diffId === diffId)!.tar)
  })
}

/** The layers as one tree: resolved as it is walked, folded, or partly so. */
export async function merged(layers: readonly Layer[], dice: Dice): Promise<Tree> {
  const prefix = dice.below(layers.length + 1)
  if (prefix === 0) return stackedTree(viewsOf(layers))
  const base = openFolded(await foldedBytes(layers.slice(0, prefix)), layers)
  return prefix === layers.length ? base : stackedTree(viewsOf(layers.slice(prefix)), base)
}

async function bytesOf(write: (sink: { write(chunk: Uint8Array): void }) => Promise<void>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  await write({ write: (chunk) => void chunks.push(chunk) })
  return Buffer.concat(chunks)
}
