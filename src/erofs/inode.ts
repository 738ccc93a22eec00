import { noBlock } from './columns.ts'
import type { IndexContent } from './content.ts'
import { encodeBlock } from './dirents.ts'
import { inodeSize, isChunked, type Layout, maxTail, roundUp, tailOf } from './layout.ts'
import type { PageOutput } from './page-output.ts'
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
 * Writes one inode with what follows it (xattrs, then an inline tail or the chunk index) into zeroed space at `at` in the
 * buffer of the output; returns how many bytes it takes.
 */
export function encodeInode(
  content: IndexContent,
  walk: Walk,
  layout: Layout,
  id: number,
  devices: number,
  { buffer: into, view }: PageOutput,
  at: number,
): number {
  const { columns } = content
  const kind = columns.kind(id)
  const tail = tailOf(content, walk, id)
  const inline = tail > 0 && tail <= maxTail
  const data = isChunked(content, id)
  const set = columns.xattrs[id]!
  const area = layout.xattrs.sizeOf(set)

  view.setUint16(at, 1 | ((inline ? inlineTail : data ? chunked : flat) << 1), true)
  if (area > 0) view.setUint16(at + 2, (area - 12) / 4 + 1, true)
  view.setUint16(at + 4, columns.mode[id]!, true)
  const size = kind === 'directory' ? walk.fullBlocks[id]! * blockSize + tail : columns.size[id]!
  view.setUint32(at + 8, size, true)
  view.setUint32(at + 12, size / 2 ** 32, true)
  const union =
    kind === 'character' || kind === 'block' ? columns.place[id]! : data ? chunkFormat(size) : layout.block[id]!
  view.setUint32(at + 16, kind === 'fifo' || kind === 'socket' ? 0 : union, true)
  view.setUint32(at + 20, layout.nid[id]!, true)
  view.setUint32(at + 24, columns.uid[id]!, true)
  view.setUint32(at + 28, columns.gid[id]!, true)
  view.setUint32(at + 32, columns.secondsLow[id]!, true)
  view.setUint32(at + 36, columns.secondsHigh[id]!, true)
  view.setUint32(at + 40, columns.nanoseconds[id]!, true)
  view.setUint32(at + 44, walk.links[id]!, true)
  if (area > 0) layout.xattrs.encode(into, at + inodeSize, set)

  const behind = inodeSize + area
  if (data) {
    const block = columns.place[id]!
    const device = columns.device[id]!
    if (block !== noBlock && device >= devices) throw unrepresentable(`device ${device}`, `there are ${devices}`)
    const index = roundUp(behind, 8)
    view.setUint16(at + index + 2, block === noBlock ? 0 : device + 1, true)
    view.setUint32(at + index + 4, block, true)
    return index + 8
  }
  if (!inline) return behind
  if (kind === 'symlink') into.write(content.targets.get(id)!, at + behind, 'latin1')
  else encodeBlock(into, view, at + behind, walk, walk.tailStart[id]!, walk.end[id]!, layout.nid, columns.mode)
  return behind + tail
}

/** One chunk for the whole file: the smallest power of two that holds it. */
function chunkFormat(size: number): number {
  let bits = 9
  while (2 ** bits < size) bits++
  return chunkIndexes | (bits - 9)
}
