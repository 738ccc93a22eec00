import type { ByteStream } from './bytes.ts'

/** Cuts a stream into blocks of one size; the last one is shorter, or empty where there is nothing at all. */
export async function* inBlocks(
  source: ByteStream,
  blockSize: number,
): AsyncGenerator<{ readonly block: Buffer; readonly last: boolean }> {
  let block = Buffer.allocUnsafeSlow(blockSize)
  let filled = 0
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      if (filled === blockSize) {
        yield { block, last: false }
        block = Buffer.allocUnsafeSlow(blockSize)
        filled = 0
      }
      const part = chunk.subarray(at, at + blockSize - filled)
      block.set(part, filled)
      filled += part.length
      at += part.length
    }
  }
  yield { block: block.subarray(0, filled), last: true }
}
