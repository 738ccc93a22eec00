import type { Device, IndexBuilder } from '../erofs/index.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { type Bytes, memoryBytes, slice, zeroBytes } from '../stream/bytes.ts'
import { verdictOf } from './layer-view.ts'
import { type ContentPlace, type IndexedView, nothing, type Placed, type Provenance, type Verdict } from './view.ts'

interface Said {
  readonly name: ByteString
  readonly verdict: Verdict
}

/**
 * What a layer says whose contents all lie in its tar, from what its index would be made of: the same as `layerView` of that
 * index, but for the numbers of inodes, without the index being written and read. All of it stays in memory. The builder is
 * finished: nothing may be added to it any more.
 */
export class BuiltView implements IndexedView {
  readonly root: Placed
  readonly devices: readonly Device[]
  readonly linksBelow: boolean
  readonly #builder: IndexBuilder
  readonly #tar: Bytes
  /** Names of each inode, counted when one is asked for. */
  #links: Uint32Array | undefined

  constructor(builder: IndexBuilder, tar: Bytes, device: Device, linksBelow: boolean) {
    this.#builder = builder
    this.#tar = tar
    this.devices = [device]
    this.linksBelow = linksBelow
    this.root = this.#verdict(builder.root) as Placed
  }

  lookup(directory: number, name: ByteString): Verdict {
    const id = this.#builder.child(this.#directory(directory), name)
    if (id !== undefined) return this.#verdict(id)
    const path = this.#builder.externalPath(directory - 1, name)
    return path === undefined ? nothing : { says: 'link', path }
  }

  list(directory: number): Iterable<Said> {
    const names: ByteString[] = []
    for (const [name] of this.#builder.children(this.#directory(directory))) names.push(name)
    for (const [name] of this.#builder.externalLinks(directory - 1)) names.push(name)
    // Without a comparison function strings are ordered by code unit, which in byte strings is the byte.
    return names.sort().map((name) => ({ name, verdict: this.lookup(directory, name) }))
  }

  stat(ino: number): Stat {
    this.#links ??= this.#countLinks()
    return this.#builder.stat(ino - 1, ino, this.#links[ino - 1]!)
  }

  kind(ino: number): Kind {
    return this.#builder.kind(ino - 1)
  }

  readlink(ino: number): ByteString {
    if (this.kind(ino) !== 'symlink') throw new PlyError('EINVAL', { syscall: 'readlink' })
    return this.#builder.target(ino - 1)
  }

  xattrs(ino: number): Xattrs {
    return this.#builder.xattrs(ino - 1)
  }

  open(ino: number): Bytes {
    const { kind, size } = this.stat(ino)
    if (kind !== 'file') throw new PlyError(kind === 'directory' ? 'EISDIR' : 'EINVAL', { syscall: 'open' })
    const extent = this.#builder.extent(ino - 1)
    if (extent === undefined) return size === 0 ? memoryBytes(new Uint8Array(0)) : zeroBytes(size)
    return slice(this.#tar, extent.offset, size)
  }

  provenance(ino: number): Provenance {
    return { layer: this.devices[0]!.diffId, header: this.#builder.facts(ino - 1).header }
  }

  place(ino: number): ContentPlace | undefined {
    const extent = this.kind(ino) === 'file' ? this.#builder.extent(ino - 1) : undefined
    return extent && { layer: this.devices[0]!.diffId, offset: extent.offset }
  }

  close(): void {
    this.#tar.close()
  }

  /** Numbers of inodes are one more than the builder's, so that none is 0. */
  #verdict(id: number): Verdict {
    return verdictOf(id + 1, this.#builder.flags(id), this.#builder.kind(id))
  }

  #directory(ino: number): number {
    if (this.kind(ino) !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'scandir' })
    return ino - 1
  }

  #countLinks(): Uint32Array {
    const builder = this.#builder
    const links = new Uint32Array(builder.count)
    const waiting = [builder.root]
    links[builder.root] = 2
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      for (const [, id] of builder.children(directory)) {
        if (builder.kind(id) !== 'directory') links[id]!++
        else {
          links[directory]!++
          links[id] = 2
          waiting.push(id)
        }
      }
    }
    return links
  }
}
