import type { IndexBuilder } from '../erofs/index.ts'
import type { ByteString } from '../model/bytes.ts'

/** Hardlinks whose target has not been seen, all for one path. */
export interface Waiting {
  /** Path of the target from the root, symlinks of this layer followed. */
  readonly path: ByteString
  /** Stands at the names until there is an answer, so that links to the links work. */
  readonly placeholder: number
  readonly names: { readonly directory: number; readonly name: ByteString; readonly entry: ByteString }[]
}

/**
 * Hardlinks that came before their target, or whose target is only below (layer-semantics H-05, H-06). A name that
 * something else has taken meanwhile is no longer waiting.
 */
export class LateLinks {
  readonly #builder: IndexBuilder
  readonly #byPath = new Map<ByteString, Waiting>()
  readonly #byPlaceholder = new Map<number, Waiting>()

  constructor(builder: IndexBuilder) {
    this.#builder = builder
  }

  get size(): number {
    return this.#byPath.size
  }

  /** The inode that stands in for the target at `path`. */
  placeholder(path: ByteString): number {
    let waiting = this.#byPath.get(path)
    if (waiting === undefined) {
      const placeholder = this.#builder.inode({ kind: 'file', mode: 0, uid: 0, gid: 0, mtime: 0n })
      waiting = { path, placeholder, names: [] }
      this.#byPath.set(path, waiting)
      this.#byPlaceholder.set(placeholder, waiting)
    }
    return waiting.placeholder
  }

  isPlaceholder(inode: number): boolean {
    return this.#byPlaceholder.has(inode)
  }

  /** A name that stands at a placeholder. */
  enter(inode: number, directory: number, name: ByteString, entry: ByteString): void {
    this.#byPlaceholder.get(inode)?.names.push({ directory, name, entry })
  }

  /** Who waits for `path`. They wait no longer: the caller binds them. */
  take(path: ByteString): Waiting | undefined {
    const waiting = this.#byPath.get(path)
    if (waiting === undefined) return undefined
    this.#byPath.delete(path)
    this.#byPlaceholder.delete(waiting.placeholder)
    return { ...waiting, names: waiting.names.filter((at) => this.#stands(waiting, at.directory, at.name)) }
  }

  paths(): ByteString[] {
    return [...this.#byPath.keys()]
  }

  #stands(waiting: Waiting, directory: number, name: ByteString): boolean {
    return this.#builder.child(directory, name) === waiting.placeholder
  }
}
