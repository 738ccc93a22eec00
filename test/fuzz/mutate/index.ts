import { crc32 } from 'node:zlib'
import { crc32c } from '../../../src/erofs/crc32c.ts'
import type { Random } from '../random.ts'
import { mutateBytes } from './bytes.ts'

const footerSize = 64
const pageSize = 65_536
const numbers = [
  0,
  1,
  2,
  3,
  4,
  8,
  12,
  31,
  32,
  48,
  63,
  64,
  255,
  256,
  448,
  511,
  512,
  4095,
  4096,
  65_535,
  65_536,
  1 << 20,
].concat([0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff])

/** Changes an index where it hurts; its checksums are right afterwards, mostly, as those of somebody who wants to deceive. */
export function mutateIndex(input: Buffer, other: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(input)
  for (let changes = 1 + random.small(5); changes > 0; changes--) bytes = changed(bytes, other, random)
  if (random.chance(0.9)) repairSums(bytes)
  return bytes
}

function changed(bytes: Buffer, other: Buffer, random: Random): Buffer {
  if (bytes.length < 2048) return mutateBytes(bytes, other, random)
  const image = bytes.readUInt32LE(1024 + 36) * 512
  const { facts, links, tarPages, pages } = footerOf(bytes)
  switch (random.below(12)) {
    case 0:
      return mutateBytes(bytes, other, random, { block: random.pick([32, 512]) })
    case 1:
      // The superblock, and the first slots of devices.
      return poke(bytes, 1024, 1152 + 256, random)
    case 2:
      return poke(bytes, bytes.length - footerSize, bytes.length, random)
    case 3:
      return poke(bytes, facts, links, random)
    case 4:
      return poke(bytes, links, tarPages, random)
    case 5:
      return poke(bytes, tarPages, pages, random)
    case 6:
      return poke(bytes, image, facts, random)
    case 7:
    case 8: {
      // An inode: format, xattrs, mode, size, blocks, links, and what follows it.
      const at = inodeIn(bytes, image, random)
      return poke(bytes, at, at + 64 + 48, random)
    }
    case 9: {
      // One inode in place of another.
      const from = inodeIn(bytes, image, random)
      bytes.copyWithin(inodeIn(bytes, image, random), from, from + 64 + random.below(64))
      return bytes
    }
    case 10: {
      // A number of one inode where that of another stands.
      const nid = Math.floor(inodeIn(bytes, image, random) / 32)
      const at = inodeIn(bytes, image, random) + 64 + 4 * random.below(40)
      if (at + 4 <= bytes.length) bytes.writeUInt32LE(nid, at)
      return bytes
    }
    default:
      return poke(bytes, 1536, image, random)
  }
}

/** A place from the facts, which name every inode. */
function inodeIn(bytes: Buffer, image: number, random: Random): number {
  const { facts, links } = footerOf(bytes)
  const count = Math.floor((links - facts) / 16)
  const at = facts + 16 * random.below(count)
  const inode = count > 0 && at >= 0 && at + 4 <= bytes.length ? bytes.readUInt32LE(at) * 32 : random.below(image)
  return Math.max(1152, Math.min(inode, bytes.length - 128))
}

function footerOf(bytes: Buffer): { facts: number; links: number; tarPages: number; pages: number } {
  const at = bytes.length - footerSize
  const place = (offset: number) => Math.min(Number(bytes.readBigUInt64LE(at + offset)), bytes.length)
  return { facts: place(24), links: place(32), tarPages: place(40), pages: place(48) }
}

/** Changes one number between two places. */
function poke(bytes: Buffer, from: number, to: number, random: Random): Buffer {
  const start = Math.max(0, Math.min(from, bytes.length - 8))
  const width = random.pick([1, 2, 2, 4, 4, 4, 6])
  const at = start + random.below(Math.min(to, bytes.length - 8) - start + 1)
  const aligned = random.chance(0.8) ? at - ((at - start) % Math.min(width, 4)) : at
  const before = bytes.readUIntLE(aligned, width)
  const choice = random.below(4)
  const value =
    choice === 0
      ? before + random.pick([-32, -16, -8, -4, -1, 1, 4, 8, 16, 32])
      : choice === 1
        ? random.next()
        : random.pick(numbers)
  const limit = 2 ** (width * 8)
  bytes.writeUIntLE(((value % limit) + limit) % limit, aligned, width)
  return bytes
}

/** Makes every checksum of an index right, as far as its footer can be believed. */
function repairSums(bytes: Buffer): void {
  if (bytes.length < 1600 + footerSize) return
  bytes.writeUInt32LE(0, 1028)
  bytes.writeUInt32LE(crc32c(bytes.subarray(1024, 1536)), 1028)
  const end = bytes.length - footerSize
  const pages = Number(bytes.readBigUInt64LE(end + 48))
  if (pages > 0 && pages < end) {
    for (let at = 0, sum = pages; at < pages && sum + 4 <= end; at += pageSize, sum += 4) {
      bytes.writeUInt32LE(crc32(bytes.subarray(at, Math.min(at + pageSize, pages))), sum)
    }
    bytes.writeUInt32LE(crc32(bytes.subarray(pages, end)), end + 56)
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(end, end + 60)), end + 60)
}
