import { fstatSync, lstatSync } from 'node:fs'
import { PlyError } from '../model/errors.ts'
import { koffi, lastErrno, libc, systemError } from './libc.ts'
import { type Path, PathSlot, pathBytes, shown } from './path.ts'

/** What a real inode is; times in nanoseconds since the epoch. */
export interface ExactStat {
  readonly ino: number
  readonly mode: number
  readonly links: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  /** Of the device that it stands for. */
  readonly major: number
  readonly minor: number
  readonly atime: bigint
  readonly mtime: bigint
  readonly ctime: bigint
}

const currentDirectory = -100
const noFollow = 0x100
const emptyPath = 0x1000
const basic = 0x7ff
const high = 2 ** 32

const statx = libc('int statx(int, uintptr_t, int, unsigned int, uintptr_t)')
const slot = new PathSlot()
/** `struct statx`, in words of 32 and of 64 bits. */
const words = new Uint32Array(64)
const times = new BigInt64Array(words.buffer)
let answer: bigint | undefined
let isMissing = false

/**
 * `lstat` or `fstat` to the nanosecond, in a third of the time that `node:fs` takes. A symlink is not followed.
 *
 * @param target a path (a byte string, see `path.ts`) or a descriptor.
 * @throws ENOENT, EACCES, ENOTDIR …
 */
export function exactStat(target: Path | number): ExactStat {
  if (isMissing) return byNode(target)
  let result: number | bigint
  try {
    answer ??= koffi('exact times').address(words)
    result =
      typeof target === 'number'
        ? statx(target, slot.put(''), emptyPath, basic, answer)
        : statx(currentDirectory, slot.put(target), noFollow, basic, answer)
  } catch (error) {
    if (!(error instanceof PlyError) || error.code !== 'PLY_NO_NATIVE') throw error
    isMissing = true
    return byNode(target)
  }
  if (result !== 0) throw systemError('stat', lastErrno(), typeof target === 'number' ? undefined : shown(target))
  return {
    ino: words[8]! + words[9]! * high,
    mode: words[7]! & 0xffff,
    links: words[4]!,
    uid: words[5]!,
    gid: words[6]!,
    size: words[10]! + words[11]! * high,
    major: words[32]!,
    minor: words[33]!,
    atime: timeAt(8),
    mtime: timeAt(14),
    ctime: timeAt(12),
  }
}

/** `struct statx_timestamp`, at a place in words of 64 bits. */
function timeAt(at: number): bigint {
  return times[at]! * 1_000_000_000n + BigInt(words[2 * at + 2]!)
}

/** C libraries before glibc 2.28, and what is no Linux, have no statx. */
function byNode(target: Path | number): ExactStat {
  const options = { bigint: true } as const
  const real =
    typeof target === 'number' ? fstatSync(target, options) : lstatSync(pathBytes(target).subarray(0, -1), options)
  return {
    ino: Number(real.ino),
    mode: Number(real.mode),
    links: Number(real.nlink),
    uid: Number(real.uid),
    gid: Number(real.gid),
    size: Number(real.size),
    // As glibc's `gnu_dev_major` splits it.
    major: Number(((real.rdev >> 8n) & 0xfffn) | ((real.rdev >> 32n) & 0xfffff000n)),
    minor: Number((real.rdev & 0xffn) | ((real.rdev >> 12n) & 0xffffff00n)),
    atime: real.atimeNs,
    mtime: real.mtimeNs,
    ctime: real.ctimeNs,
  }
}
