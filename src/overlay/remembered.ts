/** A power of two. */
const mostSlots = 1 << 15
/** A power of two: uppers that are only read remember nothing. */
const firstSlots = 1 << 4

/**
 * What was asked of inodes lately, by number. Each number has one place, in which the next one with the same place follows it: numbers
 * are given one after the other, so that the newest 32 thousand of them are here. Whoever changes an inode has it forgotten.
 */
export class Remembered<Value> {
  /** Which numbers are in the places. No inode is -1. */
  #inos = new Float64Array(firstSlots).fill(-1)
  #values = new Array<Value | undefined>(firstSlots).fill(undefined)
  #mask = firstSlots - 1

  get(ino: number): Value | undefined {
    const at = ino & this.#mask
    return this.#inos[at] === ino ? this.#values[at] : undefined
  }

  set(ino: number, value: Value): void {
    let at = ino & this.#mask
    if (this.#inos[at] !== ino && this.#values[at] !== undefined && this.#mask < mostSlots - 1) {
      this.#grow()
      at = ino & this.#mask
    }
    this.#inos[at] = ino
    this.#values[at] = value
  }

  forget(ino: number): void {
    const at = ino & this.#mask
    if (this.#inos[at] !== ino) return
    this.#inos[at] = -1
    this.#values[at] = undefined
  }

  /** Where two numbers meet in one place there are soon twice as many. */
  #grow(): void {
    const [inos, values] = [this.#inos, this.#values]
    const slots = (this.#mask + 1) * 2
    this.#mask = slots - 1
    this.#inos = new Float64Array(slots).fill(-1)
    this.#values = new Array<Value | undefined>(slots).fill(undefined)
    for (let i = 0; i < inos.length; i++) {
      if (inos[i] === -1) continue
      const at = inos[i]! & this.#mask
      this.#inos[at] = inos[i]!
      this.#values[at] = values[i]
    }
  }
}
