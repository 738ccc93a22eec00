import { blockHeader, rawFrame, skippable } from '../../stream/zstd-writing.ts'
import type { Random } from '../random.ts'
import { inserted, mutateBytes } from './bytes.ts'

const words = [
  '\x28\xb5\x2f\xfd',
  '\x50\x2a\x4d\x18\0\0\0\0',
  '\x5f\x2a\x4d\x18\x04\0\0\0',
  '\x28\xb5\x2f\xfd\0\x38\x01\0\0',
  '\x01\0\0',
]

interface Block {
  readonly at: number
  readonly end: number
}
export interface Frame {
  readonly start: number
  /** Where its first block begins. */
  readonly body: number
  readonly blocks: readonly Block[]
  readonly end: number
}

/** Changes a zstd stream: bytes, frame headers, block headers, whole blocks and frames. */
export function mutateZstd(input: Buffer, other: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(input)
  for (let changes = 1 + random.small(3); changes > 0; changes--) bytes = changed(bytes, other, random)
  // A checksum that is wrong hides everything else.
  if (random.chance(0.7)) bytes = withoutChecksums(bytes)
  return bytes
}

function changed(bytes: Buffer, other: Buffer, random: Random): Buffer {
  const frames = framesOf(bytes)
  const frame = frames.length > 0 ? random.pick(frames) : undefined
  if (frame === undefined || random.chance(0.3)) return mutateBytes(bytes, other, random, { words })
  const { start, end, blocks } = frame
  const block = blocks.length > 0 ? random.pick(blocks) : undefined
  switch (random.below(11)) {
    case 0:
      bytes[start + 4] = random.pick([
        0,
        4,
        0x20,
        0x24,
        0x40,
        0x60,
        0x80,
        0xa0,
        0xc0,
        0xe0,
        1,
        2,
        3,
        8,
        0x10,
        bytes[start + 4]! ^ 4,
      ])
      return bytes
    case 1:
      bytes[start + 5] = random.pick([0, 0x38, 0x50, 0x58, 0x88, 0x89, 0xa0, 0xff, random.next() & 0xff])
      return bytes
    case 2:
      return inserted(bytes, random.pick([start, end]), skippable(random.bytes(random.small(40)), random.below(16)))
    case 3:
      return inserted(bytes, start, bytes.subarray(start, end))
    case 4:
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
    case 5: {
      const theirs = framesOf(other)
      if (theirs.length === 0) return bytes
      const one = random.pick(theirs)
      const mine = block
      const theirBlock = random.pick(one.blocks.length > 0 ? one.blocks : [{ at: one.start, end: one.end }])
      if (mine !== undefined && random.chance(0.5))
        return inserted(bytes, mine.at, other.subarray(theirBlock.at, theirBlock.end))
      return inserted(bytes, end, other.subarray(one.start, one.end))
    }
    case 6: {
      const content = random.bytes(random.small(100))
      return inserted(
        bytes,
        end,
        rawFrame(content, { checksum: random.chance(0.5), size: random.chance(0.5), block: 30 }),
      )
    }
    case 7:
      if (block === undefined) return bytes
      return inserted(bytes, block.at, Buffer.concat([blockHeader(false, 1, random.small(200_000)), Buffer.from('r')]))
    case 8: {
      if (block === undefined || block.at + 3 > bytes.length) return bytes
      const header = bytes.readUIntLE(block.at, 3)
      const field = random.below(3)
      const size = random.chance(0.5)
        ? (header >> 3) + random.pick([-1, 1, 2])
        : random.pick([0, 1, 131_072, 131_073, 2 ** 21 - 1])
      if (field === 0) bytes.writeUIntLE(header ^ 1, block.at, 3)
      else if (field === 1) bytes.writeUIntLE((header & ~6) | (random.below(4) << 1), block.at, 3)
      else bytes.writeUIntLE((header & 7) | (Math.max(0, Math.min(size, 2 ** 21 - 1)) << 3), block.at, 3)
      return bytes
    }
    case 9:
      if (block === undefined) return bytes
      return Buffer.concat([bytes.subarray(0, block.at), bytes.subarray(block.end)])
    default: {
      // Inside a compressed block: its literals and sequences, the size in its header set right.
      if (block === undefined || block.end <= block.at + 3) return bytes
      const content = mutateBytes(bytes.subarray(block.at + 3, block.end), other, random).subarray(0, 131_072)
      const header = bytes.readUIntLE(block.at, 3)
      const fresh = blockHeader((header & 1) === 1, (header >> 1) & 3, content.length)
      return Buffer.concat([bytes.subarray(0, block.at), fresh, content, bytes.subarray(block.end)])
    }
  }
}

/** The frames of a stream, as far as they are found; skippable ones are left out. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let start = 0; start + 6 <= bytes.length && frames.length < 20; ) {
    if (bytes.readUInt32LE(start) !== 0xfd2fb528) {
      if ((bytes.readUInt32LE(start) & 0xfffffff0) >>> 0 !== 0x184d2a50 || start + 8 > bytes.length) break
      start += 8 + bytes.readUInt32LE(start + 4)
      continue
    }
    const descriptor = bytes[start + 4]!
    const single = (descriptor & 0x20) !== 0
    const sizes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]!
    const body = start + 5 + (single ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]! + sizes
    const blocks: Block[] = []
    let at = body
    for (let last = false; !last && at + 3 <= bytes.length; ) {
      const header = bytes.readUIntLE(at, 3)
      const end = Math.min(bytes.length, at + 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3))
      blocks.push({ at, end })
      last = (header & 1) === 1
      at = end
    }
    const end = Math.min(bytes.length, at + (descriptor & 4 ? 4 : 0))
    frames.push({ start, body, blocks, end })
    start = end
  }
  return frames
}

function withoutChecksums(bytes: Buffer): Buffer {
  let result = bytes
  for (const { start, end } of framesOf(bytes).reverse()) {
    if (!(result[start + 4]! & 4) || end - start < 10) continue
    result[start + 4]! &= ~4
    result = Buffer.concat([result.subarray(0, end - 4), result.subarray(end)])
  }
  return result
}
