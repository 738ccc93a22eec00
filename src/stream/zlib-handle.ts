import { createGunzip, type Gunzip, gzipSync } from 'node:zlib'

/**
 * The part of a zlib stream of Node that its own synchronous calls are made of. It is not documented, and has been the same from
 * Node 10 on; `gunzipHandle` tries it out before anybody relies on it.
 */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputSize: number,
    output: Uint8Array,
    outputAt: number,
    outputSize: number,
  ): void
  onerror: (message: string, errno: number, code: string) => void
}

interface WithHandle {
  readonly _handle?: Partial<Handle> | null
  /** Room left in the output, input left. */
  readonly _writeState?: Uint32Array
}

const noFlush = 0
const finish = 4

/**
 * gunzip that writes into a buffer of the caller's, again and again: a stream of Node makes a new one for each chunk, and making
 * them and taking them back costs half as much as decompressing (docs/decisions/inflating.md).
 */
export class GunzipHandle {
  readonly #codec: Gunzip
  readonly #handle: Handle
  readonly #state: Uint32Array
  #error: Error | undefined

  /** `undefined` if Node does not have what this needs. */
  static create(): GunzipHandle | undefined {
    const codec = createGunzip()
    const { _handle: handle, _writeState: state } = codec as unknown as WithHandle
    if (typeof handle?.writeSync === 'function' && state instanceof Uint32Array && state.length >= 2)
      return new GunzipHandle(codec, handle as Handle, state)
    codec.close()
    return undefined
  }

  private constructor(codec: Gunzip, handle: Handle, state: Uint32Array) {
    this.#codec = codec
    this.#handle = handle
    this.#state = state
    handle.onerror = (message, errno, code) => {
      this.#error = Object.assign(new Error(message), { errno, code })
    }
  }

  /**
   * Decompresses from `at` in the input until that is used up or the output is full. Afterwards `left` is what was not taken and
   * `room` what is left in the output. Both at once: the stream has ended before its input. @throws what zlib says (`Z_…`)
   */
  write(input: Uint8Array, at: number, output: Uint8Array): void {
    this.#write(noFlush, input, at, output)
  }

  /** The input is over. @throws Z_BUF_ERROR if the stream is not. */
  end(output: Uint8Array): void {
    this.#write(finish, output, output.length, output)
  }

  get room(): number {
    return this.#state[0]!
  }

  get left(): number {
    return this.#state[1]!
  }

  close(): void {
    this.#codec.close()
  }

  #write(flush: number, input: Uint8Array, at: number, output: Uint8Array): void {
    this.#handle.writeSync(flush, input, at, input.length - at, output, 0, output.length)
    if (this.#error !== undefined) throw this.#error
  }
}

let works: boolean | undefined

/** A decompressor, if this Node has what it needs and does what is expected of it. */
export function gunzipHandle(): GunzipHandle | undefined {
  works ??= tried()
  return works ? GunzipHandle.create() : undefined
}

/** Two members, cut, into an output that is too small. */
function tried(): boolean {
  let handle: GunzipHandle | undefined
  try {
    handle = GunzipHandle.create()
    if (handle === undefined) return false
    const text = 'plyfs '.repeat(20)
    const input = Buffer.concat([gzipSync(text), gzipSync(text), Buffer.alloc(3)])
    const output = Buffer.alloc(64)
    let found = ''
    for (const part of [input.subarray(0, 15), input.subarray(15)]) {
      for (let at = 0; ; at = part.length - handle.left) {
        handle.write(part, at, output)
        found += output.toString('latin1', 0, output.length - handle.room)
        if (handle.room > 0) break
      }
    }
    return found === text + text && handle.left === 3
  } catch {
    return false
  } finally {
    handle?.close()
  }
}
