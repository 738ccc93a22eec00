import { misuse } from './refusal.ts'
import type { Dirent } from './stats.ts'
import { checkFunction } from './validation.ts'

type Done<Result> = (error: Error | null, result: Result) => void

/** An open directory. Its names are those that were there when it was opened. */
export class Dir implements AsyncDisposable {
  readonly path: string
  readonly #entries: Iterator<Dirent>
  readonly #onClose: () => void
  #closed = false

  constructor(path: string, entries: Iterable<Dirent>, onClose: () => void) {
    this.path = path
    this.#entries = entries[Symbol.iterator]()
    this.#onClose = onClose
  }

  /** The next name; `null` at the end. @throws ERR_DIR_CLOSED */
  readSync(): Dirent | null {
    this.#check()
    const { done, value } = this.#entries.next()
    return done ? null : value
  }

  read(): Promise<Dirent | null>
  read(done: Done<Dirent | null>): void
  read(done?: Done<Dirent | null>): Promise<Dirent | null> | undefined {
    this.#check()
    if (done === undefined) return (async () => this.readSync())()
    checkFunction(done, 'callback')
    let entry: Dirent | null
    try {
      entry = this.readSync()
    } catch (error) {
      process.nextTick(done, error)
      return undefined
    }
    process.nextTick(done, null, entry)
    return undefined
  }

  closeSync(): void {
    this.#check()
    this.#closed = true
    this.#onClose()
  }

  close(): Promise<void>
  close(done: (error: Error | null) => void): void
  close(done?: (error: Error | null) => void): Promise<void> | undefined {
    if (done === undefined) return (async () => this.closeSync())()
    checkFunction(done, 'callback')
    if (this.#closed) process.nextTick(done, closedError())
    else {
      this.closeSync()
      process.nextTick(done, null)
    }
    return undefined
  }

  /** Closes itself at the end. */
  async *entries(): AsyncGenerator<Dirent, void> {
    try {
      for (let entry = await this.read(); entry !== null; entry = await this.read()) yield entry
    } finally {
      await this.close()
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<Dirent, void> {
    return this.entries()
  }

  /** Closing twice is fine here. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) await this.close()
  }

  #check(): void {
    if (this.#closed) throw closedError()
  }
}

function closedError(): Error {
  return misuse('ERR_DIR_CLOSED', 'Directory handle was closed', Error)
}
