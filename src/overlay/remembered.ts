const generationSize = 1 << 14

/** What was asked of inodes lately, by number: of the newest 16 to 32 thousand of them. Whoever changes an inode has it forgotten. */
export class Remembered<Value> {
  #newer = new Map<number, Value>()
  #older = new Map<number, Value>()

  get(ino: number): Value | undefined {
    return this.#newer.get(ino) ?? this.#older.get(ino)
  }

  set(ino: number, value: Value): void {
    if (this.#newer.size >= generationSize) {
      this.#older = this.#newer
      this.#newer = new Map()
    }
    this.#newer.set(ino, value)
  }

  forget(ino: number): void {
    this.#newer.delete(ino)
    if (this.#older.size > 0) this.#older.delete(ino)
  }
}
