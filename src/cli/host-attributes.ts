import type { Kind, Library } from './library.ts'

/**
 * The extended attributes that go between a container and this machine, `user.*` and file capabilities: labels, access
 * lists and `trusted.*` are about the machine they were set on, and `user.overlay.*` is how a union marks its own files.
 */
function travels(name: string, kind: Kind): boolean {
  if (name === 'security.capability') return kind === 'file'
  return name.startsWith('user.') && !name.startsWith('user.overlay.') && (kind === 'file' || kind === 'directory')
}

/** Extended attributes that a copy lost: one that cannot be kept is no reason to stop. */
export class LostAttributes {
  readonly #library: Library
  #count = 0
  #first = ''

  constructor(library: Library) {
    this.#library = library
  }

  /** What happened, in one line; `undefined` if nothing was lost. */
  get summary(): string | undefined {
    if (this.#count === 0) return undefined
    return `extended attributes not kept: ${this.#count}; the first: ${this.#first}`
  }

  /** The attributes of a file of this machine that travel. @param path a byte string */
  read(path: string, kind: Kind): ReadonlyMap<string, Uint8Array> {
    const found = new Map<string, Uint8Array>()
    if (kind !== 'file' && kind !== 'directory') return found
    try {
      for (const [name, value] of this.#library.readXattrs(path)) if (travels(name, kind)) found.set(name, value)
    } catch (error) {
      // A file system that keeps none has none to lose.
      if (!['ENOTSUP', 'EOPNOTSUPP'].includes(this.#library.codeOf(error) ?? '')) this.#note('all', path, error)
    }
    return found
  }

  /** Sets those that travel; `path` is for the summary. */
  give(
    xattrs: ReadonlyMap<string, Uint8Array>,
    kind: Kind,
    path: string,
    set: (name: string, value: Uint8Array) => void,
  ): void {
    for (const [name, value] of xattrs) {
      if (!travels(name, kind)) continue
      try {
        set(name, value)
      } catch (error) {
        this.#note(name, path, error)
      }
    }
  }

  #note(name: string, path: string, error: unknown): void {
    const { codeOf, displayText } = this.#library
    if (this.#count++ > 0) return
    this.#first = `${displayText(name)} of ${displayText(path)} (${codeOf(error) ?? String(error)})`
  }
}
