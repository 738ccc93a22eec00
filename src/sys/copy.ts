import * as nodeFs from 'node:fs'
import { encodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Files } from './disk.ts'
import { errnoName, koffi, lastErrno, libc, systemError } from './libc.ts'
import { openUnnamed } from './unnamed-file.ts'

/** A place in an open file. */
export interface Place {
  readonly fd: number
  /** Bytes. */
  readonly offset: number
}

/** What a file system shares is whole blocks, and none has smaller ones. */
const block = 4096
const cloneRange = 0x4020940d
const seekData = 3
const seekHole = 4
const bufferSize = 256 << 10

const ioctl = libc('int ioctl(int, unsigned long, void*)')
const lseek = libc('long lseek(int, long, int)')
const copyFileRange = libc('long copy_file_range(int, void*, int, void*, size_t, unsigned int)')

/** Answers that mean "not this way, here": the next way is tried, and tells of real trouble by itself. */
const unable = new Set([
  'EXDEV',
  'ENOSYS',
  'EINVAL',
  'ENOTSUP',
  'ENOTTY',
  'EPERM',
  'EBADF',
  'EISDIR',
  'ETXTBSY',
  'EOVERFLOW',
])

/**
 * Copies `size` bytes from one file to another, in the cheapest way there is: shared blocks, else a copy inside the kernel,
 * else through memory. Holes stay holes where the target has nothing yet; what it has is overwritten, with zeros too. The
 * position of the source's descriptor moves. Without native calls everything goes through memory. With `hollow` the target holds
 * nothing but a hole, however large it is.
 *
 * @throws ENOSPC, EDQUOT, EIO (also if the source ends too early), EBADF …
 */
export function copyRange(
  source: Place,
  target: Place,
  size: number,
  { hollow = false }: { readonly hollow?: boolean } = {},
): void {
  if (size === 0) return
  if (!native()) {
    copyThroughMemory(nodeFs, source, target, size)
    return
  }
  const cloned = clone(source, target, size)
  if (cloned === size) return
  const end = hollow ? 0 : nodeFs.fstatSync(target.fd).size
  for (let done = cloned; done < size; ) {
    const { start, stop } = nextData(source, done, size)
    if (start > done) leaveHole(target, done, start, end)
    if (stop > start) copyData(at(source, start), at(target, start), stop - start)
    done = stop
  }
  const wanted = target.offset + size
  if (nodeFs.fstatSync(target.fd).size < wanted) nodeFs.ftruncateSync(target.fd, wanted)
}

/** The same by reading and writing, on any `node:fs`. Holes become zeros. */
export function copyThroughMemory(
  fs: Pick<Files, 'readSync' | 'writeSync'>,
  source: Place,
  target: Place,
  size: number,
): void {
  const buffer = Buffer.allocUnsafe(Math.min(size, bufferSize))
  for (let done = 0; done < size; ) {
    const got = fs.readSync(source.fd, buffer, 0, Math.min(buffer.length, size - done), source.offset + done)
    if (got === 0)
      throw new PlyError(
        'EIO',
        { syscall: 'copy' },
        { cause: new Error(`the source ends ${size - done} bytes too early`) },
      )
    writeAll(fs, buffer.subarray(0, got), at(target, done))
    done += got
  }
}

/**
 * Whether a file on the file system of a directory can share its blocks with another from a place on: it is tried with the first one, and a
 * file without a name. Where the first one is shared, all whole blocks behind it are.
 */
export function sharesBlocks(source: Place, directory: string): boolean {
  if (!native() || source.offset % block !== 0) return false
  let fd: number | undefined
  try {
    fd = openUnnamed(encodeText(directory), 0o600)
    return fd !== undefined && clone(source, { fd, offset: 0 }, block) === block
  } catch (error) {
    // A full disk, or one that fails: whoever writes is told of it.
    if (codeOf(error) === undefined) throw error
    return false
  } finally {
    if (fd !== undefined) nodeFs.closeSync(fd)
  }
}

