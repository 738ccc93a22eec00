import { crc32 } from 'node:zlib'
import { PlyError } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import type { Change } from './change.ts'
import { decodeChange, encodeChange } from './change-codec.ts'
import { damaged, FieldReader, FieldWriter } from './record-bytes.ts'

const magic = 'plyupper'
const version = 1
const headerSize = 32
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
    this.#replace(fields.bytes)
    return true
  }

  /** Replaces the log by these changes, atomically and durably. */
  rewrite(changes: Iterable<Change>): void {
    const fields = new FieldWriter()
    for (const change of changes) encodeRecord(fields, change)
    this.#replace(fields.bytes)
  }

  close(): void {
    if (this.#fd !== undefined) this.#disk.fs.closeSync(this.#fd)
    this.#fd = undefined
  }

  #replace(records: Uint8Array): void {
    const { fs } = this.#disk
    const path = `${this.#path}.new`
    const fd = fs.openSync(path, 'w+', 0o600)
    try {
      writeFully(this.#disk, fd, header(), 0)
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
    }
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

/** Magic, version, three feature words (compatible, read-only compatible, incompatible), checksum. */
function header(): Buffer {
  const head = Buffer.alloc(headerSize)
  head.write(magic, 'latin1')
  head.writeUInt32LE(version, 8)
  head.writeUInt32LE(crc32(head.subarray(0, 28)), 28)
  return head
}

function checkHeader(head: Buffer): void {
  if (head.toString('latin1', 0, 8) !== magic) throw damaged('it does not begin with "plyupper"')
  if (head.readUInt32LE(28) !== crc32(head.subarray(0, 28))) throw damaged('its header does not match its checksum')
  const found = head.readUInt32LE(8)
  const features = [head.readUInt32LE(16), head.readUInt32LE(20)]
  if (found !== version || features.some((word) => word !== 0)) {
    throw new PlyError('PLY_UNSUPPORTED', {
      what: `upper format ${found}, features ${features.join('/')}`,
      reason: `this version knows format ${version} without features; use a later ply`,
    })
  }
}

function writeFully(disk: Disk, fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += disk.fs.writeSync(fd, bytes, done, bytes.length - done, position + done)
  }
}

function readFully(disk: Disk, fd: number, into: Uint8Array, position: number): number {
  let done = 0
  while (done < into.length) {
    const got = disk.fs.readSync(fd, into, done, into.length - done, position + done)
    if (got === 0) break
    done += got
  }
  return done
}
