import { readRecords, readSums, recordSize, SumsBatch, type SumsFormat } from '../../layer/content-sums.ts'
import type { DigestTable } from '../../layer/digest-table.ts'
import type { Digest } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import { slice } from '../../stream/bytes.ts'
import type { Disk } from '../../sys/disk.ts'
import { fileBytes } from '../../sys/file-bytes.ts'
import { writeFileAtomically } from '../records.ts'

export interface SumsFileOptions {
  readonly disk: Disk
  readonly path: string
  /** Where a file that grew too large is written anew. */
  readonly tmp: string
  readonly format: SumsFormat
  readonly writable: boolean
  /** Bytes; a larger file loses its older half. */
  readonly most?: number
}

/** What keeps a cache from being read or written without being anybody's concern. */
const harmless = [
  ...['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EISDIR', 'EIO'],
  ...['ENOSPC', 'EDQUOT', 'EFBIG', 'EMFILE', 'ENFILE'],
]

/**
 * The digests in one file of a store, read when somebody first asks. New ones are appended a batch at a time, each batch
 * with one write that the kernel puts at the end of the file, so any number of processes may do it at once and nobody
 * waits. Nothing is synced: what a crash takes is computed again.
 */
export class SumsFile {
  readonly #options: SumsFileOptions
  #table: DigestTable | undefined
  #batch: SumsBatch | undefined
  #keeps: boolean

  constructor(options: SumsFileOptions) {
    this.#options = options
    this.#keeps = options.writable
  }

  /** The digest of a key, which is at the start of the buffer. */
  get(key: Buffer): Digest | undefined {
    return this.#known().get(key)
  }

  set(key: Buffer, digest: Digest): void {
    this.#batch ??= new SumsBatch(this.#options.format)
    if (this.#batch.full) this.flush()
    this.#known().set(this.#batch.add(key, digest))
  }

  /** Sees to it that there is a file, if only an empty one. */
  begin(): void {
    this.#write(Buffer.alloc(0))
  }

  /** Writes what is not written yet. A disk that does not take it is left alone from then on. */
  flush(): void {
    if (this.#batch === undefined || this.#batch.empty) return
    this.#write(this.#batch.take())
  }

  #write(records: Buffer): void {
    if (!this.#keeps) return
    try {
      const size = this.#append(records)
      const { most } = this.#options
      if (most !== undefined && size > most) this.#halve(most)
    } catch (error) {
      if (!harmless.includes(codeOf(error) ?? '')) throw error
      this.#keeps = false
    }
  }

  #known(): DigestTable {
    return (this.#table ??= this.#read())
  }

  #read(): DigestTable {
    const { disk, path, format } = this.#options
    try {
      const bytes = fileBytes(disk, path)
      try {
        return readSums(bytes, format)
      } finally {
        bytes.close()
      }
    } catch (error) {
      if (!harmless.includes(codeOf(error) ?? '')) throw error
      return readSums(nothing, format)
    }
  }

  /** Answers how large the file is then. */
  #append(records: Buffer): number {
    const { fs } = this.#options.disk
    const fd = fs.openSync(this.#options.path, 'a', 0o644)
    try {
      // What a full disk cut off is not written later: another process may have appended meanwhile.
      if (records.length > 0) fs.writeSync(fd, records)
      return fs.fstatSync(fd).size
    } finally {
      fs.closeSync(fd)
    }
  }

  /** Keeps the newer half. What others append until the new file has its name is lost. */
  #halve(most: number): void {
    const { disk, path, tmp, format } = this.#options
    const bytes = fileBytes(disk, path)
    const newer = Buffer.allocUnsafeSlow(most >> 1)
    let filled = 0
    try {
      const start = Math.max(0, bytes.size - newer.length)
      readRecords(slice(bytes, start, bytes.size - start), format, (chunk, at) => {
        filled += chunk.copy(newer, filled, at, at + recordSize(format))
      })
    } finally {
      bytes.close()
    }
    writeFileAtomically({ disk, tmp }, path, newer.subarray(0, filled))
    this.#table = undefined
  }
}

const nothing = { size: 0, read: () => 0, close() {} }
