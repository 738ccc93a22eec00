import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import { dataFrom } from '../sys/copy.ts'

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants

/** Of smaller files it is not worth asking where their holes are. */
const largeFile = 1 << 20

/** What a file was when it was looked at: enough to tell that it is another one now. */
export interface Seen {
  readonly device: bigint
  /** Inode number on that device. */
  readonly number: bigint
  /** Change time in nanoseconds. */
  readonly changed: bigint
  /** Time of birth in nanoseconds; 0 where the file system has none. With the number it names an inode for ever. */
  readonly born: bigint
  /** Names on the disk, also those outside the tree. */
  readonly names: number
}

/**
 * The content of a file that was looked at before. Reading its end fails if the file is not what it was by then
 * (layer-semantics E-12): the change time tells, which nobody can set back.
 *
 * @param shown the path for messages
 * @throws PLY_CHANGED, and what the disk gives
 */
export function openSteady(path: string | Buffer, seen: Seen, size: number, shown: string): Bytes {
  const fd = open(path, shown)
  let closed = false

  function check(): void {
    const now = fstatSync(fd, { bigint: true })
    const same =
      now.dev === seen.device && now.ino === seen.number && now.ctimeNs === seen.changed && Number(now.size) === size
    if (!same) throw changedWhileRead(shown)
  }

  try {
    check()
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return {
    size,
    read(into, position) {
      if (closed) throw new PlyError('EBADF', { syscall: 'read', path: shown })
      let done = 0
      while (done < into.length) {
        const got = readSync(fd, into, done, into.length - done, position + done)
        if (got === 0) break
        done += got
      }
      if (position + done >= size) check()
      return done
    },
    close() {
      if (closed) return
      closed = true
      closeSync(fd)
    },
    extent: { fd, offset: 0 },
    ...(size > largeFile && {
      nextData(position: number) {
        if (closed) throw new PlyError('EBADF', { syscall: 'lseek', path: shown })
        const run = dataFrom(fd, position, size)
        // Nobody will read the end of the file.
        if (run === undefined) check()
        return run
      },
    }),
  }
}

function open(path: string | Buffer, shown: string): number {
  try {
    // O_NONBLOCK: a fifo that took the file's place must not hold us.
    return openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENXIO') throw changedWhileRead(shown, error)
    throw error
  }
}

export function changedWhileRead(path: string, cause?: unknown): PlyError {
  return new PlyError('PLY_CHANGED', { path }, cause === undefined ? {} : { cause })
}
