import { setTimeout as sleep } from 'node:timers/promises'
import type { Descriptor } from '../../model/documents.ts'
import { PlyError } from '../../model/errors.ts'
import { checkAborted, type Operation } from '../../model/operation.ts'
import { timed } from '../../model/phases.ts'
import { untilAborted } from '../../stream/abort.ts'
import { type ByteStream, type Bytes, streamOf } from '../../stream/bytes.ts'
import { Tally } from '../../stream/hash.ts'
import type { PartFile } from './part-file.ts'
import type { Slots } from './slots.ts'

/** Bytes of a blob from a position on, unverified. */
export type FetchFrom = (descriptor: Descriptor, from: number, operation: Operation) => ByteStream

/** What a download needs around it. */
export interface Surroundings {
  readonly slots: Slots
  readonly fetch: FetchFrom
  readonly signal: AbortSignal
  open(): Promise<PartFile>
}

/** One blob that arrives, as long as somebody wants it. */
export class Download {
  readonly descriptor: Descriptor
  readonly done: Promise<PartFile>
  /** Whether somebody has had all of it. */
  read = false
  readonly #stop = new AbortController()
  #readers = 0
  #failed = false
  #finished = false
  #part: PartFile | undefined
  /** How much may be read: what an earlier attempt has left is not shown before all of it is checked. */
  #shown = 0
  #waiting: (() => void)[] = []

  constructor(descriptor: Descriptor, operation: Operation, surroundings: Surroundings) {
    this.descriptor = descriptor
    const signal = AbortSignal.any([this.#stop.signal, surroundings.signal])
    this.done = this.#run(operation, { ...surroundings, signal })
    this.done
      .catch(() => {
        this.#failed = true
      })
      .finally(() => this.#tell())
  }

  /** Whether nothing more comes of it. */
  get stopped(): boolean {
    return this.#failed || this.#stop.signal.aborted
  }

  /** The bytes as they come. A reader that stops leaves the others alone. */
  async *follow({ signal }: Operation): ByteStream {
    const { size } = this.descriptor
    using _ = this.#reader()
    for (let at = 0; at < size; ) {
      checkAborted(signal)
      const shown = this.#shown
      if (at < shown) {
        for await (const chunk of streamOf(between(this.#part!.bytes(shown), at))) {
          yield chunk
          at += chunk.length
        }
      } else if (this.#failed || this.#finished) break
      else await untilAborted(new Promise<void>((resolve) => this.#waiting.push(resolve)), signal)
    }
    // It fails here, with what it has failed with.
    await untilAborted(this.done, signal)
  }

  /** All of it, where it lies. */
  async whole({ signal }: Operation): Promise<PartFile> {
    using _ = this.#reader()
    const part = await untilAborted(this.done, signal)
    this.read = true
    return part
  }

  end(keep: boolean): void {
    this.#part?.end(keep)
  }

  #reader(): Disposable {
    this.#readers++
    return {
      [Symbol.dispose]: () => {
        if (--this.#readers === 0 && !this.#finished) this.#stop.abort()
      },
    }
  }

  async #run(operation: Operation, surroundings: Surroundings): Promise<PartFile> {
    using _ = await surroundings.slots.take(surroundings.signal)
    return timed('fetch', this.descriptor.digest, () => this.#brought(operation, surroundings))
  }

  async #brought(operation: Operation, { fetch, open, signal }: Surroundings): Promise<PartFile> {
    const part = await open()
    this.#part = part
    const { size, digest } = this.descriptor
    const tally = part.size === 0 ? undefined : await tallied(part.bytes(), signal)
    const told = () => operation.onProgress?.({ what: digest, done: part.size, total: size })
    await this.#append(fetch(this.descriptor, part.size, { signal }), part, tally, told)
    if (tally !== undefined && tally.digest() !== digest) {
      // The rest of another attempt was not of this blob.
      part.restart()
      await this.#append(fetch(this.descriptor, 0, { signal }), part, undefined, told)
    }
    this.#shown = part.size
    this.#finished = true
    return part
  }

  async #append(stream: ByteStream, part: PartFile, tally: Tally | undefined, told: () => void): Promise<void> {
    for await (const chunk of stream) {
      if (part.size + chunk.length > this.descriptor.size) throw tooLong(this.descriptor)
      await part.append(chunk)
      tally?.write(chunk)
      if (tally === undefined) {
        this.#shown = part.size
        this.#tell()
      }
      told()
    }
  }

  #tell(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

function tooLong({ digest, size }: Descriptor): PlyError {
  return new PlyError('PLY_SIZE_MISMATCH', { what: `blob ${digest}`, expected: size, actual: `more than ${size}` })
}

function between(bytes: Bytes, from: number): Bytes {
  return {
    size: bytes.size - from,
    read: (into, position) => bytes.read(into, from + position),
    close() {},
  }
}

async function tallied(bytes: Bytes, signal: AbortSignal): Promise<Tally> {
  const tally = new Tally()
  for await (const chunk of streamOf(bytes, 1 << 20)) {
    checkAborted(signal)
    tally.write(chunk)
    await sleep(0)
  }
  return tally
}
