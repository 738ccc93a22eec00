import { codeOf, PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import { sameFile } from './open-content.ts'
import { largestFile, type WritableBytes } from './upper.ts'

const syscall = 'copy_file_range'
const chunkSize = 1 << 18

/**
 * Copies a range of one file to another, or within one, as `copy_file_range(2)` does: answers with the bytes copied, which are fewer
 * where the source ends. Holes stay holes, and where the target can, bytes are copied inside the kernel. Both stay the caller's.
 *
 * @throws EINVAL for a negative number, and for ranges of one file that overlap; EFBIG, ENOSPC
 */
export function copyRange(
  from: Bytes,
  fromPosition: number,
  to: WritableBytes,
  toPosition: number,
  length: number,
): number {
  if (fromPosition < 0 || toPosition < 0 || length < 0) throw new PlyError('EINVAL', { syscall })
  const end = Math.min(from.size, fromPosition + length)
  const count = end - fromPosition
  if (count <= 0) return 0
  if (count > largestFile - toPosition) throw new PlyError('EFBIG', { syscall })
  if (sameFile(from, to) && fromPosition < toPosition + count && toPosition < end) {
    throw new PlyError('EINVAL', { syscall })
  }
  const away = toPosition - fromPosition
  for (let at = fromPosition; at < end; ) {
    const run = from.nextData ? from.nextData(at) : { start: at, end }
    const start = run ? Math.min(run.start, end) : end
    if (start > at) makeHole(to, at + away, start + away)
    const stop = run ? Math.min(run.end, end) : end
    const copied = copyData(from, start, to, start + away, stop - start)
    if (copied < stop - start) return start + copied - fromPosition
    at = stop
  }
  return count
}

/** Answers with what was copied: less than asked for only where the source turned out to be shorter. */
function copyData(from: Bytes, fromPosition: number, to: WritableBytes, toPosition: number, length: number): number {
  let done = 0
  while (done < length && to.copyFrom) {
    const count = to.copyFrom(from, fromPosition + done, toPosition + done, length - done)
    if (count === 0) break
    done += count
  }
  if (done === length) return done
  const chunk = Buffer.allocUnsafe(Math.min(chunkSize, length - done))
  while (done < length) {
    const wanted = Math.min(chunk.length, length - done)
    const got = from.read(wanted === chunk.length ? chunk : chunk.subarray(0, wanted), fromPosition + done)
    if (got === 0) break
    writeWhole(to, chunk, got, toPosition + done)
    done += got
  }
  return done
}

function writeWhole(to: WritableBytes, from: Uint8Array, length: number, position: number): void {
  for (let done = 0; done < length; ) done += to.write(from.subarray(done, length), position + done)
}

/** Makes a range read as zeros, the end of the file with it. */
function makeHole(to: WritableBytes, start: number, end: number): void {
  const inside = Math.min(end, to.size)
  if (start < inside) {
    try {
      to.allocate('punch', start, inside - start)
    } catch (error) {
      if (codeOf(error) !== 'EOPNOTSUPP') throw error
      const zeros = Buffer.alloc(Math.min(chunkSize, inside - start))
      for (let at = start; at < inside; at += zeros.length)
        writeWhole(to, zeros, Math.min(zeros.length, inside - at), at)
    }
  }
  if (end > to.size) to.truncate(end)
}
