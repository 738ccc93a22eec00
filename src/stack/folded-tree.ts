import type { Device, Index } from '../erofs/index.ts'
import type { ContentPlace, Provenance } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { type Bytes, memoryBytes, zeroBytes } from '../stream/bytes.ts'
import { type ContentDigests, type DigestMemory, placedDigests } from './content-digests.ts'
import { OpenDevices } from './open-devices.ts'
import type { Tree, TreeEntry } from './tree.ts'

/**
 * A stack of layers folded into one index (see `writeTree`): its inode numbers are the index's, which stay for as long
 * as the store format does.
 *
 * It needs nothing but its index to be walked. The devices (tars and spills) are opened one by one when content is first
 * read, kept open as `OpenDevices` says, and closed with the tree. What comes from a damaged index throws PLY_BAD_INDEX.
 */
export class FoldedTree implements Tree {
  readonly root: number
  /** The tars, base first, each followed by the spill of its layer where it has one. */
  readonly devices: readonly Device[]
  readonly index: Index
  readonly digests: ContentDigests | undefined
  readonly #contents: OpenDevices
  readonly #memory: DigestMemory | undefined

  constructor(index: Index, openDevice: (device: Device) => Bytes, memory?: DigestMemory) {
    this.root = index.root
    this.devices = index.devices
    this.index = index
    this.#contents = new OpenDevices((number) => openDevice(this.#device(number)))
    this.#memory = memory
    this.digests = memory && placedDigests(this, memory)
  }

  lookup(directory: number, name: ByteString): number | undefined {
    return this.index.lookup(directory, name)
  }

  list(directory: number): Iterable<TreeEntry> {
    return this.index.list(directory)
  }

  parent(directory: number): number {
    return this.index.parent(directory)
  }

  stat(ino: number): Stat {
    return this.index.stat(ino)
  }

  kind(ino: number): Kind {
    return this.index.kind(ino)
  }

  readlink(ino: number): ByteString {
    return this.index.readlink(ino)
  }

  xattrs(ino: number): Xattrs {
    return this.index.xattrs(ino)
  }

  open(ino: number): Bytes {
    const extent = this.index.extent(ino)
    const size = this.index.size(ino)
    if (extent === undefined) return size === 0 ? memoryBytes(new Uint8Array(0)) : zeroBytes(size)
    return this.#contents.run(extent.device, extent.offset, size)
  }

  /** Which layer the inode's attributes come from. */
  provenance(ino: number): Provenance {
    return { layer: this.#device(this.index.layer(ino)).diffId, header: this.index.header(ino) }
  }

  /** Where a file's content lies; `undefined` where it has no bytes in a device. @throws EISDIR, EINVAL */
  place(ino: number): ContentPlace | undefined {
    const extent = this.index.extent(ino)
    if (extent === undefined) return undefined
    const { diffId: layer, spill } = this.#device(extent.device)
    return spill ? { layer, offset: extent.offset, spill } : { layer, offset: extent.offset }
  }

  close(): void {
    this.#contents.close()
    this.index.close()
    this.#memory?.close()
  }

  #device(number: number): Device {
    const found = this.devices[number]
    if (found === undefined)
      throw new PlyError('PLY_BAD_INDEX', { what: 'a tree', reason: `there is no layer ${number}` })
    return found
  }
}

/** A tree over a folded index. `openDevice` answers with the tar or the spill of a layer, which the tree closes. */
export function foldedTree(index: Index, openDevice: (device: Device) => Bytes): FoldedTree {
  return new FoldedTree(index, openDevice)
}
