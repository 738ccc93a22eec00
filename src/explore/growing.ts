/** Typed arrays that a column can be. */
export type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array

interface ColumnType<T extends Column> {
  new (length: number): T
}

/** A column of numbers that grows while it is filled. */
export class Growing<T extends Column> {
  length = 0
  #held: T

  constructor(Type: ColumnType<T>) {
    this.#held = new Type(1024)
  }

  push(value: number): void {
    if (this.length === this.#held.length) {
      const larger = new (this.#held.constructor as ColumnType<T>)(this.#held.length * 2)
      larger.set(this.#held)
      this.#held = larger
    }
    this.#held[this.length++] = value
  }

  set(at: number, value: number): void {
    this.#held[at] = value
  }

  at(at: number): number {
    return this.#held[at]!
  }

  /** What was pushed, without the room behind it. */
  done(): T {
    return this.#held.slice(0, this.length) as T
  }
}
