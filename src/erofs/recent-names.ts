import type { ByteString } from '../model/bytes.ts'

/** Names that are kept, twice as many at most. */
const generationSize = 1 << 15

/** Stands for what is not there: 0 is no inode. */
const absent = 0

type Names = Map<ByteString, number>

/**
 * What was looked up lately, by directory and name, also that nothing is there: of an index, where nothing changes, so that it is never
 * wrong. To search a directory takes several times as long.
 */
export class RecentNames {
  #newer = new Map<number, Names>()
  #older = new Map<number, Names>()
  #count = 0

  /** What stands at a name; `search` is asked once, and what it throws is thrown. */
  get(directory: number, name: ByteString, search: (directory: number, name: ByteString) => number | undefined) {
    const names = this.#newer.get(directory) ?? this.#renew(directory)
    let found = names.get(name)
    if (found === undefined) {
      found = search(directory, name) ?? absent
      names.set(name, found)
      if (++this.#count > generationSize) this.#age()
    }
    return found === absent ? undefined : found
  }

  #renew(directory: number): Names {
    const names = this.#older.get(directory) ?? new Map<ByteString, number>()
    this.#older.delete(directory)
    this.#newer.set(directory, names)
    this.#count += names.size + 1
    return names
  }

  #age(): void {
    this.#older = this.#newer
    this.#newer = new Map()
    this.#count = 0
  }
}
