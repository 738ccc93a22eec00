import fs from 'node:fs'
import { join } from 'node:path'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { abortable, untilAborted } from '../stream/abort.ts'
import type { ByteStream, Bytes } from '../stream/bytes.ts'
import { withPath } from '../sys/system-error.ts'
import { pieceSize } from './outgoing.ts'

export interface SpoolOptions extends Operation {
  readonly directory: string
  /** What is being read, for progress. */
  readonly what: string
}

/**
 * A stream laid down where it can be read at random. The file has no name once this returns, so that it goes with the
 * descriptor, however the process ends. The caller closes it.
 *
 * @throws PLY_ABORTED; ENOSPC and the like with the path; what the stream throws. Nothing stays behind.
 */
export async function spooled(
  stream: ByteStream,
  { directory, what, signal, onProgress }: SpoolOptions,
): Promise<Bytes> {
  const file = nameless(directory)
  try {
    // While one buffer is being written, the other one is filled: whoever makes the stream need not wait for the disk.
    let [filling, other] = [Buffer.allocUnsafeSlow(pieceSize), Buffer.allocUnsafeSlow(pieceSize)]
    let filled = 0
    let written = 0
    let pending: Promise<void> | undefined
    const flush = async () => {
      if (pending !== undefined) await untilAborted(pending, signal)
      pending = file.write(filling.subarray(0, filled), written)
      // It may fail before anybody waits for it.
      pending.catch(() => {})
      written += filled
      filled = 0
      ;[filling, other] = [other, filling]
    }
    for await (const chunk of abortable(stream, signal)) {
      for (let at = 0; at < chunk.length; ) {
        const part = chunk.subarray(at, at + pieceSize - filled)
        filling.set(part, filled)
        filled += part.length
        at += part.length
        if (filled === pieceSize) await flush()
      }
      onProgress?.({ what, done: written + filled })
    }
    await flush()
    await untilAborted(pending!, signal)
    return file.bytes(written)
  } catch (error) {
    file.close()
    throw error
  }
}

interface NamelessFile {
  write(chunk: Uint8Array, position: number): Promise<void>
  bytes(size: number): Bytes
  close(): void
}

/** A file without a name, open for both. */
export function nameless(directory: string): NamelessFile {
  let fd: number
  let folder: string | undefined
  try {
    folder = fs.mkdtempSync(join(directory, 'ply-'))
    fd = fs.openSync(join(folder, 'spool'), 'wx+', 0o600)
  } catch (error) {
    throw withPath(error, directory)
  } finally {
    // The open descriptor keeps the content.
    if (folder !== undefined) fs.rmSync(folder, { recursive: true, force: true })
  }
  let open = true
  const close = () => {
    if (open) fs.closeSync(fd)
    open = false
  }
  return {
    close,
    async write(chunk, position) {
      for (let at = 0; at < chunk.length; ) {
        at += await new Promise<number>((resolve, reject) => {
          fs.write(fd, chunk, at, chunk.length - at, position + at, (error, written) =>
            error ? reject(withPath(error, directory)) : resolve(written),
          )
        })
      }
    },
    bytes(size) {
      return {
        size,
        extent: { fd, offset: 0 },
        read(into, position) {
          if (!open) throw new PlyError('EBADF', { syscall: 'read', path: directory })
          let got = 0
          while (got < into.length) {
            const step = fs.readSync(fd, into, got, into.length - got, position + got)
            if (step === 0) break
            got += step
          }
          return got
        },
        close,
      }
    },
  }
}
