import { PlyError } from '../model/errors.ts'
import { FlockTable } from './flock-table.ts'
import { RangeTable } from './range-table.ts'

/** Several may have a shared lock; an exclusive one is alone. */
export type LockKind = 'shared' | 'exclusive'

/** Who has a lock: compared by identity. Of `flock` it is an open handle, of ranges a process. */
export type LockOwner = object | number | bigint | string

/** A run of bytes from `start` up to `end`, which is not in it; `Infinity` is the end of any file. */
export interface LockRange {
  readonly start: number
  readonly end: number
}

/** Told when the lock is there, which may be before the call that asked for it returns. */
export type Granted = () => void

/** Stops waiting; without effect once the lock is there. */
export type CancelWait = () => void

/** A lock on a range of bytes of one file. */
export interface RangeLock extends LockRange {
  readonly kind: LockKind
  readonly owner: LockOwner
}

/**
 * Advisory locks on inodes, in memory: whoever shares this set is kept apart, as programs under one kernel are. They are on the number
 * of an inode, so copy-up, rename and unlink do not touch them. Nothing is locked by force: reading and writing never ask.
 *
 * A lock that cannot be had at once is waited for with `granted`; without it the answer is `false`. Waiting ones get their turn in
 * the order in which they came.
 */
export interface AdvisoryLocks {
  /**
   * `flock(2)`: one lock an owner and inode, on the whole file. To change its kind the old one is given up first, as Linux does: if
   * the new one cannot be had it is lost.
   */
  flock(ino: number, owner: LockOwner, kind: LockKind | 'none'): boolean
  flock(ino: number, owner: LockOwner, kind: LockKind, granted: Granted): CancelWait

  /**
   * `fcntl(2)` with F_SETLK, and with `granted` F_SETLKW: the owner's locks in the range become one of this kind, or none. What
   * overlaps is split, what touches and is of one kind is one lock. @throws EINVAL for an empty range; EDEADLK for waiting on who waits
   * on this owner
   */
  range(ino: number, owner: LockOwner, kind: LockKind | 'none', range: LockRange): boolean
  range(ino: number, owner: LockOwner, kind: LockKind, range: LockRange, granted: Granted): CancelWait
  /** F_GETLK: the first lock that keeps the owner from this one; `undefined` if nothing does. */
  blocking(ino: number, owner: LockOwner, kind: LockKind, range: LockRange): RangeLock | undefined

  /**
   * To be called when an owner closes a descriptor of the inode: its `flock` and all its ranges there go, as POSIX has it, whatever
   * other descriptors it has.
   */
  release(ino: number, owner: LockOwner): void
}

/**
 * Waits for a lock: `ask` is a call of `flock` or `range`, with the callback that it is to be given. An abort ends the waiting.
 * @throws EINTR on abort, EDEADLK
 */
export function lockGranted(
  ask: (granted: Granted) => CancelWait,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    let granted = false
    if (signal?.aborted) {
      reject(new PlyError('EINTR', { syscall: 'flock' }))
      return
    }
    const aborted = (): void => {
      cancel()
      reject(new PlyError('EINTR', { syscall: 'flock' }))
    }
    const cancel = ask(() => {
      signal?.removeEventListener('abort', aborted)
      granted = true
      resolve()
    })
    if (!granted) signal?.addEventListener('abort', aborted, { once: true })
  })
}

/** No locks yet. */
export function advisoryLocks(): AdvisoryLocks {
  return new Locks()
}

class Locks implements AdvisoryLocks {
  readonly #files = new FlockTable()
  readonly #ranges = new RangeTable()

  flock(ino: number, owner: LockOwner, kind: LockKind | 'none'): boolean
  flock(ino: number, owner: LockOwner, kind: LockKind, granted: Granted): CancelWait
  flock(ino: number, owner: LockOwner, kind: LockKind | 'none', granted?: Granted): boolean | CancelWait {
    if (kind === 'none') {
      this.#files.unlock(ino, owner)
      return true
    }
    return granted ? this.#files.wait(ino, owner, kind, granted) : this.#files.lock(ino, owner, kind)
  }

  range(ino: number, owner: LockOwner, kind: LockKind | 'none', range: LockRange): boolean
  range(ino: number, owner: LockOwner, kind: LockKind, range: LockRange, granted: Granted): CancelWait
  range(
    ino: number,
    owner: LockOwner,
    kind: LockKind | 'none',
    range: LockRange,
    granted?: Granted,
  ): boolean | CancelWait {
    if (kind === 'none') {
      this.#ranges.unlock(ino, owner, range)
      return true
    }
    return granted ? this.#ranges.wait(ino, owner, kind, range, granted) : this.#ranges.lock(ino, owner, kind, range)
  }

  blocking(ino: number, owner: LockOwner, kind: LockKind, range: LockRange): RangeLock | undefined {
    return this.#ranges.blocking(ino, owner, kind, range)
  }

  release(ino: number, owner: LockOwner): void {
    this.#files.unlock(ino, owner)
    this.#ranges.release(ino, owner)
  }
}
