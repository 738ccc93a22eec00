import { setImmediate } from 'node:timers/promises'
import { checkAborted } from './operation.ts'

const share = 20

/**
 * How long synchronous work lets other work run. Ask `due` once an item; when it says yes, `await rest()`.
 * Asking is cheap: the clock is read once in 64 times.
 */
export class Pace {
  readonly #signal: AbortSignal | undefined
  #until = performance.now() + share
  #asked = 0

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
    checkAborted(signal)
  }

  /** `weight` says how many ordinary items this one is worth. */
  due(weight = 1): boolean {
    this.#asked += weight
    if (this.#asked < 64) return false
    this.#asked = 0
    return performance.now() >= this.#until
  }

  /** @throws PLY_ABORTED */
  async rest(): Promise<void> {
    await setImmediate()
    checkAborted(this.#signal)
    this.#until = performance.now() + share
  }
}
