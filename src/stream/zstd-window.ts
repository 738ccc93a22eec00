/** What is kept at least beyond the window, in bytes; and what is kept at most. */
const leastRoom = 256 << 10
const mostRoom = 16 << 20

/**
 * What has been decompressed of a frame, as far back as it may be referred to. It is made larger as it is needed: a frame may ask
 * for a window that it never fills.
 */
export class ZstdWindow {
  /** Decompressed bytes end at `end`. */
  bytes: Uint8Array = new Uint8Array(leastRoom)
  end = 0
  #window = 0

  /** A new frame begins, with a window of so many bytes. */
  reset(window: number): void {
    this.#window = window
    this.end = 0
  }

  /** How far back may be referred to. */
  get reach(): number {
    return Math.min(this.#window, this.end)
  }

  /** Makes room for `size` bytes behind `end`; what is behind the window goes. `bytes` may be another buffer afterwards. */
  reserve(size: number): void {
    if (this.end + size <= this.bytes.length) return
    const limit = this.#window + Math.max(leastRoom, Math.min(this.#window, mostRoom))
    if (this.bytes.length < limit) {
      const grown = new Uint8Array(Math.min(limit, Math.max(2 * this.bytes.length, this.end + size)))
      grown.set(this.bytes.subarray(0, this.end))
      this.bytes = grown
      if (this.end + size <= grown.length) return
    }
    const from = this.end - this.#window
    this.bytes.copyWithin(0, from, this.end)
    this.end = this.#window
  }

  /** Repeats `length` bytes from `distance` back; they may overlap with what they become. There must be room. */
  repeat(distance: number, length: number): void {
    const { bytes, end } = this
    let from = end - distance
    if (length > 64 && distance >= length) bytes.copyWithin(end, from, from + length)
    else if (length > 64 && distance === 1) bytes.fill(bytes[from]!, end, end + length)
    else for (let at = end; at < end + length; at++) bytes[at] = bytes[from++]!
    this.end = end + length
  }
}
