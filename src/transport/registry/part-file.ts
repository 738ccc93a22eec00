import fs from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Digest, hexOf } from '../../model/digest.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Bytes } from '../../stream/bytes.ts'
import type { Lock } from '../../sys/disk.ts'
import { nodeDisk } from '../../sys/node-disk.ts'
import { withPath } from '../../sys/system-error.ts'
import { nameless } from '../spool.ts'
import { environmentOf, type RegistryOptions } from './options.ts'

/** What nobody has come back for in this time is taken away; milliseconds. */
const forgottenAfter = 7 * 24 * 3600 * 1000

/** Where half blobs wait; `undefined` where none are to be kept. */
export function partialDirectoryOf(options: RegistryOptions): string | undefined {
  if (options.partialDirectory === false) return undefined
  const environment = environmentOf(options)
  const cache = environment.XDG_CACHE_HOME || join(environment.HOME ?? homedir(), '.cache')
  return options.partialDirectory ?? join(cache, 'ply', 'partial')
}

/**
 * A blob on its way, as far as it has come: under its digest in a directory where the next attempt finds it, whichever process
 * makes it, or in a file without a name where that cannot be. Nothing here has been checked.
 */
export class PartFile {
  readonly #write: (chunk: Uint8Array, position: number) => Promise<void>
  readonly #bytes: (size: number) => Bytes
  readonly #end: (keep: boolean) => void
  /** Bytes that are there. */
  size: number

  private constructor(
    size: number,
    write: (chunk: Uint8Array, position: number) => Promise<void>,
    bytes: (size: number) => Bytes,
    end: (keep: boolean) => void,
  ) {
    this.size = size
    this.#write = write
    this.#bytes = bytes
    this.#end = end
  }

  /** Of `limit` bytes at most; what is longer begins anew. `temporary`: where a nameless file may be made. */
  static async open(
    digest: Digest,
    limit: number,
    directory: string | undefined,
    temporary: string,
  ): Promise<PartFile> {
    const named = directory === undefined ? undefined : await openNamed(digest, limit, directory)
    if (named !== undefined) return new PartFile(named.size, named.write, named.bytes, named.end)
    const file = nameless(temporary)
    return new PartFile(
      0,
      (chunk, position) => file.write(chunk, position),
      (size) => ({ ...file.bytes(size), close() {} }),
      () => file.close(),
    )
  }

  /** @throws ENOSPC and the like */
  async append(chunk: Uint8Array): Promise<void> {
    await this.#write(chunk, this.size)
    this.size += chunk.length
  }

  /** What is there is of no use. What is written next is the beginning. */
  restart(): void {
    this.size = 0
  }

  /** The first `size` bytes. Closing them leaves the file open. */
  bytes(size = this.size): Bytes {
    return this.#bytes(size)
  }

  /** Ends it; with `keep` it waits for the next attempt, unless it has no name. */
  end(keep: boolean): void {
    this.#end(keep)
  }
}

interface NamedFile {
  readonly size: number
  write(chunk: Uint8Array, position: number): Promise<void>
  bytes(size: number): Bytes
  end(keep: boolean): void
}

/** `undefined` where it cannot be: another process is at it, or nothing can be written there. */
async function openNamed(digest: Digest, limit: number, directory: string): Promise<NamedFile | undefined> {
  const path = join(directory, `${hexOf(digest)}.part`)
  let lock: Lock | undefined
  let fd: number
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
    lock = await nodeDisk().lock(path)
    if (lock === undefined) return undefined
    fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NOFOLLOW, 0o600)
  } catch (error) {
    lock?.release()
    if (
      ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EEXIST', 'PLY_NO_NATIVE'].includes(
        codeOf(error) ?? '',
      )
    )
      return undefined
    throw withPath(error, path)
  }
  const { uid, size } = fs.fstatSync(fd)
  if (uid !== (process.geteuid?.() ?? uid)) {
    // Somebody else's is not to be written to.
    fs.closeSync(fd)
    lock.release()
    return undefined
  }
  fs.fchmodSync(fd, 0o600)
  if (size > limit) fs.ftruncateSync(fd, 0)
  let open = true
  return {
    size: size > limit ? 0 : size,
    async write(chunk, position) {
      for (let at = 0; at < chunk.length; ) {
        at += await new Promise<number>((resolve, reject) => {
          fs.write(fd, chunk, at, chunk.length - at, position + at, (error, written) =>
            error ? reject(withPath(error, path)) : resolve(written),
          )
        })
      }
    },
    bytes: (size) => ({
      size,
      extent: { fd, offset: 0 },
      read(into, position) {
        if (!open) throw new PlyError('EBADF', { syscall: 'read', path })
        const wanted = into.subarray(0, Math.max(0, size - position))
        let got = 0
        while (got < wanted.length) {
          const step = fs.readSync(fd, wanted, got, wanted.length - got, position + got)
          if (step === 0) break
          got += step
        }
        return got
      },
      close() {},
    }),
    end(keep) {
      if (!open) return
      open = false
      try {
        if (!keep) fs.rmSync(path, { force: true })
      } finally {
        fs.closeSync(fd)
        lock.release()
      }
    },
  }
}

/** Takes away what nobody has come back for. It is a courtesy: what cannot be removed stays. */
export async function forgetOldParts(directory: string, now = Date.now()): Promise<void> {
  let names: string[]
  try {
    names = fs.readdirSync(directory).filter((name) => /^[0-9a-f]{64}\.(?:part|json)$/.test(name))
  } catch {
    return
  }
  for (const name of names) {
    const path = join(directory, name)
    try {
      if (now - fs.statSync(path).mtimeMs < forgottenAfter) continue
      using lock = await nodeDisk().lock(path)
      if (lock !== undefined) fs.rmSync(path, { force: true })
    } catch {
      // Another one was faster, or it is not ours.
    }
  }
}
