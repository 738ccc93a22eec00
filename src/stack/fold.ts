import { type Device, IndexBuilder } from '../erofs/index.ts'
import type { IndexedView } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { ChainId } from '../model/digest.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { ByteSink } from '../stream/bytes.ts'
import { FoldedInodes } from './folded-inodes.ts'
import type { FoldedTree } from './folded-tree.ts'
import { StackedTree } from './stacked-tree.ts'

/** A merged index in the making: no whiteouts are left in it. */
export interface Fold {
  readonly builder: IndexBuilder
  /** The tars and spills it points into: a layer's once, however often it is in the stack, base first. */
  readonly devices: readonly Device[]
}

/**
 * Stacks views over a folded tree into one index. Folding a stack at once, or its layers one after another, gives the
 * same index byte for byte (layer-semantics A-02). Views and base stay open.
 *
 * Every inode keeps where it comes from: the layer (as the number of its tar) and the offset of its header.
 * @throws PLY_BAD_LAYER if a layer refers to what is not below it, PLY_ABORTED.
 */
export async function fold(
  views: readonly IndexedView[],
  base?: FoldedTree,
  { signal }: Operation = {},
): Promise<Fold> {
  const pace = new Pace(signal)
  const tree = new StackedTree(views, base)
  const devices = distinct([...(base?.devices ?? []), ...views.flatMap((view) => view.devices)])
  const builder = new IndexBuilder()
  const origins = base === undefined ? views : [base, ...views]
  if (origins.length === 0) return { builder, devices }
  const inodes = new FoldedInodes(tree, builder, origins, devices)
  inodes.setRoot()
  const waiting: { readonly ino: number; readonly id: number }[] = [{ ino: tree.root, id: builder.root }]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    const names: ByteString[] = []
    const ids: number[] = []
    for (const { name, ino, kind } of tree.list(directory.ino)) {
      const id = inodes.add(ino, kind)
      names.push(name)
      ids.push(id)
      if (kind === 'directory') waiting.push({ ino, id })
      if (pace.due()) await pace.rest()
    }
    builder.fill(directory.id, names, ids)
  }
  return { builder, devices }
}

/** What a folded index is made of, and whose it is. */
export interface TreeToWrite extends Operation {
  readonly chainId: ChainId
  readonly views: readonly IndexedView[]
  /** The tree of the stack below the views. */
  readonly base?: FoldedTree | undefined
}

/**
 * Writes the folded index of a stack, as `foldedTree` reads it and the kernel mounts it: one device a layer, or two, in the
 * order of `Fold.devices`. @throws as `fold` does.
 */
export async function writeTree(into: ByteSink, { chainId, views, base, signal }: TreeToWrite): Promise<void> {
  const { builder, devices } = await fold(views, base, { signal })
  await builder.write(into, { uuidSeed: chainId, devices, signal })
}

/** A layer can be in a stack twice. */
function distinct(devices: readonly Device[]): readonly Device[] {
  return [...new Map(devices.map((device) => [`${device.diffId} ${device.spill}`, device])).values()]
}
