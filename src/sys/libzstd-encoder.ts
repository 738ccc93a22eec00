import { koffi } from './libc.ts'
import { fromLibzstd } from './zstd-library.ts'

/** A zstd encoder in the sense of `stream/zstd.ts`, which this folder cannot import. */
interface Encoder {
  readonly name: string
  available(): boolean
  encode(source: AsyncIterable<Uint8Array>, level: number): AsyncIterable<Uint8Array>
}

const outputSize = 256 << 10
/** One call of the library takes this much: about a millisecond of work. */
const inputSize = 128 << 10
/** `ZSTD_cParameter` and `ZSTD_EndDirective` of zstd.h. */
const compressionLevel = 100
const checksumFlag = 201
const goOn = 0
const end = 2

/** The encoders that this machine adds to Node's: the shared library `libzstd`, where it is installed. */
export function zstdEncoders(): readonly Encoder[] {
  return [libzstdEncoder]
}

/** The shared library `libzstd`, called directly: Node before 22.15 has no zstd. */
export const libzstdEncoder: Encoder = {
  get name() {
    return `zstd ${library()?.version() ?? 'that is not there'}`
  },
  available: () => library() !== undefined,
  encode,
}

async function* encode(source: AsyncIterable<Uint8Array>, level: number): AsyncIterable<Uint8Array> {
  const { address } = koffi('libzstd')
  const { create, free, setParameter, compress, isError, errorName } = library()!
  const context = create()
  try {
    for (const [parameter, value] of [
      [compressionLevel, level],
      [checksumFlag, 1],
    ] as const) {
      const result = setParameter(context, parameter, value)
      if (isError(result)) throw new Error(errorName(result))
    }
    const input = Buffer.allocUnsafeSlow(inputSize)
    // ZSTD_inBuffer and ZSTD_outBuffer: pointer, size, position.
    const from = new BigUint64Array([address(input), 0n, 0n])
    const to = new BigUint64Array(3)
    const fromAddress = address(from)
    const toAddress = address(to)
    let output = Buffer.alloc(0)
    const renew = () => {
      output = Buffer.allocUnsafeSlow(outputSize)
      to.set([address(output), BigInt(outputSize), 0n])
    }
    renew()
    /** Answers how much is left to be written out. */
    const step = (directive: number): number => {
      const rest = compress(context, toAddress, fromAddress, directive)
      if (isError(rest)) throw new Error(errorName(rest))
      return Number(rest)
    }
    for await (const bytes of source) {
      for (let at = 0; at < bytes.length; at += inputSize) {
        const piece = bytes.subarray(at, at + inputSize)
        input.set(piece)
        from[1] = BigInt(piece.length)
        from[2] = 0n
        while (from[2] < from[1]) {
          step(goOn)
          if (to[2] !== BigInt(outputSize)) continue
          yield output
          renew()
        }
      }
    }
    from[1] = 0n
    from[2] = 0n
    while (step(end) > 0) {
      yield output.subarray(0, Number(to[2]))
      renew()
    }
    if (to[2]! > 0n) yield output.subarray(0, Number(to[2]))
  } finally {
    free(context)
  }
}

const library = fromLibzstd((library) => ({
  create: library.func('uintptr_t ZSTD_createCCtx()') as unknown as () => bigint,
  free: library.func('size_t ZSTD_freeCCtx(uintptr_t)'),
  setParameter: library.func('size_t ZSTD_CCtx_setParameter(uintptr_t, int, int)'),
  compress: library.func('size_t ZSTD_compressStream2(uintptr_t, uintptr_t, uintptr_t, int)'),
  version: library.func('const char* ZSTD_versionString()') as unknown as () => string,
}))
