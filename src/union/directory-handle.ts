import { kindIn } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import type { WritableUnion } from './union.ts'

/** An open directory: its entries by offsets that stay the same however it changes meanwhile. */
export interface DirectoryHandle {
  /** The directory. */
  readonly ino: number
  /**
   * What stands at an offset: 0 is `.`, 1 is `..`, the entries follow one by one in byte order, and `undefined` is the end. What
   * is told is how the directory was at the first question after opening it or after `rewind`: what comes or goes later
   * moves nothing, and may or may not be told.
   */
  at(offset: number): TreeEntry | undefined
  /** The next question sees the directory as it is then. */
  rewind(): void
  /** Safe to call twice; asking after it is EBADF. */
  close(): void
}

/**
 * Opens a directory of a tree. Of a union it stays open when the directory is removed, and then lists nothing any more.
 * @throws ENOTDIR, ENOENT
 */
export function openDirectory(tree: Tree & Partial<Pick<WritableUnion, 'hold'>>, ino: number): DirectoryHandle {
  if (kindIn(tree, ino) !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'opendir' })
  return new OpenDirectory(tree, ino, tree.hold?.(ino))
}

class OpenDirectory implements DirectoryHandle {
  readonly ino: number
  readonly #tree: Tree
  readonly #release: (() => void) | undefined
  #entries: readonly TreeEntry[] | undefined
  #closed = false

  constructor(tree: Tree, ino: number, release: (() => void) | undefined) {
    this.ino = ino
    this.#tree = tree
    this.#release = release
  }

  at(offset: number): TreeEntry | undefined {
    if (this.#closed) throw new PlyError('EBADF', { syscall: 'readdir' })
    this.#entries ??= this.#told()
    return this.#entries[offset]
  }

  rewind(): void {
    this.#entries = undefined
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#entries = undefined
    this.#release?.()
  }

  #told(): readonly TreeEntry[] {
    const tree = this.#tree
    // A removed directory has not even itself (`iterate_dir`).
    if (tree.stat(this.ino).links === 0) return []
    const entries = [self('.', this.ino), self('..', tree.parent(this.ino))]
    for (const entry of tree.list(this.ino)) entries.push(entry)
    return entries
  }
}

function self(name: ByteString, ino: number): TreeEntry {
  return { name, ino, kind: 'directory' }
}
