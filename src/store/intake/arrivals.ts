/**
 * What has been written and synced and is not visible yet: an import prepares everything under temporary names, and
 * publishes it in one short run of renames at the end. Before that, disposal leaves nothing behind; nobody else can have
 * seen it. Locks that are held meanwhile go with it.
 */
export class Arrivals implements AsyncDisposable {
  readonly #steps: (() => Promise<unknown>)[] = []
  readonly #held: (Disposable | AsyncDisposable)[] = []

  /** Disposes of something in the end, after what was held later. */
  hold<T extends Disposable | AsyncDisposable>(held: T): T {
    this.#held.push(held)
    return held
  }

  /** One step of publishing; steps run in the order in which they came. */
  afterwards(step: () => Promise<unknown>): void {
    this.#steps.push(step)
  }

  async publish(): Promise<void> {
    for (const step of this.#steps.splice(0)) await step()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const held = this.#held.pop()
    if (held === undefined) return
    try {
      if (Symbol.asyncDispose in held) await held[Symbol.asyncDispose]()
      else held[Symbol.dispose]()
    } finally {
      // One that fails must not keep the others, or a lock would be held for good.
      await this[Symbol.asyncDispose]()
    }
  }
}
