import type { Digest } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { codeOf } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { ByteStream, Bytes } from '../../stream/bytes.ts'
import { checkOf } from '../../stream/verify.ts'
import { Download, type FetchFrom } from './download.ts'
import { defaultJobs, type RegistryOptions } from './options.ts'
import { forgetOldParts, PartFile, partialDirectoryOf } from './part-file.ts'
import { Slots } from './slots.ts'

export interface DownloadsOptions {
  readonly fetch: FetchFrom
  readonly registry: RegistryOptions
  readonly temporary: string
}

/** Smaller blobs are had again faster than they are looked for. Bytes. */
const worthAFile = 64 << 10

/**
 * Blobs on their way here, a few at a time, each once however many read it. They arrive in files that outlive a failure: the next
 * attempt, in this process or another one, goes on where this one ended. Readers follow what arrives.
 */
export class Downloads implements AsyncDisposable {
  readonly #options: DownloadsOptions
  readonly #slots: Slots
  readonly #directory: string | undefined
  readonly #under = new Map<Digest, Download>()
  readonly #stopped = new AbortController()
  #tidied = false

  constructor(options: DownloadsOptions) {
    this.#options = options
    this.#slots = new Slots(options.registry.jobs ?? defaultJobs)
    this.#directory = partialDirectoryOf(options.registry)
  }

  /** The blob's bytes, checked: the stream fails at its end if they are not what the descriptor says. */
  async *stream(descriptor: Descriptor, operation: Operation = {}): ByteStream {
    const { digest, size } = descriptor
    const check = checkOf({ digest, size, what: `blob ${digest}` })
    if (size < worthAFile) {
      for await (const chunk of this.#options.fetch(descriptor, 0, operation)) {
        check.write(chunk)
        yield chunk
      }
      check.end()
      return
    }
    const download = this.#start(descriptor, operation)
    let at = 0
    try {
      try {
        for await (const chunk of download.follow(operation)) {
          check.write(chunk)
          at += chunk.length
          yield chunk
        }
      } catch (error) {
        if (!['ENOSPC', 'EDQUOT', 'EFBIG'].includes(codeOf(error) ?? '')) throw error
        // There is no room to keep it; where it goes to there may be.
        this.#spoiled(download)
        for await (const chunk of this.#options.fetch(descriptor, at, operation)) {
          check.write(chunk)
          yield chunk
        }
      }
      check.end()
      download.read = true
    } catch (error) {
      if (['PLY_DIGEST_MISMATCH', 'PLY_SIZE_MISMATCH'].includes(codeOf(error) ?? '')) this.#spoiled(download)
      throw error
    }
  }

  /** Brings a blob here whole. The bytes are where they lie, unverified; they can be read until this is disposed of. */
  async fetched(descriptor: Descriptor, operation: Operation = {}): Promise<Bytes> {
    const part = await this.#start(descriptor, operation).whole(operation)
    return part.bytes(descriptor.size)
  }

  /** Stops what is under way. Files stay for the next attempt if anything was left undone; otherwise they are taken away. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort()
    const all = [...this.#under.values()]
    await Promise.allSettled(all.map((download) => download.done))
    const complete = all.every(({ read }) => read)
    for (const download of all) download.end(!complete)
    this.#under.clear()
  }

  #start(descriptor: Descriptor, operation: Operation): Download {
    const known = this.#under.get(descriptor.digest)
    if (known !== undefined && !known.stopped) return known
    if (!this.#tidied && this.#directory !== undefined) void forgetOldParts(this.#directory)
    this.#tidied = true
    const download = new Download(descriptor, operation, {
      slots: this.#slots,
      fetch: this.#options.fetch,
      open: async () => {
        // One that was stopped lets go of its file when it has noticed.
        await known?.done.catch(() => {})
        known?.end(true)
        return PartFile.open(descriptor.digest, descriptor.size, this.#directory, this.#options.temporary)
      },
      signal: this.#stopped.signal,
    })
    this.#under.set(descriptor.digest, download)
    return download
  }

  #spoiled(download: Download): void {
    download.end(false)
    if (this.#under.get(download.descriptor.digest) === download) this.#under.delete(download.descriptor.digest)
  }
}
