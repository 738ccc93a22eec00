import { type Device, type Index, pageSize } from '../../erofs/index.ts'
import { type IndexedView, layerView, spillBytes } from '../../layer/index.ts'
import type { DiffId } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Bytes } from '../../stream/bytes.ts'
import { checkedBytes } from '../../stream/checked-bytes.ts'
import { HeldPages } from '../../stream/held-pages.ts'
import { crc32 } from '../../sys/crc32.ts'
import type { Disk } from '../../sys/disk.ts'
import { fileBytes } from '../../sys/file-bytes.ts'
import type { Layout } from '../layout.ts'
import { type CachedIndex, findIndex, openIndex } from './cached-index.ts'

/**
 * Pages of 64 KiB that stay in memory, of all open layers together: as many as the cache of a core has room for. To fill one that is not
 * there takes longer than what it saves its next readers, and in the order of a tar they come at once.
 */
const mostHeld = 16

/** What names a layer inside a store: its tar, and the blob it travels as. */
export interface LayerId {
  readonly diffId: DiffId
  readonly descriptor: Descriptor
}

export interface LayerFilesOptions {
  readonly disk: Disk
  readonly layout: Layout
  /** Whether damaged caches may be removed. */
  readonly writable: boolean
  /** The layers of stores below, which are only read: what is there is used, and not taken in again. */
  readonly below?: readonly LayerFiles[]
}

/**
 * Layers as they lie in a store, and in those below it: of each the index, which says what is in it, and the tar, which has the content.
 * Nothing is built here; what turns out to be damaged is removed, where this store may be written.
 */
export class LayerFiles {
  readonly layout: Layout
  protected readonly disk: Disk
  protected readonly writable: boolean
  readonly #below: readonly LayerFiles[]
  readonly #held = new HeldPages(mostHeld)
  /** Which of those below has a layer that was asked for. */
  readonly #lent = new Map<DiffId, LayerFiles>()

  constructor({ disk, layout, writable, below = [] }: LayerFilesOptions) {
    this.layout = layout
    this.disk = disk
    this.writable = writable
    this.#below = below
  }

