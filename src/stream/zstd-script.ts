import type { ByteStream } from './bytes.ts'
import { Xxh64 } from './xxh64.ts'
import type { FrameEnd, FramePart } from './zstd-frames.ts'

/**
 * zstd in JavaScript, for machines with nothing better: five to eight times slower. The library under it checks neither
 * checksums nor sizes, so this does. Block by block, because it hands on everything a call decompresses before it returns.
 */
export const scriptZstd = {
  name: 'javascript',
  byBlock: true,
  available: () => true,
  decode,
} as const

async function* decode(parts: AsyncIterable<FramePart>): ByteStream {
  const { Decompress } = await import('fzstd')
  let content: Uint8Array[] = []
  let frame: InstanceType<typeof Decompress> | undefined
  let sum = new Xxh64()
  let size = 0
  for await (const { bytes, end } of parts) {
    frame ??= new Decompress((block) => {
      if (block.length > 0) content.push(block)
    })
    // It keeps what it cannot use yet, and a part belongs to us only until the next one.
    frame.push(Buffer.from(bytes), end !== undefined)
    for (const block of content) {
      size += block.length
      sum.update(block)
      yield block
    }
    content = []
    if (end !== undefined) {
      check(end, size, sum)
      frame = undefined
      sum = new Xxh64()
      size = 0
    }
  }
}

function check({ contentSize, checksum }: FrameEnd, size: number, sum: Xxh64): void {
  if (contentSize !== undefined && contentSize !== BigInt(size))
    throw new Error(`a frame holds ${size} bytes but says ${contentSize}`)
  if (checksum !== undefined && checksum !== Number(sum.digest() & 0xffffffffn))
    throw new Error('a frame does not match its checksum')
}
