import { untilAborted } from '../../stream/abort.ts'

/** So many at a time; the others wait, first come, first served. */
export class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = Math.max(1, count)
  }

  /** Dispose of what is answered to let the next one in. @throws PLY_ABORTED */
  async take(signal?: AbortSignal | undefined): Promise<Disposable> {
    if (this.#free > 0) this.#free--
    else {
      const turn = new Promise<void>((resolve) => this.#waiting.push(resolve))
      try {
        await untilAborted(turn, signal)
      } catch (error) {
        // The turn comes all the same.
        void turn.then(() => this.#release())
        throw error
      }
    }
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release()
        held = false
      },
    }
  }

  #release(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
