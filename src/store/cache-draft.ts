import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { ByteSink } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'

/** A file on its way into a cache. Nothing is visible before `commit`; disposal leaves nothing behind. */
export interface CacheDraft extends AsyncDisposable {
  /** Starts the file; what was written before is forgotten. */
  open(): ByteSink
  /** Syncs it and gives it its name, in place of what had it. */
  commit(path: string): Promise<void>
}

const chunkSize = 1 << 20

export function cacheDraft(disk: Disk, directory: string): CacheDraft {
  const { fs } = disk
  const temporary = join(directory, `cache-${randomBytes(8).toString('hex')}`)
  let fd: number | undefined
  let pending: Uint8Array[] = []
  let held = 0

  const flush = () => {
    for (const chunk of pending) for (let at = 0; at < chunk.length; ) at += fs.writeSync(fd!, chunk, at, chunk.length - at)
    pending = []
    held = 0
  }
  const close = () => {
    if (fd !== undefined) fs.closeSync(fd)
    fd = undefined
  }

  return {
    open() {
      close()
      pending = []
      held = 0
      fd = fs.openSync(temporary, 'w', 0o600)
      return {
        write(chunk) {
          // A chunk belongs to the writer again once this returns: small ones are kept as copies.
          if (chunk.length >= chunkSize) {
            flush()
            pending.push(chunk)
            flush()
            return
          }
          pending.push(Buffer.from(chunk))
          held += chunk.length
          if (held >= chunkSize) flush()
        },
      }
    },
    async commit(path) {
      flush()
      fs.fchmodSync(fd!, 0o444)
      fs.fsyncSync(fd!)
      close()
      fs.renameSync(temporary, path)
      disk.syncDirectory(dirname(path))
    },
    async [Symbol.asyncDispose]() {
      close()
      fs.rmSync(temporary, { force: true })
    },
  }
}
