import type { Disk } from '../sys/disk.ts'

/** Writes all of it, however many calls that takes. */
export function writeFully(disk: Disk, fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += disk.fs.writeSync(fd, bytes, done, bytes.length - done, position + done)
  }
}

/** Reads until the buffer is full or the file ends; answers how much. */
export function readFully(disk: Disk, fd: number, into: Uint8Array, position: number): number {
  let done = 0
  while (done < into.length) {
    const got = disk.fs.readSync(fd, into, done, into.length - done, position + done)
    if (got === 0) break
    done += got
  }
  return done
}
