import { randomBytes } from 'node:crypto'
import type { Digest } from '../model/digest.ts'

/** Bytes of a SHA-256. */
export const digestSize = 32

/**
 * Digests by keys of one size, in two flat blocks: no object per entry, so that ten million of them fit. Keys are a
 * multiple of four bytes.
 */
export class DigestTable {
  readonly #keySize: number
  readonly #entrySize: number
  /** Key and digest of one entry after another. */
  #entries: Buffer
  /** Number of the entry plus one, by hash of its key; zero where there is none. */
  #slots: Uint32Array
  #size = 0
  /** Keys come from images: whoever makes one must not choose which collide. */
  readonly #seed = randomBytes(4).readInt32LE()

  /** `expected` entries are made room for at once; more are taken. */
  constructor(keySize: number, expected = 0) {
    this.#keySize = keySize
    this.#entrySize = keySize + digestSize
    const room = Math.max(16, expected)
    this.#entries = Buffer.allocUnsafeSlow(room * this.#entrySize)
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2((room * 4) / 3 + 1)))
  }

  /** Entries. */
  get size(): number {
    return this.#size
  }

  /** The digest of the key that begins at `at`. */
  get(key: Buffer, at = 0): Digest | undefined {
    const number = this.#slots[this.#slotOf(key, at)]!
    if (number === 0) return undefined
    const digest = (number - 1) * this.#entrySize + this.#keySize
    return `sha256:${this.#entries.toString('hex', digest, digest + digestSize)}` as Digest
  }

  /** Takes the key and the digest that begin at `at`, one after the other; the digest of a known key is replaced. */
  set(entry: Buffer, at = 0): void {
    let slot = this.#slotOf(entry, at)
    if (this.#slots[slot] === 0) {
      if ((this.#size + 1) * 4 > this.#slots.length * 3) {
        this.#spread()
        slot = this.#slotOf(entry, at)
      }
      if ((this.#size + 1) * this.#entrySize > this.#entries.length) this.#grow()
      this.#slots[slot] = ++this.#size
    }
    const start = (this.#slots[slot]! - 1) * this.#entrySize
    entry.copy(this.#entries, start, at, at + this.#entrySize)
  }

  /** Where a key is, or where it would be. There is always a free slot. */
  #slotOf(key: Buffer, at: number): number {
    const mask = this.#slots.length - 1
    let slot = this.#hash(key, at) & mask
    for (let number: number; (number = this.#slots[slot]!) !== 0; slot = (slot + 1) & mask) {
      if (this.#isAt((number - 1) * this.#entrySize, key, at)) break
    }
    return slot
  }

  #isAt(start: number, key: Buffer, at: number): boolean {
    for (let i = 0; i < this.#keySize; i += 4) {
      if (this.#entries.readInt32LE(start + i) !== key.readInt32LE(at + i)) return false
    }
    return true
  }

  #hash(key: Buffer, at: number): number {
    let hash = this.#seed
    for (let i = 0; i < this.#keySize; i += 4) {
      hash = Math.imul(hash ^ key.readInt32LE(at + i), 0x9e3779b1)
      // Offsets end in zeros: without this they would all land in few slots.
      hash ^= hash >>> 15
    }
    return hash
  }

  #grow(): void {
    const grown = Buffer.allocUnsafeSlow(this.#entries.length * 2)
    this.#entries.copy(grown, 0, 0, this.#size * this.#entrySize)
    this.#entries = grown
  }

  #spread(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (let number = 1; number <= this.#size; number++) {
      this.#slots[this.#slotOf(this.#entries, (number - 1) * this.#entrySize)] = number
    }
  }
}
