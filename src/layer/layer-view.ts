import { type Device, factBits, type Index } from '../erofs/index.ts'
import { type ByteString, compareBytes } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { type Bytes, memoryBytes, slice, zeroBytes } from '../stream/bytes.ts'
import { spillBytes } from './spill.ts'
import {
  type ContentPlace,
  type IndexedView,
  nothing,
  type Placed,
  type Provenance,
  type Verdict,
  whiteout,
} from './view.ts'

/**
 * What a layer says, read from its index. The tar is opened once, when content is first read, and closed with the view;
 * so is the index.
 *
 * What is a whiteout, and what is not, is a fact of the index; no name and no device number is looked at.
 *
 * @throws PLY_BAD_INDEX from any question, if the index is damaged
 */
export function layerView(index: Index, openTar: () => Bytes): IndexedView {
  return new IndexView(index, openTar)
}

class IndexView implements IndexedView {
  readonly root: Placed
  readonly devices: readonly Device[]
  readonly linksBelow: boolean
  readonly index: Index
  readonly #openTar: () => Bytes
  #tar: Bytes | undefined
  #spill: Bytes | undefined
  #closed = false
  /** By directory, in byte order of the names. */
  #links: ReadonlyMap<number, ReadonlyMap<ByteString, Verdict>> | undefined

  constructor(index: Index, openTar: () => Bytes) {
    this.index = index
    this.#openTar = openTar
    this.devices = index.devices
    this.linksBelow = index.externalLinks().length > 0
    this.root = placed(index.root, index.flags(index.root), 'directory')
  }

  lookup(directory: number, name: ByteString): Verdict {
    const ino = this.index.lookup(directory, name)
    if (ino !== undefined) return this.#verdict(ino, this.index.kind(ino))
    return this.#linksIn(directory)?.get(name) ?? nothing
  }

  *list(directory: number): Iterable<{ readonly name: ByteString; readonly verdict: Verdict }> {
    const links = this.#linksIn(directory)?.entries()
    let link = links?.next()
    for (const { name, ino, kind } of this.index.list(directory)) {
      while (link?.value !== undefined && link.value[0] < name) {
        yield { name: link.value[0], verdict: link.value[1] }
        link = links!.next()
      }
      yield { name, verdict: this.#verdict(ino, kind) }
    }
    while (link?.value !== undefined) {
      yield { name: link.value[0], verdict: link.value[1] }
      link = links!.next()
    }
  }

  stat(ino: number): Stat {
    return this.index.stat(ino)
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
    if (this.#closed) throw new PlyError('EBADF', { syscall: 'open' })
    const device = this.devices[extent.device]?.spill ? this.#openSpill() : this.#openedTar()
    if (extent.offset + size > device.size) {
      throw new PlyError('EIO', { syscall: 'open' }, { cause: new Error('the tar is shorter than its index says') })
    }
    return slice(device, extent.offset, size)
  }

  provenance(ino: number): Provenance {
    return { layer: this.#layer(this.index.layer(ino)), header: this.index.header(ino) }
  }

  place(ino: number): ContentPlace | undefined {
    if (this.index.kind(ino) !== 'file') return undefined
    const extent = this.index.extent(ino)
    if (extent === undefined) return undefined
    const { diffId: layer, spill } = this.devices[extent.device]!
    return spill ? { layer, offset: extent.offset, spill } : { layer, offset: extent.offset }
  }

  close(): void {
    this.#closed = true
    this.#tar?.close()
    this.index.close()
  }

  #verdict(ino: number, kind: Kind): Verdict {
    return verdictOf(ino, this.index.flags(ino), kind)
  }

  #openedTar(): Bytes {
    return (this.#tar ??= this.#openTar())
  }

  /** It reads the tar and the index, which this view closes. */
  #openSpill(): Bytes {
    const spill = (this.#spill ??= spillBytes(this.index, () => this.#openedTar()))
    if (spill === undefined) throw new PlyError('PLY_BAD_INDEX', { what: 'a layer', reason: 'it lacks its segments' })
    return spill
  }

  #layer(device: number) {
    const found = this.devices[device]
    if (found === undefined)
      throw new PlyError('PLY_BAD_INDEX', { what: 'a layer', reason: `there is no tar ${device}` })
    return found.diffId
  }

  #linksIn(directory: number): ReadonlyMap<ByteString, Verdict> | undefined {
    this.#links ??= this.#readLinks()
    return this.#links.get(directory)
  }

  #readLinks(): ReadonlyMap<number, ReadonlyMap<ByteString, Verdict>> {
    const all = new Map<number, Map<ByteString, Verdict>>()
    const sorted = [...this.index.externalLinks()].sort((a, b) => compareBytes(a.name, b.name))
    for (const { directory, name, path } of sorted) {
      let links = all.get(directory)
      if (links === undefined) all.set(directory, (links = new Map()))
      links.set(name, { says: 'link', path })
    }
    return all
  }
}

/** What stands at a name, by the flags of its inode (`factBits`). */
export function verdictOf(ino: number, flags: number, kind: Kind): Verdict {
  if (flags & factBits.whiteout) return whiteout
  if (flags & factBits.ghost) return { says: 'ghost', ino }
  return placed(ino, flags, kind)
}

function placed(ino: number, flags: number, kind: Kind): Placed {
  return {
    says: 'entry',
    ino,
    directory: kind === 'directory',
    kind,
    implied: (flags & factBits.implied) !== 0,
    opaque: (flags & factBits.opaque) !== 0,
  }
}
