import type { Bytes } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'

/** A disk to copy on. Without `copy` everything passes through memory. */
export type CopyingDisk = Pick<Disk, 'fs'> & Partial<Pick<Disk, 'copy'>>

const step = 4096
const chunkSize = 1 << 20
const zeros = Buffer.alloc(step)

/**
 * Writes bytes into an empty file, and syncs them.
 *
 * Bytes that lie on a disk are copied inside the kernel (reflink, then copy_file_range). Others pass through memory,
 * and runs of zeros in steps of 4 KiB become holes (layer-semantics S-06).
 */
export function copyContent(disk: CopyingDisk, content: Bytes, fd: number): void {
  const { size, extent } = content
  if (size === 0) return
  if (extent && disk.copy) disk.copy(extent, { fd, offset: 0 }, size)
  else copyWithHoles(disk, content, fd)
  disk.fs.fsyncSync(fd)
}

function copyWithHoles(disk: Pick<Disk, 'fs'>, content: Bytes, fd: number): void {
  const chunk = Buffer.allocUnsafe(Math.min(chunkSize, content.size))
  let written = 0
  let position = 0
  while (position < content.size) {
    const got = fill(content, chunk, position)
    if (got === 0) break
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
    position += got
  }
  if (written < content.size) disk.fs.ftruncateSync(fd, content.size)
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

function writeAll(disk: Pick<Disk, 'fs'>, fd: number, chunk: Buffer, from: number, to: number, position: number): void {
  for (let done = from; done < to; ) done += disk.fs.writeSync(fd, chunk, done, to - done, position + done - from)
}
