import { koffi } from './libc.ts'
import { fromLibzstd } from './zstd-library.ts'

/** A zstd decoder in the sense of `stream/zstd.ts`, which this folder cannot import. */
interface Decoder {
  readonly name: string
  readonly byBlock: boolean
  available(): boolean
  decode(parts: AsyncIterable<Part>): AsyncIterable<Uint8Array>
}

/** A run of bytes of one frame; `end` is on its last one. */
interface Part {
  readonly bytes: Uint8Array
  readonly end?: { readonly contentSize: bigint | undefined } | undefined
}

const outputSize = 256 << 10
const inputSize = 128 << 10
const windowLogMax = 100

/** The decoders that this machine adds to those of Node and JavaScript: the shared library `libzstd`, where it is installed. */
export function zstdDecoders(): readonly Decoder[] {
  return [libzstd]
}

/** The shared library `libzstd`, called directly. Node before 22.15 has no zstd, and this is as fast as one that has. */
export const libzstd: Decoder = {
  name: 'libzstd',
  byBlock: false,
  available: () => library() !== undefined,
  decode,
}

async function* decode(parts: AsyncIterable<Part>): AsyncIterable<Uint8Array> {
  const { address } = koffi('libzstd')
  const { create, free, setParameter, decompress, isError, errorName } = library()!
  const context = create()
  try {
    // 31 is the most it takes; what may be asked for has been checked before.
    setParameter(context, windowLogMax, 31)
    const input = Buffer.allocUnsafeSlow(inputSize)
    // ZSTD_inBuffer and ZSTD_outBuffer: pointer, size, position.
    const from = new BigUint64Array([address(input), 0n, 0n])
    const to = new BigUint64Array(3)
    const fromAddress = address(from)
    const toAddress = address(to)
    let output = Buffer.allocUnsafeSlow(outputSize)
    to.set([address(output), BigInt(outputSize), 0n])
    let yielded = 0n
    let frameStart = 0n
    for await (const { bytes, end } of parts) {
      for (let at = 0; at < bytes.length; at += inputSize) {
        const piece = bytes.subarray(at, at + inputSize)
        input.set(piece)
        from[1] = BigInt(piece.length)
        from[2] = 0n
        for (;;) {
          const result = decompress(context, toAddress, fromAddress)
          if (isError(result)) throw new Error(errorName(result))
          // A full output may mean that more waits inside.
          const full = to[2] === BigInt(outputSize)
          if (full) {
            yield output
            yielded += BigInt(outputSize)
            output = Buffer.allocUnsafeSlow(outputSize)
            to.set([address(output), BigInt(outputSize), 0n])
          } else if (from[2] === from[1]) break
        }
      }
      if (end === undefined) continue
      const size = yielded + to[2]! - frameStart
      frameStart += size
      // The library compares them too, but not where the last block of a frame is empty and the frame came in several parts.
      if (end.contentSize !== undefined && end.contentSize !== size)
        throw new Error(`a frame holds ${size} bytes but says ${end.contentSize}`)
    }
    if (to[2]! > 0n) yield output.subarray(0, Number(to[2]))
  } finally {
    free(context)
  }
}

const library = fromLibzstd((library) => ({
  create: library.func('uintptr_t ZSTD_createDCtx()') as unknown as () => bigint,
  free: library.func('size_t ZSTD_freeDCtx(uintptr_t)'),
  setParameter: library.func('size_t ZSTD_DCtx_setParameter(uintptr_t, int, int)'),
  decompress: library.func('size_t ZSTD_decompressStream(uintptr_t, uintptr_t, uintptr_t)'),
}))