  /**
   * What the layer says, name by name. The layer is `ready`; the caller closes the view. As long as that is open, no collection takes the
   * files of the layer: whoever looks now whether the tar is there may count on it.
   */
  view(id: LayerId): IndexedView {
    const home = this.homeOf(id)
    if (home !== this) return home.view(id)
    const index = openIndex(this.disk, { ...this.#cachedIndex(id), held: true })
    try {
      return layerView(index, () => this.tar(id))
    } catch (error) {
      index.close()
      throw error
    }
  }

  /**
   * The layer's tar, each page checked when it is first read. The layer is `ready`; the caller closes the bytes. A
   * cached tar that turns out to be damaged is removed, so that whoever opens it next gets it built anew.
   */
  tar(id: LayerId): Bytes {
    const home = this.homeOf(id)
    if (home !== this) return home.tar(id)
    const path = this.pathOfTar(id)
    const cached = id.descriptor.digest !== id.diffId
    const index = present(() => this.indexOf(id))
    let bytes: Bytes | undefined
    try {
      bytes = present(() => fileBytes(this.disk, path))
      const pages = index.tarPages()
      if (pages === undefined) return bytes
      const what = `the ${cached ? 'cached tar' : 'blob'} of layer ${id.diffId}`
      const advice = cached
        ? 'open it again and it is built anew'
        : 'remove the images that have it, collect, and import them again'
      const onDamage = () => cached && this.discard(path)
      const size = index.devices[0]?.size ?? 0
      if (bytes.size !== size) {
        onDamage()
        throw new PlyError('PLY_DAMAGED', { what, advice, page: Math.floor(Math.min(bytes.size, size) / pageSize) })
      }
      return checkedBytes(bytes, pages, { what, advice, onDamage, held: this.#held, crc32 })
    } catch (error) {
      bytes?.close()
      throw error
    } finally {
      index.close()
    }
  }

  /** What a device of a tree over the layer holds: its tar, or its spill, which is read from the tar. As `tar` otherwise. */
  content(id: LayerId, device: Device): Bytes {
    const { spill } = device
    const home = this.homeOf(id)
    if (home !== this) return home.content(id, device)
    if (!spill) return this.tar(id)
    const content = this.spillContent(id)
    if (content === undefined) {
      throw new PlyError('PLY_BAD_INDEX', { what: `layer ${id.diffId}`, reason: 'it lacks the segments of its spill' })
    }
    return content
  }

  /** Whether tar and index are on the disk and fit together. What is inside is checked when it is read. */
  isReady(id: LayerId): boolean {
    if (this.homeOf(id) !== this) return true
    const index = findIndex(this.disk, this.#cachedIndex(id))
    if (index === undefined) return false
    try {
      return this.hasTar(id, index.devices[0]?.size)
    } finally {
      index.close()
    }
  }

  /** Whether the layer's tar is there, with as many bytes as somebody knows that it has. */
  hasTar(id: LayerId, size: number | undefined): boolean {
    if (this.homeOf(id) !== this) return this.homeOf(id).hasTar(id, size)
    const tar = this.disk.fs.statSync(this.pathOfTar(id), { throwIfNoEntry: false })
    return tar?.isFile() === true && tar.size === size
  }

  /**
   * Whether tar and index are on the disk, and nothing more: a folded tree needs no layer's index before content is read, and
   * then what is damaged is told. Two questions to the disk, which hundreds of layers can afford; a `stat` costs three times as much.
   */
  hasContent(id: LayerId): boolean {
    return this.#hasOwn(id) || this.homeOf(id) !== this
  }

  /** Whose files of a layer are used: our own, where we have any. */
  homeOf(id: LayerId): LayerFiles {
    if (this.#below.length === 0 || this.#hasOwn(id)) return this
    const known = this.#lent.get(id.diffId)
    // What is not whole there is built here.
    const home = known ?? this.#below.find((lower) => lower.isReady(id))
    if (home === undefined) return this
    this.#lent.set(id.diffId, home)
    return home
  }

  /** What the spill holds, read from the tar; `undefined` if the layer has none. The layer is `ready`; the caller closes the bytes. */
  spillContent(id: LayerId): Bytes | undefined {
    const index = present(() => this.indexOf(id))
    let content: Bytes | undefined
    try {
      return (content = spillBytes(index, () => this.tar(id)))
    } finally {
      if (content === undefined) index.close()
    }
  }

  /** The tar may be a blob below of which only the index is here. */
  pathOfTar(id: LayerId): string {
    const own = this.ownTar(id)
    if (this.#below.length === 0 || this.disk.fs.existsSync(own)) return own
    const there = this.#below.map((lower) => lower.pathOfTar(id))
    return there.find((path) => this.disk.fs.existsSync(path)) ?? own
  }

  /** Where the tar lies in this store, or would: a blob that is the tar itself is not cached. */
  ownTar({ diffId, descriptor }: LayerId): string {
    return descriptor.digest === diffId ? this.layout.blobOf(diffId) : this.layout.tarOf(diffId)
  }

  /** The layer's index. The caller closes it. @throws ENOENT, PLY_BAD_INDEX if the layer is not `ready` */
  indexOf(id: LayerId): Index {
    const home = this.homeOf(id)
    if (home !== this) return home.indexOf(id)
    return openIndex(this.disk, this.#cachedIndex(id))
  }

  /** Removes a damaged cache, so that it is built anew. */
  discard(path: string): void {
    // Nothing below is ours to remove.
    if (this.writable && path.startsWith(this.layout.root)) this.disk.fs.rmSync(path, { force: true })
  }

  #hasOwn(id: LayerId): boolean {
    const { fs } = this.disk
    return fs.existsSync(this.layout.indexOf(id.diffId)) && fs.existsSync(this.pathOfTar(id))
  }

  #cachedIndex({ diffId }: LayerId): CachedIndex {
    return { path: this.layout.indexOf(diffId), of: diffId, what: `layer ${diffId}`, writable: this.writable }
  }
}

/** Opens what was there before. @throws EIO if somebody has removed it by hand: ENOENT would say that a file in the layer is not there */
function present<T>(open: () => T): T {
  try {
    return open()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    const { path } = error as { readonly path?: string }
    throw new PlyError('EIO', { syscall: 'open', ...(path !== undefined && { path }) }, { cause: error })
  }
}
