import type { Pace } from '../model/pace.ts'

/** What is told one by one, most of it at once, some only after waiting; `pace` says when others get a turn. */
export interface Telling<T> {
  readonly pace: Pace
  readonly values: Iterator<T | Promise<T>, void, undefined>
}

/**
 * As `async function*` would tell it, for a fraction of the cost: a generator waits several times for each value, even where there is
 * nothing to wait for. Nothing happens before the first value is asked for.
 */
export function toldOneByOne<T>(begin: () => Telling<T>): AsyncGenerator<T, void, undefined> {
  return new OneByOne(begin) as unknown as AsyncGenerator<T, void, undefined>
}

class OneByOne<T> {
  readonly #begin: () => Telling<T>
  #telling: Telling<T> | undefined
  #ended = false
  /** What was asked for last, while that is still being waited for. */
  #waiting: Promise<void> | undefined

  constructor(begin: () => Telling<T>) {
    this.#begin = begin
  }

  next(): Promise<IteratorResult<T, void>> {
    // Whoever asks before the answer is here gets the next one after it.
    if (this.#waiting !== undefined) return this.#after(this.#waiting.then(() => this.#step()))
    const { pace } = this.#telling ?? {}
    if (pace?.due()) return this.#after(pace.rest().then(() => this.#step()))
    return this.#step()
  }

  async return(): Promise<IteratorResult<T, void>> {
    await this.#waiting
    this.#ended = true
    this.#telling?.values.return?.()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<IteratorResult<T, void>> {
    await this.return()
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #step(): Promise<IteratorResult<T, void>> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    try {
      this.#telling ??= this.#begin()
      const result = this.#telling.values.next()
      if (result.done) {
        this.#ended = true
        return Promise.resolve({ done: true, value: undefined })
      }
      const { value } = result
      if (!(value instanceof Promise)) return Promise.resolve({ done: false, value })
      return this.#after(value.then((told) => ({ done: false, value: told })))
    } catch (error) {
      this.#ended = true
      return Promise.reject(error)
    }
  }

  #after(answer: Promise<IteratorResult<T, void>>): Promise<IteratorResult<T, void>> {
    const over = () => {
      if (this.#waiting === waiting) this.#waiting = undefined
    }
    const waiting: Promise<void> = answer.then(over, over)
    this.#waiting = waiting
    return answer.catch((error) => {
      this.#ended = true
      throw error
    })
  }
}
