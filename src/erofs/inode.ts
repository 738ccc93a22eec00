import { noBlock } from './columns.ts'
import type { IndexContent } from './content.ts'
import { direntType, encodeBlock } from './dirents.ts'
import { inodeSize, isChunked, type Layout, maxTail, roundUp, tailOf } from './layout.ts'
import { unrepresentable } from './refusal.ts'
import { blockSize } from './superblock.ts'
import type { Walk } from './walk.ts'

/** Data layouts, as they stand in `i_format` beside the bit that says "extended". */
export const flat = 0
export const inlineTail = 2
export const chunked = 4

/** Bit 5 of a chunk format: indexes of 8 bytes, with a device. */
export const chunkIndexes = 0x20

/**
 * Writes one inode with what follows it (xattrs, then an inline tail or the chunk index) into zeroed space; returns
 * how many bytes it takes.
 */
export function encodeInode(
  content: IndexContent,
  walk: Walk,
  layout: Layout,
  id: number,
  devices: number,
  into: Buffer,
  at: number,
): number {
  const { columns } = content
  const mode = columns.mode[id]!
  const kind = columns.kind(id)
  const tail = tailOf(content, walk, id)
  const inline = tail > 0 && tail <= maxTail
  const data = isChunked(content, id)
  const set = columns.xattrs[id]!
  const area = layout.xattrs.sizeOf(set)
  const nid = layout.nid[id]!

  into.writeUInt16LE(1 | ((inline ? inlineTail : data ? chunked : flat) << 1), at)
  if (area > 0) into.writeUInt16LE((area - 12) / 4 + 1, at + 2)
  into.writeUInt16LE(mode, at + 4)
  const size = kind === 'directory' ? walk.fullBlocks[id]! * blockSize + tail : columns.size[id]!
  into.writeUInt32LE(size % 2 ** 32, at + 8)
  into.writeUInt32LE(Math.floor(size / 2 ** 32), at + 12)
  const union =
    kind === 'character' || kind === 'block' ? columns.place[id]! : data ? chunkFormat(size) : layout.block[id]!
  into.writeUInt32LE(kind === 'fifo' || kind === 'socket' ? 0 : union, at + 16)
  into.writeUInt32LE(nid, at + 20)
  into.writeUInt32LE(columns.uid[id]!, at + 24)
  into.writeUInt32LE(columns.gid[id]!, at + 28)
  into.writeBigInt64LE(columns.seconds[id]!, at + 32)
  into.writeUInt32LE(columns.nanoseconds[id]!, at + 40)
  into.writeUInt32LE(walk.links[id]!, at + 44)
  if (area > 0) layout.xattrs.encode(into, at + inodeSize, set)

  const behind = inodeSize + area
  if (data) {
    const block = columns.place[id]!
    const device = columns.device[id]!
    if (block !== noBlock && device >= devices) throw unrepresentable(`device ${device}`, `there are ${devices}`)
    const index = roundUp(behind, 8)
    into.writeUInt16LE(block === noBlock ? 0 : device + 1, at + index + 2)
    into.writeUInt32LE(block, at + index + 4)
    return index + 8
  }
  if (!inline) return behind
  if (kind === 'symlink') into.write(content.targets.get(id)!, at + behind, 'latin1')
  else {
    const nidAt = (index: number) => layout.nid[walk.members[index]!]!
    const typeAt = (index: number) => direntType(columns.mode[walk.members[index]!]!)
    encodeBlock(into, at + behind, walk.names, walk.tailStart[id]!, walk.end[id]!, nidAt, typeAt)
  }
  return behind + tail
}

/** One chunk for the whole file: the smallest power of two that holds it. */
function chunkFormat(size: number): number {
  let bits = 9
  while (2 ** bits < size) bits++
  return chunkIndexes | (bits - 9)
}
