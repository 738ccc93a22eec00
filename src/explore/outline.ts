import type { Rows } from './table.ts'

/** Rows with what is worked out of them once: where a directory ends, who holds it, and where names can be searched. */
export class Outline {
  readonly count: number
  readonly names: readonly string[]
  readonly depth: Uint16Array
  /** The row of the directory that holds a row; the root holds itself. */
  readonly parent: Uint32Array
  /** The first row behind everything that is under a row. */
  readonly end: Uint32Array
  /** All names in lower case, each between slashes. */
  readonly #lower: string
  /** Where in `#lower` the name of a row begins. */
  readonly #starts: Uint32Array

  constructor({ count, names, depth }: Rows) {
    this.count = count
    this.names = names.split('/')
    this.depth = depth
    this.parent = new Uint32Array(count)
    this.end = new Uint32Array(count)
    const open: number[] = []
    for (let row = 0; row < count; row++) {
      while (open.length > depth[row]!) this.end[open.pop()!] = row
      this.parent[row] = open.at(-1) ?? 0
      open.push(row)
    }
    for (const row of open) this.end[row] = count
    this.#lower = `/${names.toLowerCase()}`
    this.#starts = new Uint32Array(count + 1)
    for (let row = 0, at = 1; row <= count; row++) {
      this.#starts[row] = at
      at = this.#lower.indexOf('/', at) + 1
      if (at === 0) at = this.#lower.length + 1
    }
  }

  /** Names from the root with slashes between them; the root is `/`. */
  path(row: number): string {
    const names: string[] = []
    for (let at = row; at !== 0; at = this.parent[at]!) names.push(this.names[at]!)
    return `/${names.reverse().join('/')}`
  }

  /** The row of a path; `undefined` if there is none. */
  find(path: string): number | undefined {
    let at: number | undefined = 0
    for (const name of path.split('/')) {
      if (name !== '' && at !== undefined) at = this.#child(at, name)
    }
    return at
  }

  #child(directory: number, name: string): number | undefined {
    for (let row = directory + 1; row < this.end[directory]!; row = this.end[row]!)
      if (this.names[row] === name) return row
    return undefined
  }

  /**
   * The rows whose name holds a text, whatever its case; of a text with slashes those whose path holds it and whose own name is the last
   * part of it. One for a row that does, 0 for the rest.
   */
  matches(query: string): Uint8Array {
    const found = new Uint8Array(this.count)
    const wanted = query.toLowerCase()
    if (wanted === '') return found.fill(1)
    const parts = wanted.split('/')
    // What stands behind a slash begins a name.
    const ofPath = parts.length > 1 ? 1 : 0
    const text = ofPath === 1 ? `/${parts.at(-1)}` : wanted
    const [lower, starts] = [this.#lower, this.#starts]
    for (let row = 0; row < this.count; row++) {
      const at = lower.indexOf(text, starts[row]! - ofPath)
      if (at < 0) break
      while (starts[row + 1]! <= at + ofPath) row++
      if (row < this.count && (ofPath === 0 || this.#leads(row, parts))) found[row] = 1
    }
    return found
  }

  /** Whether the directories above a row end as the parts before the last say. */
  #leads(row: number, parts: readonly string[]): boolean {
    let at = row
    for (let part = parts.length - 2; part >= 0; part--) {
      if (at === 0) return part === 0 && parts[0] === ''
      at = this.parent[at]!
      const name = this.#lower.slice(this.#starts[at]!, this.#starts[at + 1]! - 1)
      if (part === 0 ? !name.endsWith(parts[0]!) : name !== parts[part]) return false
      if (part === 0 && parts[0] === '' && at !== 0) return false
    }
    return true
  }
}
