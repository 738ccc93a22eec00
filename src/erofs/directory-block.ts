import type { ByteString } from '../model/bytes.ts'
import { direntSize } from './dirents.ts'

/**
 * Directory blocks read in place: `buffer` from `at` to `limit`. Nothing in a block is believed: every function
 * answers -1 where the block makes no sense.
 */

/** How many entries the block has; at least one. */
export function entryCount(buffer: Buffer, at: number, limit: number): number {
  if (limit - at < direntSize) return -1
  const first = nameOffset(buffer, at, 0)
  const count = first / direntSize
  return first > 0 && first % direntSize === 0 && at + first <= limit ? count : -1
}

/** Where the name of an entry begins in the buffer. */
export function nameStart(buffer: Buffer, at: number, limit: number, index: number): number {
  const start = at + nameOffset(buffer, at, index)
  return start < limit ? start : -1
}

/** Where it ends. The last one of a block ends at the first NUL. */
export function nameEnd(
  buffer: Buffer,
  at: number,
  limit: number,
  index: number,
  count: number,
  start: number,
): number {
  if (index + 1 < count) {
    const end = at + nameOffset(buffer, at, index + 1)
    return end > start && end <= limit && end - start <= 255 ? end : -1
  }
  let end = start
  while (end < limit && buffer[end] !== 0) end++
  return end > start && end - start <= 255 ? end : -1
}

/** Below 0 if the bytes sort before the name, 0 if they are the name. */
export function compareName(buffer: Buffer, start: number, end: number, name: ByteString): number {
  const common = Math.min(end - start, name.length)
  for (let i = 0; i < common; i++) {
    const difference = buffer[start + i]! - name.charCodeAt(i)
    if (difference !== 0) return difference
  }
  return end - start - name.length
}

/** The inode number of an entry. */
export function entryNid(buffer: Buffer, at: number, index: number): number {
  const entry = at + index * direntSize
  if (buffer.readUInt32LE(entry + 4) !== 0) return -1
  return buffer.readUInt32LE(entry)
}

export function entryType(buffer: Buffer, at: number, index: number): number {
  return buffer[at + index * direntSize + 10]!
}

function nameOffset(buffer: Buffer, at: number, index: number): number {
  const entry = at + index * direntSize
  return buffer[entry + 8]! | (buffer[entry + 9]! << 8)
}
