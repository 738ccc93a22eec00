import { type ByteString, displayText } from '../model/bytes.ts'

/**
 * What a directory could not take as it is (layer-semantics O-04); there stands the closest thing possible.
 *
 * - `owner`: it belongs to whoever wrote it.
 * - `set-id`: without the bits that would lend the wrong owner's rights.
 * - `device`, `fifo`: an empty file of mode 0.
 * - `socket`: nothing; sockets live only in running systems.
 * - `xattr`: left out; counted by attribute.
 * - `time`: the nearest that the disk can hold (M-02).
 * - `link`: a copy (D-05).
 */
export type Compromise = 'owner' | 'set-id' | 'device' | 'fifo' | 'socket' | 'xattr' | 'time' | 'link'

export interface Compromised {
  readonly count: number
  /** The first few, as text for people; of an xattr, with its name. */
  readonly examples: readonly string[]
}

/** What `extractTree` has done. Nothing was lost that is not counted here. */
export interface ExtractReport {
  /** The directory, as an absolute path. */
  readonly target: string
  readonly directories: number
  readonly files: number
  readonly symlinks: number
  /** Devices and fifos that were made. */
  readonly nodes: number
  /** Further names of what is counted above. */
  readonly links: number
  /** Bytes of content, holes included. */
  readonly bytes: number
  /** Empty if the directory is exactly the tree. */
  readonly compromises: Readonly<Partial<Record<Compromise, Compromised>>>
}

const shown = 5

/** Counts compromises while a tree is written. */
export class CompromiseCount {
  readonly #counts = new Map<Compromise, { count: number; examples: string[] }>()

  note(what: Compromise, path: ByteString, detail?: ByteString): void {
    let entry = this.#counts.get(what)
    if (!entry) this.#counts.set(what, (entry = { count: 0, examples: [] }))
    entry.count++
    if (entry.examples.length < shown) {
      entry.examples.push(`/${displayText(path)}${detail === undefined ? '' : ` (${displayText(detail)})`}`)
    }
  }

  all(): ExtractReport['compromises'] {
    return Object.fromEntries(this.#counts)
  }
}
