import { once } from 'node:events'
import type { Writable } from 'node:stream'

/** Whoever reads our output has gone: nothing is wrong, and there is nothing left to say. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed'
}

/** Stdout does not take what is written: its disk is full, for one. */
export class OutputFailed extends Error {
  override readonly name = 'OutputFailed'
  readonly code: string | undefined
  readonly syscall = 'write'

  constructor(cause: NodeJS.ErrnoException) {
    super(`${cause.message} to stdout`, { cause })
    this.code = cause.code
  }
}

/** Writes all of it, and answers when it is with the system. @throws OutputClosed, OutputFailed */
export async function writeOut(target: Writable, chunk: Uint8Array | string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    target.write(chunk, (error) => {
      if (error === null || error === undefined) resolve()
      else reject((error as NodeJS.ErrnoException).code === 'EPIPE' ? new OutputClosed() : new OutputFailed(error))
    })
  })
}

/** Errors of stdout come to who writes, through `writeOut`; as an event they would end the process. */
export const heardElsewhere = () => {}

/**
 * Standard output, buffered: a listing of a million lines is a few hundred writes. `print` and `write` never block; `room`
 * waits until the reader keeps up, and lets signals in. A pipe that was closed surfaces as `OutputClosed`.
 */
export class Output {
  readonly #target: Writable
  readonly #before: () => void
  #held: string[] = []
  #size = 0
  #closed = false
  #failure: Error | undefined

  /** `before` is called when something is about to be written: a progress bar on the same terminal makes room. */
  constructor(target: Writable, before: () => void = () => {}) {
    this.#target = target
    this.#before = before
    target.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') this.#closed = true
      else this.#failure ??= new OutputFailed(error)
    })
  }

  /** Adds one line. */
  print(line: string): void {
    this.#held.push(line, '\n')
    this.#size += line.length + 1
  }

  /** True when it is time to await `room`. */
  get full(): boolean {
    return this.#size > 1 << 16
  }

  /** Writes what is held and waits for the reader. @throws OutputClosed, OutputFailed */
  async room(): Promise<void> {
    if (this.#size === 0) return
    const text = this.#held.join('')
    this.#held = []
    this.#size = 0
    await this.write(Buffer.from(text, 'utf8'))
  }

  /** Bytes as they are, after the lines so far. @throws OutputClosed, OutputFailed */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#size > 0) await this.room()
    this.#check()
    this.#before()
    await writeOut(this.#target, chunk)
  }

  get isTerminal(): boolean {
    return (this.#target as { isTTY?: boolean }).isTTY === true
  }

  /** Everything is with the system when this returns. @throws OutputClosed, OutputFailed */
  async end(): Promise<void> {
    await this.room()
    if (this.#target.writableNeedDrain) await once(this.#target, 'drain')
    this.#check()
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#closed) throw new OutputClosed()
  }
}
