import { closeSync, fdatasync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { partsToWrite } from '../model/zero-blocks.ts'
import { withPath } from './system-error.ts'

/**
 * A file that is written from its beginning, synchronously: for threads that have nothing else to do. It was empty: long runs of zeros
 * are left out, and read as zeros all the same.
 */
export interface FileSink {
  /** Bytes so far. */
  readonly size: number
  /** @throws ENOSPC, EIO and other errnos, with the path: of this write, or of what the disk did with those before it */
  write(chunk: Uint8Array): void
  /** Waits for what the disk is at. Nothing is promised to be synced. Safe to call twice. */
  close(): Promise<void>
}

/** After so many bytes the disk is set to work; otherwise it would sleep until the end, and everybody wait for it then. */
const syncedEvery = 32 << 20

/** @param path text; the file is there. @throws ENOENT and other errnos, with the path */
export function fileSink(path: string): FileSink {
  const fd = named(path, () => openSync(path, 'r+'))
  let size = 0
  /** Where the last write ended: what comes behind is zeros. */
  let reached = 0
  let synced = 0
  let syncing: Promise<void> | undefined
  let failure: Error | undefined
  let closed = false
  const sync = () =>
    new Promise<void>((resolve) => {
      fdatasync(fd, (error) => {
        failure ??= error ?? undefined
        syncing = undefined
        resolve()
      })
    })
  const check = () => {
    if (failure !== undefined) throw withPath(failure, path)
  }
  return {
    get size() {
      return size
    },
    write(chunk) {
      check()
      for (const { start, end } of partsToWrite(chunk, size)) {
        for (let done = start; done < end; )
          done += named(path, () => writeSync(fd, chunk, done, end - done, size + done))
        reached = size + end
      }
      size += chunk.length
      if (size - synced < syncedEvery || syncing !== undefined) return
      synced = size
      syncing = sync()
    },
    async close() {
      await syncing
      if (!closed) {
        try {
          if (reached < size) named(path, () => ftruncateSync(fd, size))
        } finally {
          closed = true
          closeSync(fd)
        }
      }
      check()
    },
  }
}

function named<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw withPath(error, path)
  }
}
