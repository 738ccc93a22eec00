import { codeOf } from '../../model/errors.ts'
import type { ByteSink, Bytes } from '../../stream/bytes.ts'
import type { Disk } from '../../sys/disk.ts'
import { fileBytes } from '../../sys/file-bytes.ts'

/** A file that is compared with what should be in it, as that is made. */
export class Comparison implements ByteSink, Disposable {
  readonly #bytes: Bytes
  #buffer = Buffer.alloc(0)
  #at = 0
  #different: number | undefined

  private constructor(bytes: Bytes) {
    this.#bytes = bytes
  }

  /** `undefined` if there is no such file. */
  static open(disk: Disk, path: string): Comparison | undefined {
    try {
      return new Comparison(fileBytes(disk, path))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  get size(): number {
    return this.#bytes.size
  }

  write(chunk: Uint8Array): void {
    const at = this.#at
    this.#at += chunk.length
    if (this.#different !== undefined) return
    if (this.#buffer.length < chunk.length) this.#buffer = Buffer.allocUnsafeSlow(chunk.length)
    const own = this.#buffer.subarray(0, chunk.length)
    let got = 0
    try {
      got = this.#bytes.read(own, at)
    } catch (error) {
      if (codeOf(error) !== 'EIO') throw error
    }
    if (got !== chunk.length || Buffer.compare(own, chunk) !== 0) this.#different = at
  }

  /** Whether something was different so far. */
  get differs(): boolean {
    return this.#different !== undefined
  }

  /** Whether the file is what was written, and no more. */
  ends(): boolean {
    if (this.#at !== this.#bytes.size) this.#different ??= Math.min(this.#at, this.#bytes.size)
    return this.#different === undefined
  }

  get problem(): string {
    if (this.#at !== this.#bytes.size) return `it has ${this.#bytes.size} bytes instead of ${this.#at}`
    return `it is not what would be built now, from about byte ${this.#different} on`
  }

  /** What was equal, up to the chunk that was not. */
  before(): Buffer[] {
    const whole = Buffer.alloc(this.#different ?? this.#at)
    return [whole.subarray(0, this.#bytes.read(whole, 0))]
  }

  [Symbol.dispose](): void {
    this.#bytes.close()
  }
}
