import type { AdvisoryLocks, CancelWait, LockKind, LockRange } from '../union/locks.ts'
import { refused } from './errnos.ts'
import { isFlock, lockTypes, releaseUnlocks } from './protocol.ts'
import type { Session } from './session.ts'

/** The last place that a lock may cover: up to there it covers all that will ever be. */
const lastPlace = 2 ** 63

/** An answer to a request from before. */
export interface LateAnswer {
  readonly uniqueLow: number
  readonly uniqueHigh: number
  /** 0, or a negative errno. */
  readonly result: number
}

/** No answer now: there may be a late one. */
export const unanswered = Number.NEGATIVE_INFINITY

/** Requests about locks, where they are not the kernel's own affair. Who waits is answered when its turn comes. */
export class Locking {
  readonly #session: Session
  readonly #late: (answer: LateAnswer) => void
  /** How to stop waiting, by the name of the request. */
  readonly #waiting = new Map<bigint, CancelWait>()
  /** Processes, by owner: GETLK tells who is in the way. */
  readonly #processes = new Map<bigint, number>()

  constructor(session: Session, late: (answer: LateAnswer) => void) {
    this.#session = session
    this.#late = late
  }

  get(): number {
    const { request, reply, ino } = this.#session
    const { owner, range, kind } = this.#asked()
    const blocking = kind === 'none' ? undefined : this.#locks.blocking(ino, owner, kind, range)
    reply.zeros(0, 24)
    if (!blocking) {
      reply.u32(16, lockTypes.none)
      return 24
    }
    const { start, end } = blocking
    reply.u64(0, start)
    if (end === Number.POSITIVE_INFINITY) {
      reply.u32(8, 0xffffffff)
      reply.u32(12, 0x7fffffff)
    } else reply.u64(8, end - 1)
    reply.u32(16, blocking.kind === 'shared' ? lockTypes.read : lockTypes.write)
    reply.u32(20, this.#processes.get(blocking.owner as bigint) ?? request.u32(36))
    return 24
  }

  set(): number {
    const { request, ino } = this.#session
    const { owner, range, kind } = this.#asked()
    const whole = (request.u32(40) & isFlock) !== 0
    if (!whole && kind !== 'none') this.#processes.set(owner, request.u32(36))
    const had = whole ? this.#locks.flock(ino, owner, kind) : this.#locks.range(ino, owner, kind, range)
    return had ? 0 : refused('EAGAIN')
  }

  wait(): number {
    const { request, ino } = this.#session
    const { owner, range, kind } = this.#asked()
    if (kind === 'none') return this.set()
    const { uniqueLow, uniqueHigh } = request
    const unique = this.#unique(uniqueLow, uniqueHigh)
    const whole = (request.u32(40) & isFlock) !== 0
    if (!whole) this.#processes.set(owner, request.u32(36))
    let now = true
    let had = false
    const granted = (): void => {
      had = true
      if (now) return
      this.#waiting.delete(unique)
      this.#late({ uniqueLow, uniqueHigh, result: 0 })
    }
    const cancel = whole
      ? this.#locks.flock(ino, owner, kind, granted)
      : this.#locks.range(ino, owner, kind, range, granted)
    now = false
    if (had) return 0
    this.#waiting.set(unique, cancel)
    return unanswered
  }

  interrupt(): number {
    const { request } = this.#session
    const unique = request.exact64(0)
    const cancel = this.#waiting.get(unique)
    if (!cancel) return unanswered
    this.#waiting.delete(unique)
    cancel()
    this.#late({ uniqueLow: request.u32(0), uniqueHigh: request.u32(4), result: refused('EINTR') })
    return unanswered
  }

  /** A descriptor closes: what its process locked of the file goes. */
  flush(): number {
    const { request, ino } = this.#session
    const owner = request.exact64(16)
    this.#locks.range(ino, owner, 'none', { start: 0, end: Number.POSITIVE_INFINITY })
    this.#processes.delete(owner)
    return 0
  }

  /** The last descriptor of an opening closes. */
  released(): void {
    const { request, ino } = this.#session
    if (request.u32(12) & releaseUnlocks) this.#locks.flock(ino, request.exact64(16), 'none')
  }

  get #locks(): AdvisoryLocks {
    return this.#session.union.locks
  }

  #unique(low: number, high: number): bigint {
    return (BigInt(high) << 32n) | BigInt(low)
  }

  /** `struct fuse_lk_in`. */
  #asked(): { readonly owner: bigint; readonly range: LockRange; readonly kind: LockKind | 'none' } {
    const { request } = this.#session
    const last = request.u64(24)
    const type = request.u32(32)
    return {
      owner: request.exact64(8),
      range: { start: request.u64(16), end: last >= lastPlace ? Number.POSITIVE_INFINITY : last + 1 },
      kind: type === lockTypes.read ? 'shared' : type === lockTypes.write ? 'exclusive' : 'none',
    }
  }
}
