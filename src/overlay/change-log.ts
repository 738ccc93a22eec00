import { crc32 } from 'node:zlib'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import type { Change } from './change.ts'
import { decodeChange, encodeChange, syncedPattern } from './change-codec.ts'
import { checkHeader, headerSize, logHeader } from './log-header.ts'
import { damaged, FieldReader, FieldWriter } from './record-bytes.ts'
import { readFully, writeFully } from './whole-io.ts'

const frameSize = 8
/** Longest legal record: all xattrs of an inode (255 KiB) and two names fit many times. */
const maximumRecord = 1 << 24
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
      log.rewrite([])
    }
    log.#fd ??= fs.openSync(log.#path, options.readOnly ? 'r' : 'r+')
    try {
      log.#read(log.#fd, onChange)
      log.#checkTail(log.#fd)
      const size = fs.fstatSync(log.#fd).size
      if (!options.readOnly && size > log.#end) fs.ftruncateSync(log.#fd, log.#end)
    } catch (error) {
      log.close()
      throw error
    }
    log.#measured = Math.max(log.#measured, smallLog / 2)
    return log
  }

  /** Writes one change. @throws ENOSPC and the like, with the log as it was; EIO once the disk failed to sync. */
  append(change: Change): void {
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
    for (const change of changes) {
      encodeRecord(fields, change)
      if (fields.length > limit) {
        this.#measured = this.#end
        return false
      }
    }
    this.#replace(fields)
    return true
  }

  /** Replaces the log by these changes, atomically and durably. */
  rewrite(changes: Iterable<Change>): void {
    const fields = new FieldWriter()
    for (const change of changes) encodeRecord(fields, change)
    this.#replace(fields)
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

  #replace(fields: FieldWriter): void {
    const { fs } = this.#disk
    // True from the moment that this log has its name.
    encodeRecord(fields, { does: 'synced', position: headerSize + fields.length })
    const records = fields.bytes
    const path = `${this.#path}.new`
    const fd = fs.openSync(path, 'w+', 0o600)
    try {
      writeFully(this.#disk, fd, logHeader(), 0)
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
    this.#end = headerSize + records.length
    this.#measured = Math.max(this.#end, smallLog / 2)
    this.#marked = this.#end
    this.#synced = true
    this.#disk.syncDirectory(this.#root)
  }

  #read(fd: number, onChange: (change: Change) => void): void {
    const { fs } = this.#disk
    const size = fs.fstatSync(fd).size
    const head = Buffer.alloc(headerSize)
    if (readFully(this.#disk, fd, head, 0) < headerSize) throw damaged('its header is cut short')
    checkHeader(head)
    let buffer: Buffer = Buffer.allocUnsafe(1 << 20)
    let filled = 0
    let start = 0
    this.#end = headerSize
    for (;;) {
      const left = filled - start
      const length = left >= frameSize ? buffer.readUInt32LE(start) : 0
      const wanted = frameSize + length
      if (left < frameSize || left < wanted) {
        // Too long for the file: a torn tail. Checked before anything is allocated for it.
        if (length > maximumRecord || this.#end + wanted > size) return
        if (wanted > buffer.length) buffer = Buffer.concat([buffer.subarray(start, filled)], wanted)
        else buffer.copyWithin(0, start, filled)
        start = 0
        filled = left + readFully(this.#disk, fd, buffer.subarray(left), this.#end + left)
        if (filled < wanted || filled === left) return
        continue
      }
      const from = start + frameSize
      // A run of zeros is what a crash leaves in a file whose size came before its bytes: never a record.
      if (length === 0 || crc32(buffer.subarray(from, from + length)) !== buffer.readUInt32LE(start + 4)) return
      const change = decodeChange(new FieldReader(buffer, from, from + length))
      onChange(change)
      start = from + length
      this.#end += wanted
      if (change.does === 'counters') this.#measured = this.#end
      if (change.does === 'counters' || change.does === 'synced') this.#marked = this.#end
    }
  }

  /**
   * What follows the whole records is a crash's to leave only where nothing says that it was on the disk. Otherwise the
   * disk lost it: to cut it off would lose the rest, and the content that it names.
   */
  #checkTail(fd: number): void {
    const size = this.#disk.fs.fstatSync(fd).size
    const chunk = Buffer.allocUnsafe(Math.min(1 << 20, size - this.#end))
    for (let at = this.#end; at < size; at += chunk.length - syncedPattern.length + 1) {
      const got = readFully(this.#disk, fd, chunk, at)
      const part = chunk.subarray(0, got)
      for (let found = part.indexOf(syncedPattern); found >= 0; found = part.indexOf(syncedPattern, found + 1)) {
        if (this.#isSynced(fd, at + found - frameSize)) {
          throw damaged(`the record at byte ${this.#end} does not match its checksum, though it was on the disk`)
        }
      }
      if (at + got >= size) return
    }
  }

  #isSynced(fd: number, position: number): boolean {
    const frame = Buffer.alloc(frameSize + syncedPattern.length + 8)
    const filled = readFully(this.#disk, fd, frame, position)
    const end = frameSize + frame.readUInt32LE(0)
    if (end > filled || crc32(frame.subarray(frameSize, end)) !== frame.readUInt32LE(4)) return false
    const change = decodeChange(new FieldReader(frame, frameSize, end))
    return change.does === 'synced' && change.position === position
  }

  #writable(): number {
    if (this.#fd === undefined) throw new PlyError('EBADF', { syscall: 'write', path: this.#path })
    if (this.#broken) throw new PlyError('EIO', { syscall: 'fsync', path: this.#path })
    return this.#fd
  }
}

function encodeRecord(fields: FieldWriter, change: Change): void {
  const start = fields.length
  const length = fields.hole()
  const sum = fields.hole()
  encodeChange(fields, change)
  const record = fields.bytes.subarray(start + frameSize)
  fields.fill(length, record.length)
  fields.fill(sum, crc32(record))
}
