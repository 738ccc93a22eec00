import { contentFormat, contentKey } from '../../layer/content-sums.ts'
import type { IndexedView } from '../../layer/view.ts'
import type { DiffId } from '../../model/digest.ts'
import type { Operation } from '../../model/operation.ts'
import { completeContents, type DigestMemory, filesOfLayer } from '../../stack/content-digests.ts'
import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import { SumsFile } from './sums-file.ts'

/** The digests of one layer's contents, as long as somebody uses them. */
interface Open {
  readonly file: SumsFile
  users: number
  /** Whether somebody compared contents before this was opened. */
  readonly before: boolean
  now: boolean
}

/**
 * Digests of contents by layer (`cache/layers/<diffid>.sums`): computed when first asked for, for every tree that the
 * layer is in. A file without digests says that contents have been compared, so that those who compare them again do well to hash them.
 */
export class LayerDigests {
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #writable: boolean
  readonly #open = new Map<DiffId, Open>()

  constructor({
    disk,
    layout,
    writable,
  }: {
    readonly disk: Disk
    readonly layout: Layout
    readonly writable: boolean
  }) {
    this.#disk = disk
    this.#layout = layout
    this.#writable = writable
  }

  /** What is known, and will be kept, of all layers; for one tree, which closes it. */
  memory(): DigestMemory {
    const used = new Map<DiffId, Open>()
    const key = Buffer.allocUnsafeSlow(16)
    let closed = false
    const openOf = (layer: DiffId): Open => {
      let open = used.get(layer)
      if (open === undefined) {
        used.set(layer, (open = this.#enter(layer)))
        open.users++
      }
      return open
    }
    return {
      known: (place, size) => (closed ? undefined : openOf(place.layer).file.get(contentKey(key, place, size))),
      remember(place, size, digest) {
        if (!closed) openOf(place.layer).file.set(contentKey(key, place, size), digest)
      },
      compared(layer) {
        if (closed) return false
        const open = openOf(layer)
        open.now = true
        return open.before
      },
      close: () => {
        if (closed) return
        closed = true
        for (const [layer, open] of used) {
          if (open.now) open.file.begin()
          open.file.flush()
          if (--open.users === 0) this.#open.delete(layer)
        }
      },
    }
  }

  /**
   * Sees to it that the digests of all that a layer holds are known, whether a layer above hides it or not, reading its
   * tar once from start to end. @throws PLY_ABORTED; what was read until then is known
   */
  async complete(view: IndexedView, operation: Operation = {}): Promise<void> {
    const memory = this.memory()
    try {
      await completeContents(view, filesOfLayer(view), memory, operation)
    } finally {
      memory.close()
    }
  }

  #enter(layer: DiffId): Open {
    let open = this.#open.get(layer)
    if (open === undefined) {
      const { tmp } = this.#layout
      const path = this.#layout.sumsOf(layer)
      const file = new SumsFile({
        disk: this.#disk,
        path,
        tmp,
        format: contentFormat(layer),
        writable: this.#writable,
      })
      this.#open.set(layer, (open = { file, users: 0, before: this.#disk.fs.existsSync(path), now: false }))
    }
    return open
  }
}
