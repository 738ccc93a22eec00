/** Numbers in one page: those that follow each other lie side by side. */
const pageSize = 64

interface Page<Value> {
  readonly values: (Value | undefined)[]
  count: number
}

/**
 * What is known of inodes, by number. Numbers are given one after the other, and beyond what V8 keeps in a register: a map takes ten
 * times as long to find one as this does. Values are never `undefined`.
 */
export class InodeTable<Value> {
  readonly #pages = new Map<number, Page<Value>>()
  /** The page that was used last. */
  #number = -1
  #page: Page<Value> | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get(ino: number): Value | undefined {
    return this.#pageOf(ino)?.values[ino & (pageSize - 1)]
  }

  has(ino: number): boolean {
    return this.get(ino) !== undefined
  }

  set(ino: number, value: Value): void {
    const page = this.#pageOf(ino) ?? this.#newPage(ino)
    const at = ino & (pageSize - 1)
    if (page.values[at] === undefined) {
      page.count++
      this.#size++
    }
    page.values[at] = value
  }

  /** Answers whether it was there. */
  delete(ino: number): boolean {
    const page = this.#pageOf(ino)
    const at = ino & (pageSize - 1)
    if (page?.values[at] === undefined) return false
    page.values[at] = undefined
    this.#size--
    if (--page.count === 0) {
      this.#pages.delete(this.#number)
      this.#number = -1
      this.#page = undefined
    }
    return true
  }

  clear(): void {
    this.#pages.clear()
    this.#number = -1
    this.#page = undefined
    this.#size = 0
  }

  /** In no order that means anything. What is entered or deleted meanwhile may be left out. */
  *values(): Generator<Value> {
    for (const { values } of this.#pages.values()) for (const value of values) if (value !== undefined) yield value
  }

  #pageOf(ino: number): Page<Value> | undefined {
    const number = Math.floor(ino / pageSize)
    if (number === this.#number) return this.#page
    const page = this.#pages.get(number)
    if (page !== undefined) {
      this.#number = number
      this.#page = page
    }
    return page
  }

  #newPage(ino: number): Page<Value> {
    const page = { values: new Array<Value | undefined>(pageSize).fill(undefined), count: 0 }
    this.#number = Math.floor(ino / pageSize)
    this.#page = page
    this.#pages.set(this.#number, page)
    return page
  }
}
