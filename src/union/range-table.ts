import { PlyError } from '../model/errors.ts'
import type { CancelWait, LockKind, LockOwner, LockRange, RangeLock } from './locks.ts'

interface Held extends LockRange {
  readonly kind: LockKind
}

interface Wait extends Held {
  readonly ino: number
  readonly owner: LockOwner
  readonly granted: () => void
}

interface LockedFile {
  /** In order of their starts; those of one owner never overlap, and those of one kind do not touch. */
  readonly held: Map<LockOwner, Held[]>
  readonly waiting: Set<Wait>
}

/** Locks on ranges, by inode: see `AdvisoryLocks.range`. */
export class RangeTable {
  readonly #files = new Map<number, LockedFile>()
  /** What each owner waits for, to see when two wait for each other. */
  readonly #waits = new Map<LockOwner, Set<Wait>>()

  lock(ino: number, owner: LockOwner, kind: LockKind, range: LockRange): boolean {
    check(range)
    const file = this.#file(ino)
    const free = conflict(file, owner, kind, range) === undefined
    if (free) this.#change(ino, file, owner, kind, range)
    this.#tidy(ino, file)
    return free
  }

  wait(ino: number, owner: LockOwner, kind: LockKind, range: LockRange, granted: () => void): CancelWait {
    if (this.lock(ino, owner, kind, range)) {
      granted()
      return () => {}
    }
    const file = this.#file(ino)
    const wait: Wait = { ino, owner, kind, start: range.start, end: range.end, granted }
    if (this.#waitsOn(wait, owner)) throw new PlyError('EDEADLK', { syscall: 'fcntl' })
    file.waiting.add(wait)
    const waits = this.#waits.get(owner)
    if (waits) waits.add(wait)
    else this.#waits.set(owner, new Set([wait]))
    return () => {
      this.#stopWaiting(file, wait)
      this.#tidy(ino, file)
    }
  }

  unlock(ino: number, owner: LockOwner, range: LockRange): void {
    check(range)
    const file = this.#files.get(ino)
    if (!file?.held.has(owner)) return
    this.#change(ino, file, owner, 'none', range)
  }

  release(ino: number, owner: LockOwner): void {
    const file = this.#files.get(ino)
    if (!file?.held.delete(owner)) return
    this.#wake(ino, file)
  }

  blocking(ino: number, owner: LockOwner, kind: LockKind, range: LockRange): RangeLock | undefined {
    check(range)
    const file = this.#files.get(ino)
    return file && conflict(file, owner, kind, range)
  }

  #change(ino: number, file: LockedFile, owner: LockOwner, kind: LockKind | 'none', range: LockRange): void {
    place(file.held, owner, kind, range)
    this.#wake(ino, file)
  }

  /** Gives those who wait what they can have now. One who gets a shared lock for an exclusive one lets others in. */
  #wake(ino: number, file: LockedFile): void {
    const woken: Wait[] = []
    for (let again = true; again; ) {
      again = false
      for (const wait of file.waiting) {
        if (conflict(file, wait.owner, wait.kind, wait) !== undefined) continue
        again ||= wait.kind === 'shared' && file.held.has(wait.owner)
        this.#stopWaiting(file, wait)
        place(file.held, wait.owner, wait.kind, wait)
        woken.push(wait)
      }
    }
    this.#tidy(ino, file)
    for (const { granted } of woken) granted()
  }

  #stopWaiting(file: LockedFile, wait: Wait): void {
    file.waiting.delete(wait)
    const waits = this.#waits.get(wait.owner)
    if (waits?.delete(wait) && waits.size === 0) this.#waits.delete(wait.owner)
  }

  /** Whether what this waits for is held, over any number of others who wait, by the owner. */
  #waitsOn(wait: Wait, owner: LockOwner): boolean {
    const seen = new Set<LockOwner>()
    const pending = [wait]
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      for (const [other, locks] of this.#files.get(at.ino)?.held ?? []) {
        if (other === at.owner || seen.has(other) || !firstConflict(locks, at.kind, at)) continue
        if (other === owner) return true
        seen.add(other)
        pending.push(...(this.#waits.get(other) ?? []))
      }
    }
    return false
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

function check({ start, end }: LockRange): void {
  if (start < 0 || !(end > start)) throw new PlyError('EINVAL', { syscall: 'fcntl' })
}

/** The first lock of others that keeps this one away. */
function conflict({ held }: LockedFile, owner: LockOwner, kind: LockKind, range: LockRange): RangeLock | undefined {
  let first: RangeLock | undefined
  for (const [other, locks] of held) {
    if (other === owner) continue
    const lock = firstConflict(locks, kind, range)
    if (lock && (!first || lock.start < first.start)) first = { ...lock, owner: other }
  }
  return first
}

function firstConflict(locks: readonly Held[], kind: LockKind, { start, end }: LockRange): Held | undefined {
  for (let at = firstEndingAfter(locks, start); at < locks.length && locks[at]!.start < end; at++) {
    if (kind === 'exclusive' || locks[at]!.kind === 'exclusive') return locks[at]
  }
  return undefined
}

/** Makes the owner's locks in a range one of this kind, or none. */
function place(held: Map<LockOwner, Held[]>, owner: LockOwner, kind: LockKind | 'none', range: LockRange): void {
  const locks = held.get(owner) ?? []
  // From the first that touches the range to the last.
  const from = firstEndingAfter(locks, range.start - 1)
  let to = from
  let { start, end } = range
  const before: Held[] = []
  const after: Held[] = []
  for (; to < locks.length && locks[to]!.start <= range.end; to++) {
    const lock = locks[to]!
    if (lock.kind === kind) {
      start = Math.min(start, lock.start)
      end = Math.max(end, lock.end)
      continue
    }
    if (lock.start < range.start) before.push({ ...lock, end: Math.min(lock.end, range.start) })
    if (lock.end > range.end) after.push({ ...lock, start: Math.max(lock.start, range.end) })
  }
  const now = kind === 'none' ? [] : [{ kind, start, end }]
  locks.splice(from, to - from, ...before, ...now, ...after)
  if (locks.length > 0) held.set(owner, locks)
  else held.delete(owner)
}

/** Where the first lock is that ends after a position. */
function firstEndingAfter(locks: readonly Held[], position: number): number {
  let low = 0
  let high = locks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (locks[middle]!.end <= position) low = middle + 1
    else high = middle
  }
  return low
}
