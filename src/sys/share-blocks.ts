import { PlyError } from '../model/errors.ts'
import type { Place } from './copy.ts'
import { errnoName, lastErrno, libc, systemError } from './libc.ts'

const dedupeRange = 0xc0189436
const fileMap = 0xc020660b
/** Btrfs compares no more at a time. */
const longest = 16 << 20
/** `FILE_DEDUPE_RANGE_DIFFERS`. */
const differs = 1
const mostExtents = 128
const headSize = 32
const extentSize = 56
/** `FIEMAP_EXTENT_LAST`, and those without a place on the disk that says something: unknown, delayed, encoded, inline, unwritten … */
const lastExtent = 1
const placeless = 0x02 | 0x04 | 0x80 | 0x100 | 0x200 | 0x400

const ioctl = libc('int ioctl(int, unsigned long, void*)')

/**
 * Lets two ranges of equal bytes lie in the same blocks of the disk (`FIDEDUPERANGE`), and answers how many bytes do now; fewer, if
 * the ranges differ. The kernel compares them itself, under its own locks, so nothing can come in between and nobody sees a change.
 * All numbers are multiples of the file system's block, and the descriptors may be read-only where the file is ours.
 *
 * @throws EOPNOTSUPP where the file system cannot, or without native calls; EINVAL, EPERM, EXDEV, ETXTBSY, ENOSPC …
 */
export function shareBlocks(source: Place, target: Place, length: number): number {
  let done = 0
  while (done < length) {
    const size = Math.min(longest, length - done)
    const request = Buffer.alloc(24 + 32)
    request.writeBigUInt64LE(BigInt(source.offset + done), 0)
    request.writeBigUInt64LE(BigInt(size), 8)
    request.writeUInt16LE(1, 16)
    request.writeBigInt64LE(BigInt(target.fd), 24)
    request.writeBigUInt64LE(BigInt(target.offset + done), 32)
    if (call(source.fd, dedupeRange, request) !== 0) throw refusal(lastErrno())
    const status = request.readInt32LE(48)
    if (status < 0) throw refusal(-status)
    const shared = Number(request.readBigUInt64LE(40))
    if (status === differs || shared === 0) break
    done += shared
  }
  return Math.min(done, length)
}

/** Whether two ranges lie in the same blocks of the disk already, as far as it says where they lie. */
export function liesTogether(one: Place, other: Place, length: number): boolean {
  const first = runs(one, length)
  const second = runs(other, length)
  return first !== undefined && second !== undefined && first.length > 0 && first.join() === second.join()
}

/** Where a range lies: start in the range, start on the disk, length of each run; `undefined` if that is not known. */
function runs({ fd, offset }: Place, length: number): number[] | undefined {
  const request = Buffer.alloc(headSize + mostExtents * extentSize)
  request.writeBigUInt64LE(BigInt(offset), 0)
  request.writeBigUInt64LE(BigInt(length), 8)
  request.writeUInt32LE(mostExtents, 24)
  if (call(fd, fileMap, request) !== 0) return undefined
  const found: number[] = []
  const count = request.readUInt32LE(20)
  let covered = offset
  for (let at = headSize; at < headSize + count * extentSize; at += extentSize) {
    const logical = Number(request.readBigUInt64LE(at))
    const physical = Number(request.readBigUInt64LE(at + 8))
    const size = Number(request.readBigUInt64LE(at + 16))
    const flags = request.readUInt32LE(at + 40)
    if ((flags & placeless) !== 0) return undefined
    const start = Math.max(logical, offset)
    const end = Math.min(logical + size, offset + length)
    if (end <= start) continue
    const place = physical + start - logical
    // Neighbours on the disk are one run, however the two files are cut.
    const last = found.length - 3
    if (
      last >= 0 &&
      found[last]! + found[last + 2]! === start - offset &&
      found[last + 1]! + found[last + 2]! === place
    )
      found[last + 2]! += end - start
    else found.push(start - offset, place, end - start)
    covered = end
    if ((flags & lastExtent) !== 0) break
  }
  return count === mostExtents && covered < offset + length ? undefined : found
}

function call(fd: number, request: number, memory: Buffer): number | bigint {
  try {
    return ioctl(fd, request, memory)
  } catch (cause) {
    throw new PlyError('EOPNOTSUPP', { syscall: 'ioctl' }, { cause })
  }
}

function refusal(errno: number): PlyError {
  const name = errnoName(errno)
  return ['ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'ENOSYS'].includes(name)
    ? new PlyError('EOPNOTSUPP', { syscall: 'ioctl' })
    : systemError('ioctl', errno)
}
