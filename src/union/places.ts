import type { ByteString } from '../model/bytes.ts'
import type { Tree } from '../stack/tree.ts'

const generationSize = 1 << 15

/** Under which names inodes were seen, for the newest 32 to 64 thousand of them. */
class Recent {
  #parents = new Map<number, number>()
  #names = new Map<number, ByteString>()
  #olderParents = new Map<number, number>()
  #olderNames = new Map<number, ByteString>()

  note(directory: number, name: ByteString, ino: number): void {
    if (this.#parents.get(ino) === directory && this.#names.get(ino) === name) return
    if (this.#names.size >= generationSize) {
      this.#olderParents = this.#parents
      this.#olderNames = this.#names
      this.#parents = new Map()
      this.#names = new Map()
    }
    this.#parents.set(ino, directory)
    this.#names.set(ino, name)
  }

  parent(ino: number): number | undefined {
    return this.#parents.get(ino) ?? this.#olderParents.get(ino)
  }

  name(ino: number): ByteString | undefined {
    return this.#names.get(ino) ?? this.#olderNames.get(ino)
  }
}

/**
 * Where inodes of a lower tree stand in it. A tree answers that for directories only; to copy a file up by number one
 * of its names is needed. What was looked up lately is remembered; for the rest the tree is read once into 16 bytes an entry.
 */
export class Places {
  readonly #lower: Tree
  readonly #recent = new Recent()
  #numbers: Float64Array | undefined
  #parents: Float64Array | undefined

  constructor(lower: Tree) {
    this.#lower = lower
  }

  /** Remembers a name that was looked up; `directory` is a number of the lower tree. */
  note(directory: number, name: ByteString, ino: number): void {
    this.#recent.note(directory, name, ino)
  }

  /** The last known place of an inode: quick, and `undefined` if it was not seen lately. */
  remembered(ino: number): { readonly directory: number; readonly name: ByteString } | undefined {
    const directory = this.#recent.parent(ino)
    const name = this.#recent.name(ino)
    if (directory === undefined || name === undefined || this.#lower.lookup(directory, name) !== ino) return undefined
    return { directory, name }
  }

  /** All names of an inode that is no directory. */
  *all(ino: number): Iterable<{ readonly directory: number; readonly name: ByteString }> {
    for (const directory of this.parents(ino)) {
      for (const name of this.#namesIn(directory, ino)) yield { directory, name }
    }
  }

  /** The directories that hold an inode which is no directory, each once. */
  parents(ino: number): ReadonlySet<number> {
    if (!this.#numbers || !this.#parents) this.#read()
    const numbers = this.#numbers!
    let low = 0
    let high = numbers.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (numbers[middle]! < ino) low = middle + 1
      else high = middle
    }
    const found = new Set<number>()
    for (let i = low; numbers[i] === ino; i++) found.add(this.#parents![i]!)
    return found
  }

  /** The name of a directory in the one that holds it; the root has none. */
  nameOf(directory: number): ByteString {
    const parent = this.#lower.parent(directory)
    if (parent === directory) return ''
    const name = this.#recent.name(directory)
    if (name !== undefined && this.#lower.lookup(parent, name) === directory) return name
    for (const found of this.#namesIn(parent, directory)) return found
    throw new Error(`the lower tree says that ${directory} is in ${parent}, but does not list it there`)
  }

  /** Path of a directory from the root of the lower tree, without a leading slash. */
  pathOf(directory: number): ByteString {
    const names: ByteString[] = []
    for (let at = directory; at !== this.#lower.root; at = this.#lower.parent(at)) names.push(this.nameOf(at))
    return names.reverse().join('/')
  }

  /**
   * Names of an inode in a directory. Its neighbours there are remembered too: whoever asks for one file of a directory by
   * number asks for those beside it next, in one direction or the other, and to read the directory again for each would
   * be quadratic.
   */
  #namesIn(directory: number, ino: number): ByteString[] {
    const names: ByteString[] = []
    let first = 0
    let position = 0
    const half = generationSize / 2
    for (const entry of this.#lower.list(directory)) {
      position++
      // Most directories are small, and all of one is remembered in passing.
      if (position <= half) this.#recent.note(directory, entry.name, entry.ino)
      if (entry.ino !== ino) continue
      if (names.length === 0) first = position
      names.push(entry.name)
    }
    if (names.length === 0 || position <= half) return names
    const from = first - half
    position = 0
    for (const entry of this.#lower.list(directory)) {
      position++
      if (position > from && position <= from + generationSize) this.#recent.note(directory, entry.name, entry.ino)
      if (position > from + generationSize) break
    }
    return names
  }

  #read(): void {
    const pairs: number[] = []
    const pending = [this.#lower.root]
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      for (const { ino, kind } of this.#lower.list(directory)) {
        if (kind === 'directory') pending.push(ino)
        else pairs.push(ino, directory)
      }
    }
    const count = pairs.length / 2
    const order = new Uint32Array(count).map((_, i) => i).sort((a, b) => pairs[2 * a]! - pairs[2 * b]!)
    this.#numbers = Float64Array.from(order, (i) => pairs[2 * i]!)
    this.#parents = Float64Array.from(order, (i) => pairs[2 * i + 1]!)
  }
}
