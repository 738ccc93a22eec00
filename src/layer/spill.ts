import type { Extent, Index, SpillSegments } from '../erofs/index.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Bytes } from '../stream/bytes.ts'
import { sparseBytes } from '../stream/sparse-bytes.ts'
import type { SparseMap } from '../tar/index.ts'
import { type LayerLimits, overBudget } from './limits.ts'

/** Where in the spill a file may begin: what the kernel maps is whole pages. */
const alignment = 4096

const tarDevice = 0
const spillDevice = 1

/**
 * The spill of a layer in the making: one device in which the content of each sparse file is one run, as an index needs it
 * (layer-semantics S-05). Nothing is written: what of it lies where in the tar is enough to read it. 24 bytes a run.
 */
export class Spill implements SpillSegments {
  readonly #limits: LayerLimits
  count = 0
  /** Bytes. */
  size = 0
  spill = new Float64Array(0)
  tar = new Float64Array(0)
  length = new Float64Array(0)

  constructor(limits: LayerLimits) {
    this.#limits = limits
  }

  /**
   * Where the content of a sparse file lies; `undefined` if nothing of it is stored. What is stored as a whole stays where it is
   * in the tar. @throws PLY_BUDGET for more runs in a layer than it may have entries
   */
  place(entry: ByteString, size: number, map: SparseMap): Extent | undefined {
    if (map.count === 0) return undefined
    if (map.count === 1 && map.length[0] === size) return { device: tarDevice, offset: map.stored[0]! }
    const end = this.count + map.count
    if (end > this.#limits.entries) {
      throw overBudget(entry, 'the number of runs in all sparse files', this.#limits, 'entries')
    }
    this.#reserve(end)
    const offset = this.size
    for (let i = 0; i < map.count; i++) this.spill[this.count + i] = offset + map.logical[i]!
    this.tar.set(map.stored, this.count)
    this.length.set(map.length, this.count)
    this.count = end
    this.size = Math.ceil((offset + size) / alignment) * alignment
    return { device: spillDevice, offset }
  }

  /** A place for a file that is one run of the tar, from `stored`, but cannot be read there. */
  placeWhole(size: number, stored: number): Extent {
    this.#reserve(this.count + 1)
    const offset = this.size
    this.spill[this.count] = offset
    this.tar[this.count] = stored
    this.length[this.count] = size
    this.count++
    this.size = Math.ceil((offset + size) / alignment) * alignment
    return { device: spillDevice, offset }
  }

  #reserve(count: number): void {
    if (count <= this.spill.length) return
    // A file with many runs usually is the only one.
    const room = Math.max(count, Math.min(2 * this.spill.length, this.#limits.entries))
    const grown = (old: Float64Array) => {
      const fresh = new Float64Array(room)
      fresh.set(old)
      return fresh
    }
    this.spill = grown(this.spill)
    this.tar = grown(this.tar)
    this.length = grown(this.length)
  }
}

/**
 * The content of a layer's spill, read from its tar: no file of it is needed. It takes both over: closing it closes them. Reading
 * throws PLY_BAD_INDEX if the index is damaged, EIO if the tar is shorter than it says. `undefined` if the layer has none.
 */
export function spillBytes(index: Index, tar: () => Bytes): Bytes | undefined {
  const segments = index.spillSegments()
  if (segments === undefined) return undefined
  const content = sparseBytes(tar(), segments.size, segments)
  return {
    ...content,
    close() {
      content.close()
      index.close()
    },
  }
}
