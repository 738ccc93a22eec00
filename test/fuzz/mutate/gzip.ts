import { crc32 } from 'node:zlib'
import { headerEnd, inflate } from '../oracle/plain-gunzip.ts'
import type { Random } from '../random.ts'
import { inserted, mutateBytes } from './bytes.ts'

const words = [
  '\x1f\x8b\x08',
  '\x1f\x8b',
  '\x1f\x8b\x08\0\0\0\0\0\0\x03',
  '\0\0\0\0',
  '\x03\0',
  '\x01\0\0\xff\xff',
  '\x1f\x8b\x09',
]

interface GzipMember {
  readonly start: number
  readonly body: number
  /** Where its trailer begins. */
  readonly trailer: number
  readonly content: Buffer
}

/** Changes a gzip stream: bytes, header flags, trailers, whole members; checksums are right afterwards, often. */
export function mutateGzip(input: Buffer, other: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(input)
  for (let changes = 1 + random.small(3); changes > 0; changes--) bytes = changed(bytes, other, random)
  if (random.chance(0.5)) repair(bytes)
  return bytes
}

function changed(bytes: Buffer, other: Buffer, random: Random): Buffer {
  const members = membersOf(bytes)
  const one = members.length > 0 ? random.pick(members) : undefined
  if (one === undefined || random.chance(0.35)) return mutateBytes(bytes, other, random, { words })
  const whole = bytes.subarray(one.start, one.trailer + 8)
  switch (random.below(10)) {
    case 0:
      bytes[one.start + random.pick([3, 3, 3, 2, 8, 9])] = random.pick([0, 1, 2, 4, 8, 16, 0x1e, 0x20, 0x80, 0xff])
      return bytes
    case 1: {
      // A field with extra bytes, a name, or a comment.
      const flag = random.pick([4, 8, 16])
      const text = random.bytes(random.small(600)).map((byte) => byte || 1)
      const length = Buffer.from([text.length & 0xff, text.length >> 8])
      bytes[one.start + 3]! |= flag
      const field = flag === 4 ? Buffer.concat([length, text]) : Buffer.concat([text, Buffer.alloc(1)])
      return inserted(bytes, one.start + 10, field)
    }
    case 2: {
      // A checksum of the header itself.
      bytes[one.start + 3]! |= 2
      const sum = Buffer.alloc(2)
      sum.writeUInt16LE(crc32(bytes.subarray(one.start, one.body)) & 0xffff)
      return inserted(bytes, one.body, sum)
    }
    case 3:
      return Buffer.concat([bytes, Buffer.alloc(random.small(2000))])
    case 4:
      return Buffer.concat([bytes, Buffer.alloc(random.small(20)), random.bytes(1 + random.small(20))])
    case 5:
      return inserted(bytes, one.start, whole)
    case 6:
      return Buffer.concat([bytes.subarray(0, one.start), bytes.subarray(one.trailer + 8)])
    case 7: {
      const theirs = membersOf(other)
      if (theirs.length === 0) return bytes
      const { start, trailer } = random.pick(theirs)
      return inserted(bytes, one.trailer + 8, other.subarray(start, trailer + 8))
    }
    case 8:
      if (one.trailer + 8 <= bytes.length) bytes[one.trailer + random.below(8)]! ^= 1 << random.below(8)
      return bytes
    default: {
      const body = mutateBytes(bytes.subarray(one.body, one.trailer), other, random)
      return Buffer.concat([bytes.subarray(0, one.body), body, bytes.subarray(one.trailer)])
    }
  }
}

function membersOf(bytes: Buffer): GzipMember[] {
  const members: GzipMember[] = []
  for (let start = 0; start < bytes.length && members.length < 20; ) {
    const body = headerEnd(bytes, start)
    const inflated = body === undefined ? undefined : inflate(bytes.subarray(body))
    if (body === undefined || inflated === undefined || inflated === 'large') break
    const trailer = body + inflated.used
    members.push({ start, body, trailer, content: inflated.content })
    start = trailer + 8
  }
  return members
}

function repair(bytes: Buffer): void {
  for (const { trailer, content } of membersOf(bytes)) {
    if (trailer + 8 > bytes.length) continue
    bytes.writeUInt32LE(crc32(content), trailer)
    bytes.writeUInt32LE(content.length, trailer + 4)
  }
}
