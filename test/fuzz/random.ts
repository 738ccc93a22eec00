/** Numbers from a seed: the same seed gives the same ones, on every machine (sfc32). */
export class Random {
  #a: number
  #b: number
  #c: number
  #count = 1

  constructor(seed: string) {
    // FNV-1a, once for each part of the state.
    const [a, b, c] = [1, 2, 3].map((part) => {
      let hash = 0x811c9dc5 ^ part
      for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193)
      return hash >>> 0
    })
    this.#a = a!
    this.#b = b!
    this.#c = c!
    for (let i = 0; i < 12; i++) this.next()
  }

  /** 32 bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#count++) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  /** From 0 up to `limit`, which it never is; 0 if there is nothing below it. */
  below(limit: number): number {
    return limit <= 0 ? 0 : Math.floor((this.next() / 2 ** 32) * limit)
  }

  /** As `below`, small numbers far more often. */
  small(limit: number): number {
    return this.below(1 + this.below(1 + this.below(limit)))
  }

  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let i = 0; i < length; i++) bytes[i] = this.next() & 0xff
    return bytes
  }
}
