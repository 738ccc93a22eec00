import { closeSync, openSync, writeSync } from 'node:fs'
import { withPath } from './system-error.ts'

/** A file that is written from its beginning, synchronously: for threads that have nothing else to do. */
export interface FileSink {
  /** Bytes so far. */
  readonly size: number
  write(chunk: Uint8Array): void
  close(): void
}

/** @param path text; the file is there. @throws ENOSPC and other errnos, with the path */
export function fileSink(path: string): FileSink {
  const fd = named(path, () => openSync(path, 'r+'))
  let size = 0
  return {
    get size() {
      return size
    },
    write(chunk) {
      for (let done = 0; done < chunk.length; )
        done += named(path, () => writeSync(fd, chunk, done, chunk.length - done, size + done))
      size += chunk.length
    },
    close: () => closeSync(fd),
  }
}

function named<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw withPath(error, path)
  }
}
