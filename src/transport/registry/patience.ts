import { setTimeout as sleep } from 'node:timers/promises'
import { PlyError } from '../../model/errors.ts'
import type { PatienceOptions } from './options.ts'

/** With how much between two failures a transfer is not stuck, in bytes. */
export const worthARetry = 16 << 10

/**
 * How often one thing is tried again, and how long in between: a pause doubles from failure to failure, and varies, so that
 * many who failed together do not come back together. All of it ends: after so many failures in a row, or so much waiting.
 */
export class Patience {
  readonly #options: PatienceOptions
  readonly #signal: AbortSignal | undefined
  #failures = 0
  #waited = 0

  constructor(options: PatienceOptions = {}, signal?: AbortSignal | undefined) {
    this.#options = options
    this.#signal = signal
  }

  /** Something was gained since the last failure. */
  progressed(): void {
    this.#failures = 0
  }

  /**
   * Waits before the next attempt; at least `asked` milliseconds, where the registry said how long. Answers `false`
   * where it is time to give up. @throws PLY_ABORTED
   */
  async next(asked = 0): Promise<boolean> {
    const { attempts = 6, firstPause = 250, longestPause = 60_000, pauses = 300_000 } = this.#options
    this.#failures++
    if (this.#failures >= attempts) return false
    const doubled = firstPause * 2 ** (this.#failures - 1) * (0.5 + Math.random())
    const pause = Math.min(longestPause, Math.max(asked, doubled))
    if (this.#waited + pause > pauses) return false
    this.#waited += pause
    try {
      await sleep(pause, undefined, this.#signal === undefined ? {} : { signal: this.#signal })
    } catch (error) {
      throw new PlyError('PLY_ABORTED', {}, { cause: this.#signal?.reason ?? error })
    }
    return true
  }
}

/** What a `Retry-After` asks for, in milliseconds: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfter(header: string | undefined, now = Date.now()): number {
  if (header === undefined) return 0
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000
  const date = Date.parse(header)
  return Number.isNaN(date) ? 0 : Math.max(0, date - now)
}
