import { crc32 } from 'node:zlib'
import type { Disk } from '../sys/disk.ts'
import type { Change } from './change.ts'
import { decodeChange, syncedPattern } from './change-codec.ts'
import { headerSize, readHeader } from './log-header.ts'
import { damaged, FieldReader } from './record-bytes.ts'
import { frameSize } from './record-frame.ts'
import { readFully } from './whole-io.ts'

/** Longest legal record: all xattrs of an inode (255 KiB) and two names fit many times. */
const maximumRecord = 1 << 24

/** What was found out about a log while it was read. Positions are bytes. */
export interface LogExtent {
  /** Incompatible features that it may use. */
  readonly features: number
  /** Where its last whole record ends. */
  readonly end: number
  /** Where a compaction ended it; 0 if none did. */
  readonly measured: number
  /** Up to where it is known to have been on the disk. */
  readonly marked: number
}

/**
 * Tells the changes of a log in order, up to the first record that does not fit.
 *
 * @throws PLY_BAD_DOCUMENT if it is not such a log, says what cannot be, or was damaged after it was on the disk; PLY_UNSUPPORTED
 * for a later version.
 */
export function readLog(disk: Disk, fd: number, onChange: (change: Change) => void): LogExtent {
  const head = Buffer.alloc(headerSize)
  if (readFully(disk, fd, head, 0) < headerSize) throw damaged('its header is cut short')
  const features = readHeader(head)
  for (let read = readRecords(disk, fd, onChange, { end: headerSize, measured: 0, marked: 0 }); ; ) {
    try {
      checkTail(disk, fd, read.end)
      return { features, ...read }
    } catch (error) {
      // Who only reads holds no lock: what was half there a moment ago may have been written since, and all that follows it.
      const more = readRecords(disk, fd, onChange, read)
      if (more.end === read.end) throw error
      read = more
    }
  }
}

/** Goes on from what was read before. */
function readRecords(
  disk: Disk,
  fd: number,
  onChange: (change: Change) => void,
  before: Omit<LogExtent, 'features'>,
): Omit<LogExtent, 'features'> {
  const { size } = disk.fs.fstatSync(fd)
  let buffer: Buffer = Buffer.allocUnsafe(1 << 20)
  let filled = 0
  let start = 0
  let { end, measured, marked } = before
  for (;;) {
    const left = filled - start
    const length = left >= frameSize ? buffer.readUInt32LE(start) : 0
    const wanted = frameSize + length
    if (left < frameSize || left < wanted) {
      // Too long for the file: a torn tail. Checked before anything is allocated for it.
      if (length > maximumRecord || end + wanted > size) break
      if (wanted > buffer.length) buffer = Buffer.concat([buffer.subarray(start, filled)], wanted)
      else buffer.copyWithin(0, start, filled)
      start = 0
      filled = left + readFully(disk, fd, buffer.subarray(left), end + left)
      if (filled < wanted || filled === left) break
      continue
    }
    const from = start + frameSize
    // A run of zeros is what a crash leaves in a file whose size came before its bytes: never a record.
    if (length === 0 || crc32(buffer.subarray(from, from + length)) !== buffer.readUInt32LE(start + 4)) break
    const change = decodeChange(new FieldReader(buffer, from, from + length))
    onChange(change)
    start = from + length
    end += wanted
    if (change.does === 'counters') measured = end
    if (change.does === 'counters' || change.does === 'synced') marked = end
  }
  return { end, measured, marked }
}

/**
 * What follows the whole records is a crash's to leave only where nothing says that it was on the disk. Otherwise the
 * disk lost it: to cut it off would lose the rest, and the content that it names.
 */
function checkTail(disk: Disk, fd: number, end: number): void {
  const { size } = disk.fs.fstatSync(fd)
  const chunk = Buffer.allocUnsafe(Math.min(1 << 20, size - end))
  for (let at = end; at < size; at += chunk.length - syncedPattern.length + 1) {
    const got = readFully(disk, fd, chunk, at)
    const part = chunk.subarray(0, got)
    for (let found = part.indexOf(syncedPattern); found >= 0; found = part.indexOf(syncedPattern, found + 1)) {
      if (isSynced(disk, fd, at + found - frameSize)) {
        throw damaged(`the record at byte ${end} does not match its checksum, though it was on the disk`)
      }
    }
    if (at + got >= size) return
  }
}

function isSynced(disk: Disk, fd: number, position: number): boolean {
  const frame = Buffer.alloc(frameSize + syncedPattern.length + 8)
  const filled = readFully(disk, fd, frame, position)
  const end = frameSize + frame.readUInt32LE(0)
  if (end > filled || crc32(frame.subarray(frameSize, end)) !== frame.readUInt32LE(4)) return false
  const change = decodeChange(new FieldReader(frame, frameSize, end))
  return change.does === 'synced' && change.position === position
}
