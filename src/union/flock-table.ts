import type { CancelWait, LockKind, LockOwner } from './locks.ts'

interface Wait {
  readonly owner: LockOwner
  readonly kind: LockKind
  readonly granted: () => void
}

interface LockedFile {
  readonly held: Map<LockOwner, LockKind>
  readonly waiting: Set<Wait>
}

/** Locks on whole files, by inode: see `AdvisoryLocks.flock`. */
export class FlockTable {
  readonly #files = new Map<number, LockedFile>()

  lock(ino: number, owner: LockOwner, kind: LockKind): boolean {
    const file = this.#file(ino)
    const had = file.held.get(owner)
    if (had === kind) return true
    file.held.delete(owner)
    const free = isFree(file, kind)
    if (free) file.held.set(owner, kind)
    if (had) wake(file)
    this.#tidy(ino, file)
    return free
  }

  wait(ino: number, owner: LockOwner, kind: LockKind, granted: () => void): CancelWait {
    if (this.lock(ino, owner, kind)) {
      granted()
      return () => {}
    }
    const file = this.#file(ino)
    const wait = { owner, kind, granted }
    file.waiting.add(wait)
    return () => {
      // Those behind it may have waited for it alone.
      if (file.waiting.delete(wait)) wake(file)
      this.#tidy(ino, file)
    }
  }

  unlock(ino: number, owner: LockOwner): void {
    const file = this.#files.get(ino)
    if (!file?.held.delete(owner)) return
    wake(file)
    this.#tidy(ino, file)
  }

  #file(ino: number): LockedFile {
    const known = this.#files.get(ino)
    if (known) return known
    const file = { held: new Map(), waiting: new Set<Wait>() }
    this.#files.set(ino, file)
    return file
  }

  #tidy(ino: number, { held, waiting }: LockedFile): void {
    if (held.size === 0 && waiting.size === 0) this.#files.delete(ino)
  }
}

/** Whoever asks has no lock on the file. */
function isFree({ held }: LockedFile, kind: LockKind): boolean {
  // All that are held are of one kind: an exclusive one is alone.
  for (const other of held.values()) return kind === 'shared' && other === 'shared'
  return true
}

function wake(file: LockedFile): void {
  const woken: Wait[] = []
  for (const wait of file.waiting) {
    if (isFree(file, wait.kind)) {
      file.waiting.delete(wait)
      file.held.set(wait.owner, wait.kind)
      woken.push(wait)
    } else if (file.held.size === 1 && [...file.held.values()][0] === 'exclusive') break
  }
  for (const { granted } of woken) granted()
}
