import { PlyError } from '../model/errors.ts'
import type { Unnamed } from '../union/upper.ts'
import type { ContentFiles } from './content-files.ts'
import type { PortableState } from './portable-state.ts'

/** Files without a name in the portable form: content that no record names, and that goes when it is closed. */
export class UnnamedContents {
  readonly #state: PortableState
  readonly #files: ContentFiles
  readonly #onSync: () => void
  /** Their contents by inode number. */
  readonly #open = new Map<number, number>()

  constructor(state: PortableState, files: ContentFiles, onSync: () => void) {
    this.#state = state
    this.#files = files
    this.#onSync = onSync
  }

  open(): Unnamed {
    const ino = this.#state.nextInode++
    const number = this.#state.nextContent++
    this.#open.set(ino, number)
    const onClose = () => {
      if (this.#open.delete(ino)) this.#files.discard(number)
    }
    this.#files.expect(number)
    const content = this.#files.open({ is: 'fresh', number }, { onSync: this.#onSync, onClose })
    return { ino, content }
  }

  /** The number of the content of one that is about to get a name. @throws ENOENT if it is closed */
  contentOf(ino: number): number {
    const number = this.#open.get(ino)
    if (number === undefined) throw new PlyError('ENOENT', { syscall: 'link' })
    return number
  }

  /** It has a name: closing it is nothing any more. */
  named(ino: number): void {
    this.#open.delete(ino)
  }
}
