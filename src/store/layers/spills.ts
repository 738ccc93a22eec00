import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { Pace } from '../../model/pace.ts'
import { type Bytes, dataRuns } from '../../stream/bytes.ts'
import type { Disk } from '../../sys/disk.ts'

/** What disks keep holes in steps of. */
const block = 4096
const chunkSize = 1 << 20

/**
 * Whether the file of a spill is there: only mounts by the kernel need it, everybody else reads the spill from the tar. Of the wrong
 * size it counts as missing.
 */
export function hasSpill(disk: Disk, path: string, size: number): boolean {
  const stat = disk.fs.statSync(path, { throwIfNoEntry: false })
  return stat?.isFile() === true && stat.size === size
}

/**
 * Writes the file of a spill, holes and all, under a temporary name in `tmp`, and then gives it its own, in place of what had it.
 * Nothing is left behind if that fails.
 *
 * @throws ENOSPC and the like; PLY_ABORTED; what reading the content throws
 */
export async function writeSpill(
  { disk, tmp }: { readonly disk: Disk; readonly tmp: string },
  path: string,
  content: Bytes,
  { signal, onProgress }: Operation = {},
): Promise<void> {
  const { fs } = disk
  const pace = new Pace(signal)
  const draft = join(tmp, `spill-${randomBytes(8).toString('hex')}`)
  try {
    const fd = fs.openSync(draft, 'wx', 0o600)
    try {
      const buffer = Buffer.allocUnsafe(Math.min(chunkSize, content.size))
      for (const { start, end } of dataRuns(content, block)) {
        for (let at = start; at < end; ) {
          const part = buffer.subarray(0, Math.min(buffer.length, end - at))
          if (content.read(part, at) !== part.length) throw new PlyError('EIO', { syscall: 'read' })
          for (let done = 0; done < part.length; ) done += fs.writeSync(fd, part, done, part.length - done, at + done)
          at += part.length
          if (pace.due(64)) await pace.rest()
        }
        onProgress?.({ what: 'sparse files', done: end, total: content.size })
      }
      fs.ftruncateSync(fd, content.size)
      fs.fchmodSync(fd, 0o444)
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    // The caches may have been deleted with their directory.
    fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    fs.renameSync(draft, path)
  } catch (error) {
    fs.rmSync(draft, { force: true })
    throw error
  }
  disk.syncDirectory(dirname(path))
}
