import { type Device, IndexBuilder, type NewInode } from '../erofs/index.ts'
import type { ContentPlace, IndexedView, Provenance } from '../layer/view.ts'
import type { ChainId, DiffId } from '../model/digest.ts'
import type { Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { ByteSink } from '../stream/bytes.ts'
import type { FoldedTree } from './folded-tree.ts'
import { StackedTree } from './stacked-tree.ts'

/** A merged index in the making: no whiteouts are left in it. */
export interface Fold {
  readonly builder: IndexBuilder
  /** The tars and spills it points into: a layer's once, however often it is in the stack, base first. */
  readonly devices: readonly Device[]
}

/** What a side of the fold can say of where its inodes come from; views and folded trees both can. */
interface Origin {
  provenance(ino: number): Provenance
  place(ino: number): ContentPlace | undefined
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
  const origins: readonly Origin[] = base === undefined ? views : [base, ...views]
  const devices = distinct([...(base?.devices ?? []), ...views.flatMap((view) => view.devices)])
  const numbers = new DeviceNumbers(devices)
  const builder = new IndexBuilder()
  /** Files that may have more than one name, and what they are in the builder. */
  const linked = new Map<number, number>()

  const describe = (ino: number, stat: Stat): NewInode => {
    const { side, ino: own } = tree.source(ino)
    return newInode(tree, ino, stat, origins[side]!, own, numbers)
  }
  const add = (ino: number): number => {
    const known = linked.get(ino)
    if (known !== undefined) return known
    const stat = tree.ownStat(ino)
    const id = builder.inode(describe(ino, stat))
    if (tree.mayBeLinked(stat)) linked.set(ino, id)
    return id
  }

  if (origins.length === 0) return { builder, devices }
  builder.setInode(builder.root, describe(tree.root, tree.ownStat(tree.root)))
  const waiting: { readonly ino: number; readonly id: number }[] = [{ ino: tree.root, id: builder.root }]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { name, ino, kind } of tree.list(directory.ino)) {
      const id = add(ino)
      builder.enter(directory.id, name, id)
      if (kind === 'directory') waiting.push({ ino, id })
      if (pace.due()) await pace.rest()
    }
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

function newInode(
  tree: StackedTree,
  ino: number,
  stat: Stat,
  origin: Origin,
  own: number,
  numbers: DeviceNumbers,
): NewInode {
  const { layer, header } = origin.provenance(own)
  const { kind, mode, uid, gid, mtime, size, major, minor } = stat
  const facts = { layer: numbers.of(layer), header, implied: kind === 'directory' && header === undefined }
  const common = { mode, uid, gid, mtime, xattrs: tree.xattrs(ino), facts }
  switch (kind) {
    case 'file': {
      const place = origin.place(own)
      if (place === undefined) return { kind, ...common, size }
      return { kind, ...common, size, extent: { device: numbers.of(place.layer, place.spill), offset: place.offset } }
    }
    case 'symlink':
      return { kind, ...common, target: tree.readlink(ino) }
    case 'character':
    case 'block':
      return { kind, ...common, major, minor }
    case 'directory':
    case 'fifo':
    case 'socket':
      return { kind, ...common }
    default:
      return kind satisfies never
  }
}

/** The numbers of devices, by the layer they are of. */
class DeviceNumbers {
  readonly #tars = new Map<DiffId, number>()
  readonly #spills = new Map<DiffId, number>()

  constructor(devices: readonly Device[]) {
    for (const [number, { diffId, spill }] of devices.entries()) (spill ? this.#spills : this.#tars).set(diffId, number)
  }

  of(layer: DiffId, spill = false): number {
    const number = (spill ? this.#spills : this.#tars).get(layer)
    if (number === undefined)
      throw new PlyError('PLY_BAD_INDEX', { what: layer, reason: 'it points into a device it does not name' })
    return number
  }
}

/** A layer can be in a stack twice. */
function distinct(devices: readonly Device[]): readonly Device[] {
  return [...new Map(devices.map((device) => [`${device.diffId} ${device.spill}`, device])).values()]
}
