import type { ByteString } from '../model/bytes.ts'
import type { Upper } from '../union/upper.ts'

/** Node's two words: names come and go by `rename`, content and attributes by `change`. */
export type EventType = 'rename' | 'change'

/** Who wants to know of an inode. */
export interface Listener {
  /** Something happened to the inode itself, or, of a directory, to what has a name in it. */
  told(event: EventType, name: ByteString | undefined): void
  /** Something happened to what has a name in any directory: for those who watch a whole subtree. */
  readonly anywhere?: (event: EventType, directory: number, name: ByteString) => void
}

/** Where something stands. */
export interface Spot {
  readonly directory: number
  /** `''` for the root, which stands nowhere. */
  readonly name: ByteString
}

const sources = new WeakMap<Upper, Changes>()

/** What is told of one upper, through whichever face of whichever union over it a change was made. */
export function changesOf(upper: Upper): Changes {
  const known = sources.get(upper)
  if (known) return known
  const changes = new Changes()
  sources.set(upper, changes)
  return changes
}

/** Tells those who watch what faces change. As long as nobody does, it costs one comparison. */
export class Changes {
  readonly #listeners = new Map<number, Set<Listener>>()
  readonly #everywhere = new Set<Listener>()

  /** Answers with what ends it. */
  listen(ino: number, listener: Listener): () => void {
    if (listener.anywhere) this.#everywhere.add(listener)
    const listeners = this.#listeners.get(ino) ?? new Set()
    this.#listeners.set(ino, listeners.add(listener))
    return () => {
      this.#everywhere.delete(listener)
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(ino) === listeners) this.#listeners.delete(ino)
    }
  }

  get quiet(): boolean {
    return this.#listeners.size === 0
  }

  /** Content or attributes changed, through this name if there was one. */
  changed(ino: number, spot: Spot | undefined): void {
    if (this.quiet) return
    this.#tell(ino, 'change', undefined)
    if (spot) this.#entry('change', spot)
  }

  made(spot: Spot): void {
    if (!this.quiet) this.#entry('rename', spot)
  }

  /** A name went; `gone`: it was the last one. */
  removed(spot: Spot, ino: number, gone: boolean): void {
    if (this.quiet) return
    this.#entry('rename', spot)
    this.#tell(ino, gone ? 'rename' : 'change', undefined)
  }

  moved(ino: number, from: Spot, to: Spot): void {
    if (this.quiet) return
    this.#entry('rename', from)
    this.#entry('rename', to)
    this.#tell(ino, 'rename', undefined)
  }

  #entry(event: EventType, { directory, name }: Spot): void {
    if (name === '') return
    this.#tell(directory, event, name)
    for (const { anywhere } of [...this.#everywhere]) anywhere?.(event, directory, name)
  }

  #tell(ino: number, event: EventType, name: ByteString | undefined): void {
    for (const listener of [...(this.#listeners.get(ino) ?? [])]) listener.told(event, name)
  }
}
