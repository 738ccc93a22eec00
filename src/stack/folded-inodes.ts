import { type Device, factBits, type Index, type IndexBuilder, InodeRow, type NewInode } from '../erofs/index.ts'
import type { ContentPlace, Provenance } from '../layer/view.ts'
import type { DiffId } from '../model/digest.ts'
import type { Kind, Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { ownNumber, sideOf } from './inode-numbers.ts'
import type { StackedTree } from './stacked-tree.ts'

/** What a side of a fold can say of where its inodes come from; views and folded trees both can. */
export interface Origin {
  readonly devices: readonly Device[]
  /** Where all of it stands, under the same numbers. */
  readonly index?: Index
  provenance(ino: number): Provenance
  place(ino: number): ContentPlace | undefined
}

/** A side whose inodes stand in an index, and the numbers that its devices have in the fold. */
interface Copied {
  readonly index: Index
  /** Of all devices, by the side's own numbers. */
  readonly contents: readonly number[]
  /** Of the tars of their layers. */
  readonly layers: readonly number[]
}

/**
 * Puts the inodes of a stack into a builder, each once however many names it has. Those that stand in an index are copied
 * as they stand there, number by number; of any other the side is asked, which takes longer.
 */
export class FoldedInodes {
  readonly #tree: StackedTree
  readonly #builder: IndexBuilder
  readonly #origins: readonly Origin[]
  readonly #numbers: DeviceNumbers
  readonly #copied: readonly (Copied | undefined)[]
  readonly #row = new InodeRow()
  /** Files that may have more than one name, and what they are in the builder. */
  readonly #linked = new Map<number, number>()

  constructor(tree: StackedTree, builder: IndexBuilder, origins: readonly Origin[], devices: readonly Device[]) {
    this.#tree = tree
    this.#builder = builder
    this.#origins = origins
    const numbers = new DeviceNumbers(devices)
    this.#numbers = numbers
    this.#copied = origins.map(({ index, devices: own }) => {
      if (index === undefined) return undefined
      return {
        index,
        contents: own.map(({ diffId, spill }) => numbers.of(diffId, spill)),
        layers: own.map(({ diffId }) => numbers.of(diffId)),
      }
    })
  }

  setRoot(): void {
    this.#builder.setInode(this.#builder.root, this.#describe(this.#tree.root, this.#tree.ownStat(this.#tree.root)))
  }

  /** The number of an inode in the builder. */
  add(ino: number, kind: Kind): number {
    if (kind === 'directory') return this.#enter(ino, kind)
    return this.#linked.get(ino) ?? this.#enter(ino, kind)
  }

  #enter(ino: number, kind: Kind): number {
    const copied = this.#copied[sideOf(ino)]
    if (copied !== undefined) return this.#copy(ino, kind, copied)
    const stat = this.#tree.ownStat(ino)
    return this.#remember(ino, kind, stat.links, this.#builder.inode(this.#describe(ino, stat)))
  }

  #copy(ino: number, kind: Kind, { index, contents, layers }: Copied): number {
    const row = this.#row
    const own = ownNumber(ino)
    index.load(own, row)
    row.device = contents[row.device] ?? 0
    const layer = layers[row.layer]
    if (layer === undefined)
      throw new PlyError('PLY_BAD_INDEX', { what: 'a layer', reason: `there is no tar ${row.layer}` })
    row.layer = layer
    // What else a layer says of a directory has been heeded.
    row.flags = kind === 'directory' && row.header < 0 ? factBits.implied : 0
    return this.#remember(ino, kind, row.links, this.#builder.copy(row, index, own))
  }

  #remember(ino: number, kind: Kind, links: number, id: number): number {
    if (this.#tree.mayBeLinked(kind, links)) this.#linked.set(ino, id)
    return id
  }

  #describe(ino: number, { kind, mode, uid, gid, mtime, size, major, minor }: Stat): NewInode {
    const tree = this.#tree
    const { side, ino: own } = tree.source(ino)
    const origin = this.#origins[side]!
    const { layer, header } = origin.provenance(own)
    const facts = { layer: this.#numbers.of(layer), header, implied: kind === 'directory' && header === undefined }
    const common = { mode, uid, gid, mtime, xattrs: tree.xattrs(ino), facts }
    switch (kind) {
      case 'file': {
        const place = origin.place(own)
        if (place === undefined) return { kind, ...common, size }
        const device = this.#numbers.of(place.layer, place.spill)
        return { kind, ...common, size, extent: { device, offset: place.offset } }
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