/** How many bytes now share their blocks with the source: all, whole blocks at the start, or none. */
function clone(source: Place, target: Place, size: number): number {
  if (source.offset % block !== 0 || target.offset % block !== 0 || size < block) return 0
  // struct file_clone_range. A length that is no multiple of a block is allowed only where the source ends.
  for (const length of new Set([size, size - (size % block)])) {
    const range = new BigInt64Array([BigInt(source.fd), BigInt(source.offset), BigInt(length), BigInt(target.offset)])
    if (ioctl(target.fd, cloneRange, range) === 0) return length
    const errno = lastErrno()
    const name = errnoName(errno)
    if (name !== 'EINVAL') {
      if (unable.has(name)) return 0
      throw systemError('ioctl', errno)
    }
  }
  return 0
}

/**
 * The first run of an open file from `position` on that is no hole, as its file system tells; `undefined` if only a hole is left.
 * Without native calls, and where the file system does not know, there are no holes.
 */
export function dataFrom(
  fd: number,
  position: number,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  if (position >= size) return undefined
  if (!native()) return { start: position, end: size }
  const { start, stop } = nextData({ fd, offset: 0 }, position, size)
  return start < stop ? { start, end: stop } : undefined
}

/** The next run of data at or after `done`, relative to the source's offset; empty and at the end if only a hole is left. */
function nextData(source: Place, done: number, size: number): { readonly start: number; readonly stop: number } {
  if (size - done <= block) return { start: done, stop: size }
  const found = lseek(source.fd, source.offset + done, seekData)
  if (found < 0) {
    const name = errnoName(lastErrno())
    // ENXIO: a hole up to the end of the file, if the file is long enough. Anything else: this file system does not know its holes.
    if (name !== 'ENXIO' || nodeFs.fstatSync(source.fd).size < source.offset + size) return { start: done, stop: size }
    return { start: size, stop: size }
  }
  const start = Math.min(size, Number(found) - source.offset)
  const hole = lseek(source.fd, source.offset + start, seekHole)
  return { start, stop: hole < 0 ? size : Math.max(start, Math.min(size, Number(hole) - source.offset)) }
}

/** Makes a run of the target read as zeros; `end` is where the target ended before. */
function leaveHole(target: Place, from: number, to: number, end: number): void {
  const there = Math.min(target.offset + to, end) - (target.offset + from)
  const zeros = Buffer.alloc(Math.max(0, Math.min(there, bufferSize)))
  for (let done = 0; done < there; ) {
    const part = zeros.subarray(0, Math.min(zeros.length, there - done))
    writeAll(nodeFs, part, at(target, from + done))
    done += part.length
  }
}

function copyData(source: Place, target: Place, size: number): void {
  const from = new BigInt64Array([BigInt(source.offset)])
  const to = new BigInt64Array([BigInt(target.offset)])
  for (let done = 0; done < size; ) {
    const copied = Number(copyFileRange(source.fd, from, target.fd, to, size - done, 0))
    if (copied > 0) {
      done += copied
      continue
    }
    if (copied < 0) {
      const errno = lastErrno()
      const name = errnoName(errno)
      if (name === 'EINTR') continue
      if (!unable.has(name)) throw systemError('copy_file_range', errno)
    }
    // No bytes: the end, or one of the file systems that answer so where they cannot. Reading tells which.
    copyThroughMemory(nodeFs, at(source, done), at(target, done), size - done)
    return
  }
}

function writeAll(fs: Pick<Files, 'writeSync'>, bytes: Uint8Array, { fd, offset }: Place): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done, bytes.length - done, offset + done)
}

function at({ fd, offset }: Place, by: number): Place {
  return { fd, offset: offset + by }
}

let usable: boolean | undefined

/** Whether the calls are there: Linux, with koffi. */
function native(): boolean {
  if (usable === undefined) {
    try {
      koffi('copy')
      usable = process.platform === 'linux'
    } catch {
      // PLY_NO_NATIVE: a copy through memory does the same, slower.
      usable = false
    }
  }
  return usable
}
