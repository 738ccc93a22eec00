import type { ByteString } from '../model/bytes.ts'

/** Paths that are kept, twice as many at most. */
const generationSize = 1 << 15
/** After a change so many paths are walked before the next is kept: who changes and looks in turns pays nothing for what never lasts. */
const calm = 32

/**
 * Where whole paths led lately, free names included, for as long as no name changes. To walk one takes a lookup for each directory on the
 * way, and a string for each.
 */
export class RecentPaths<Where> {
  readonly #followed = new Generations<Where>()
  readonly #unfollowed = new Generations<Where>()
  #walked = 0

  find(path: ByteString, follow: boolean): Where | undefined {
    return (follow ? this.#followed : this.#unfollowed).find(path)
  }

  /** A path was walked. */
  keep(path: ByteString, follow: boolean, where: Where): void {
    if (this.#walked < calm) this.#walked++
    else (follow ? this.#followed : this.#unfollowed).keep(path, where)
  }

  /** To be called before any name changes. */
  forget(): void {
    if (this.#walked === calm) {
      this.#followed.clear()
      this.#unfollowed.clear()
    }
    this.#walked = 0
  }
}

class Generations<Where> {
  #newer = new Map<ByteString, Where>()
  #older = new Map<ByteString, Where>()

  find(path: ByteString): Where | undefined {
    const found = this.#newer.get(path)
    if (found !== undefined || this.#older.size === 0) return found
    const older = this.#older.get(path)
    if (older !== undefined) this.keep(path, older)
    return older
  }

  keep(path: ByteString, where: Where): void {
    if (this.#newer.size >= generationSize) {
      this.#older = this.#newer
      this.#newer = new Map()
    }
    this.#newer.set(path, where)
  }

  clear(): void {
    if (this.#newer.size > 0) this.#newer = new Map()
    if (this.#older.size > 0) this.#older = new Map()
  }
}
