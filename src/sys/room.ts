import { statfsSync } from 'node:fs'
import type { DiskRoom } from './disk.ts'

/**
 * Room on the file system that a path is on.
 *
 * @param path text or bytes, as `node:fs` takes it.
 * @throws ENOENT, EACCES …
 */
export function roomAt(path: string | Buffer): DiskRoom {
  const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path, { bigint: true })
  return {
    blockSize: Number(bsize),
    size: blocks * bsize,
    free: bfree * bsize,
    available: bavail * bsize,
    inodes: files,
    freeInodes: ffree,
  }
}
