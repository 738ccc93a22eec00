import type { ByteString } from '../model/bytes.ts'
import type { Pace } from '../model/pace.ts'
import { noBlock } from './columns.ts'
import type { IndexContent } from './content.ts'
import { unrepresentable } from './refusal.ts'
import { blockSize, inodesStart, nidSize } from './superblock.ts'
import type { Walk } from './walk.ts'
import { type XattrAreas, xattrAreas } from './xattr-areas.ts'

export const inodeSize = 64

/**
 * Largest tail kept behind its inode. A tail must not cross a block boundary, and inodes advance in steps of 32: up
 * to here a place always exists, whatever xattrs stand between.
 */
export const maxTail = 448

/** Where everything goes. Arrays are by the builder's numbers. */
export interface Layout {
  /** 0 for what nothing reaches. */
  readonly nid: Uint32Array
  /** First of the whole blocks of a directory or symlink; `noBlock` if it has none. */
  readonly block: Uint32Array
  readonly xattrs: XattrAreas
  /** Bytes of the image, a multiple of 4096. */
  readonly size: number
}

/**
 * Gives every inode its place (docs/index-format.md, "Inode numbers"): the result is part of the store format, since
 * kernel overlays and uppers remember inode numbers.
 */
export async function layOut(content: IndexContent, walk: Walk, devices: number, pace: Pace): Promise<Layout> {
  const { columns } = content
  const nid = new Uint32Array(columns.count)
  const block = new Uint32Array(columns.count).fill(noBlock)
  const areas = xattrAreas(content, walk.order)
  let cursor = inodesStart(devices)
  for (let i = 0; i < walk.order.length; i++) {
    const id = walk.order[i]!
    const size = inodeSize + areas.sizeOf(columns.xattrs[id]!)
    const tail = tailOf(content, walk, id)
    let end = size
    if (tail > 0 && tail <= maxTail) {
      while (((cursor + size) % blockSize) + tail > blockSize) cursor += nidSize
      end += tail
    } else if (isChunked(content, id)) {
      end = roundUp(size, 8) + 8
    }
    nid[id] = cursor / nidSize
    if (cursor / nidSize > 0xffffffff) throw unrepresentable('the layer', 'an index has at most 128 GiB')
    cursor += end
    if (i === 0) {
      if (nid[id]! > 0xffff) throw unrepresentable('the stack', 'an index points into at most 16,000 tars')
      cursor = areas.placeShared(roundUp(cursor, 4))
    }
    cursor = roundUp(cursor, nidSize)
    if (pace.due()) await pace.rest()
  }
  cursor = roundUp(cursor, blockSize)
  for (let i = 0; i < walk.order.length; i++) {
    const id = walk.order[i]!
    const blocks = wholeBlocks(content, walk, id)
    if (blocks > 0) {
      block[id] = cursor / blockSize
      cursor += blocks * blockSize
    }
    if (pace.due()) await pace.rest()
  }
  if (cursor >= 2 ** 32 * blockSize) throw unrepresentable('the layer', 'an index has at most 2 TiB')
  return { nid, block, xattrs: areas, size: roundUp(cursor, 4096) }
}

/** Bytes in the last block of a directory, all bytes of a symlink, 0 for the rest. */
export function tailOf({ columns, targets }: IndexContent, walk: Walk, id: number): number {
  const kind = columns.kind(id)
  if (kind === 'directory') return walk.tailSize[id]!
  return kind === 'symlink' ? (targets.get(id) as ByteString).length : 0
}

export function isChunked({ columns }: IndexContent, id: number): boolean {
  return columns.kind(id) === 'file' && columns.size[id]! > 0
}

/** Blocks outside the inode: those before a directory's inline tail, or everything where the tail is too long. */
export function wholeBlocks(content: IndexContent, walk: Walk, id: number): number {
  const tail = tailOf(content, walk, id)
  if (content.columns.kind(id) === 'directory') return walk.fullBlocks[id]! + (tail > maxTail ? 1 : 0)
  return tail > maxTail ? Math.ceil(tail / blockSize) : 0
}

export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step
}
