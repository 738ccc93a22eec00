import { codeOf, PlyError } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import type { Change } from './change.ts'
import { featuresOf } from './change-codec.ts'
import { headerSize, logHeader } from './log-header.ts'
import { readLog } from './log-reader.ts'
import { FieldWriter } from './record-bytes.ts'
import { encodeRecord } from './record-frame.ts'
import { writeFully } from './whole-io.ts'

/** Below this size a log is never rewritten. */
const smallLog = 1 << 20

export interface LogOptions {
  readonly disk: Disk
  /** The directory that holds `log`. It exists. */
  readonly root: string
  readonly readOnly: boolean
}

/**
 * The append-only log of a portable upper (docs/upper-format.md).
 *
 * `append` is one write of one checksummed record: a process that dies in it leaves a tail that does not match its
 * checksum, and the next opening drops it. What is appended is durable after `sync`. Not safe for two writers: the
 * one who opens it for writing holds the lock of the container.
 */
export class ChangeLog {
  readonly #disk: Disk
  readonly #path: string
  readonly #root: string
  readonly #fields = new FieldWriter()
  #fd: number | undefined
  /** Bytes of the log that count. */
  #end = 0
  /** Bytes of the log when its garbage was last measured. */
  #measured = 0
  #synced = false
  /** Where the log ended when it was last recorded that everything is on the disk. */
  #marked = 0
  #broken = false
  /** What its records may say that the first ones of version 1 did not. */
  #features = 0

  private constructor(options: LogOptions) {
    this.#disk = options.disk
    this.#root = options.root
    this.#path = `${options.root}/log`
  }

  /**
   * Opens the log, or makes an empty one, and tells its changes in order.
   *
   * @throws PLY_BAD_DOCUMENT if it is not such a log or says what cannot be; PLY_UNSUPPORTED for a later version.
   */
  static open(options: LogOptions, onChange: (change: Change) => void): ChangeLog {
    const log = new ChangeLog(options)
    const { fs } = options.disk
    if (!fs.existsSync(log.#path)) {
      if (options.readOnly) return log
      log.#replace(new FieldWriter(), 0)
    }
    log.#fd ??= fs.openSync(log.#path, options.readOnly ? 'r' : 'r+')
    try {
      const found = readLog(options.disk, log.#fd, onChange)
      log.#features = found.features
      log.#end = found.end
      log.#measured = found.measured
      log.#marked = found.marked
      const size = fs.fstatSync(log.#fd).size
      if (!options.readOnly && size > log.#end) fs.ftruncateSync(log.#fd, log.#end)
    } catch (error) {
      log.close()
      throw error
    }
    log.#measured = Math.max(log.#measured, smallLog / 2)
    return log
  }

  /**
   * Writes one change. `all` are the changes so far, for a log that cannot say this one: it is written anew then, once in its life for each feature.
   *
   * @throws ENOSPC and the like, with the log as it was; EIO once the disk failed to sync.
   */
  append(change: Change, all: () => Iterable<Change>): void {
    const features = featuresOf(change)
    if ((features & ~this.#features) !== 0) {
      this.#writable()
      this.#replace(encoded(all()), this.#features | features)
    }
    this.#write(change)
    this.#synced = false
  }

  /** Returns when everything appended is on the disk. */
  sync(): void {
    if (this.#synced) return
    const fd = this.#writable()
    try {
      this.#disk.fs.fdatasyncSync(fd)
    } catch (error) {
      // The kernel forgets which pages failed: a second sync would claim what is not so.
      this.#broken = true
      throw error
    }
    this.#synced = true
    if (this.#marked === this.#end) return
    try {
      this.#write({ does: 'synced', position: this.#end })
      this.#marked = this.#end
    } catch (error) {
      // A full disk: the next one will say so too.
      if (codeOf(error) !== 'ENOSPC' && codeOf(error) !== 'EDQUOT') throw error
    }
  }

  /** Whether the log has doubled since its garbage was last measured. */
  get worthCompacting(): boolean {
    return this.#end > 2 * this.#measured
  }

  /** Replaces the log by these changes if that makes it less than half as long. Returns whether it did. */
  compact(changes: Iterable<Change>): boolean {
    const limit = this.#end / 2
    const fields = new FieldWriter()
    let features = this.#features
    for (const change of changes) {
      encodeRecord(fields, change)
      features |= featuresOf(change)
      if (fields.length > limit) {
        this.#measured = this.#end
        return false
      }
    }
    this.#replace(fields, features)
    return true
  }

  close(): void {
    if (this.#fd !== undefined) this.#disk.fs.closeSync(this.#fd)
    this.#fd = undefined
  }

  #write(change: Change): void {
    const fd = this.#writable()
    this.#fields.length = 0
    encodeRecord(this.#fields, change)
    try {
      writeFully(this.#disk, fd, this.#fields.bytes, this.#end)
    } catch (error) {
      this.#disk.fs.ftruncateSync(fd, this.#end)
      throw error
    }
    this.#end += this.#fields.length
  }

  /** Replaces the log by these records, atomically and durably. */
  #replace(fields: FieldWriter, features: number): void {
    const { fs } = this.#disk
    // True from the moment that this log has its name.
    encodeRecord(fields, { does: 'synced', position: headerSize + fields.length })
    const records = fields.bytes
    const path = `${this.#path}.new`
    const fd = fs.openSync(path, 'w+', 0o600)
    try {
      writeFully(this.#disk, fd, logHeader(features), 0)
      writeFully(this.#disk, fd, records, headerSize)
      fs.fsyncSync(fd)
      fs.renameSync(path, this.#path)
    } catch (error) {
      fs.closeSync(fd)
      fs.rmSync(path, { force: true })
      throw error
    }
    this.close()
    this.#fd = fd
    this.#features = features
    this.#end = headerSize + records.length
    this.#measured = Math.max(this.#end, smallLog / 2)
    this.#marked = this.#end
    this.#synced = true
    this.#disk.syncDirectory(this.#root)
  }

  #writable(): number {
    if (this.#fd === undefined) throw new PlyError('EBADF', { syscall: 'write', path: this.#path })
    if (this.#broken) throw new PlyError('EIO', { syscall: 'fsync', path: this.#path })
    return this.#fd
  }
}

function encoded(changes: Iterable<Change>): FieldWriter {
  const fields = new FieldWriter()
  for (const change of changes) encodeRecord(fields, change)
  return fields
}
