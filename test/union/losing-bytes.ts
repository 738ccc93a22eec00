import { PlyError } from '../../src/model/errors.ts'
import type { Run } from '../../src/stream/bytes.ts'
import type { Allocation, WritableBytes } from '../../src/union/upper.ts'

const sector = 512

/**
 * A file on a disk that may lose power: of what was written since the last `sync`, each sector is then what it was at any moment since,
 * whatever the others are. So is the size.
 */
export class LosingBytes implements WritableBytes {
  #now = Buffer.alloc(0)
  /** What each sector, and the size, may be after a loss of power: the first is what it was at the last `sync`. */
  #sectors = new Map<number, Buffer[]>()
  #sizes: number[] = [0]

  get size(): number {
    return this.#now.length
  }

  read(into: Uint8Array, position: number): number {
    const part = this.#now.subarray(position, position + into.length)
    into.set(part)
    return part.length
  }

  write(from: Uint8Array, position: number): number {
    const end = position + from.length
    this.#change(Math.min(position, this.size), end, () => {
      if (end > this.size) this.#now = Buffer.concat([this.#now, Buffer.alloc(end - this.size)])
      this.#now.set(from, position)
    })
    return from.length
  }

  truncate(size: number): void {
    this.#change(Math.min(size, this.size), Math.max(size, this.size), () => {
      const grown = Buffer.alloc(size)
      this.#now.copy(grown)
      this.#now = grown
    })
  }

  allocate(what: Allocation, position: number, length: number): void {
    if (what === 'extend') throw new PlyError('EOPNOTSUPP', { syscall: 'fallocate' })
    if (what === 'reserve') return
    const end = Math.min(position + length, this.size)
    if (end > position) this.#change(position, end, () => this.#now.fill(0, position, end))
  }

  readonly nextData = (position: number): Run | undefined => {
    for (let start = position; start < this.size; ) {
      const end = Math.min(this.size, start + sector - (start % sector))
      if (this.#now.subarray(start, end).some((byte) => byte !== 0)) return { start, end }
      start = end
    }
    return undefined
  }

  sync(): void {
    this.#sectors.clear()
    this.#sizes = [this.size]
  }

  close(): void {}

  /** `choose` answers with a number below the one that it is given. */
  losePower(choose: (below: number) => number): void {
    const size = this.#sizes[choose(this.#sizes.length)]!
    const last = Math.max(size, this.size, ...[...this.#sectors.keys()].map((number) => (number + 1) * sector))
    const left = Buffer.alloc(last)
    this.#now.copy(left)
    for (const [number, versions] of this.#sectors) {
      const chosen = versions[choose(versions.length)]!
      left.fill(0, number * sector, (number + 1) * sector)
      chosen.copy(left, number * sector)
    }
    this.#now = Buffer.from(left.subarray(0, size))
    this.sync()
  }

  #change(start: number, end: number, act: () => void): void {
    const [first, last] = [Math.floor(start / sector), Math.ceil(end / sector)]
    for (let number = first; number < last; number++)
      if (!this.#sectors.has(number)) this.#sectors.set(number, [this.#sector(number)])
    act()
    for (let number = first; number < last; number++) this.#sectors.get(number)!.push(this.#sector(number))
    this.#sizes.push(this.size)
  }

  #sector(number: number): Buffer {
    const copy = Buffer.alloc(sector)
    copy.set(this.#now.subarray(number * sector, (number + 1) * sector))
    return copy
  }
}
