import { codeOf } from '../model/errors.ts'
import { type Bytes, dataRuns } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'

const step = 4096
const chunkSize = 1 << 20
const zeros = Buffer.alloc(step)

/**
 * Writes bytes into a file that holds nothing but a hole, and syncs them.
 *
 * Bytes that lie on a disk are copied inside the kernel (reflink, then copy_file_range). Others pass through memory,
 * and runs of zeros in steps of 4 KiB become holes (layer-semantics S-06); holes that are known are not even read.
 */
export function copyContent(disk: Disk, content: Bytes, fd: number): void {
  if (content.size === 0) return
  if (!copiedInside(disk, content, fd)) copyWithHoles(disk, content, fd)
  disk.fs.fsyncSync(fd)
}

/** Makes one hole of a file that may hold what an attempt before left, without being any other size in between. */
export function makeHollow(disk: Disk, fd: number, size: number): void {
  if (size > 0 && disk.fs.fstatSync(fd).blocks > 0) {
    try {
      disk.allocate(fd, 'punch', 0, size)
    } catch (error) {
      if (codeOf(error) !== 'EOPNOTSUPP') throw error
      disk.fs.ftruncateSync(fd, 0)
    }
  }
  disk.fs.ftruncateSync(fd, size)
}

/** A descriptor does not say which disk it is of: one in memory is never asked for, and is none that the kernel knows. */
function copiedInside(disk: Disk, { extent, size }: Bytes, fd: number): boolean {
  if (disk.kind !== 'disk' || !extent) return false
  try {
    disk.copy(extent, { fd, offset: 0 }, size, { hollow: true })
    return true
  } catch (error) {
    if (codeOf(error) !== 'EBADF') throw error
    return false
  }
}

function copyWithHoles(disk: Disk, content: Bytes, fd: number): void {
  const chunk = Buffer.allocUnsafe(Math.min(chunkSize, content.size))
  let written = 0
  for (const run of dataRuns(content, step)) {
    for (let position = run.start; position < run.end; ) {
      const part = chunk.subarray(0, Math.min(chunk.length, run.end - position))
      const got = fill(content, part, position)
      if (got === 0) break
      written = writeFilled(disk, fd, part, got, position) ?? written
      position += got
    }
  }
  if (written < content.size) disk.fs.ftruncateSync(fd, content.size)
}

/** Writes what of a chunk is more than zeros; answers where in the file that ended. */
function writeFilled(disk: Disk, fd: number, chunk: Buffer, got: number, position: number): number | undefined {
  let written: number | undefined
  for (let from = 0; from < got; ) {
    if (isZero(chunk, from, got)) {
      from += step
      continue
    }
    let to = from + step
    while (to < got && !isZero(chunk, to, got)) to += step
    to = Math.min(to, got)
    writeAll(disk, fd, chunk, from, to, position + from)
    written = position + to
    from = to
  }
  return written
}

/** Reads until the chunk is full, so that 4 KiB steps stay aligned in the file. */
function fill(content: Bytes, chunk: Buffer, position: number): number {
  let filled = 0
  while (filled < chunk.length) {
    const got = content.read(chunk.subarray(filled), position + filled)
    if (got === 0) break
    filled += got
  }
  return filled
}

function isZero(chunk: Buffer, from: number, end: number): boolean {
  const size = Math.min(step, end - from)
  return chunk[from] === 0 && chunk.compare(zeros, 0, size, from, from + size) === 0
}

function writeAll(disk: Disk, fd: number, chunk: Buffer, from: number, to: number, position: number): void {
  for (let done = from; done < to; ) done += disk.fs.writeSync(fd, chunk, done, to - done, position + done - from)
}
