import { type Kind, type Stat, typeBits } from '../model/entry.ts'
import type { Room } from '../union/upper.ts'

/** One device number for everything in a union. */
const device = 0x706c79
const blockSize = 4096
/** OVERLAYFS_SUPER_MAGIC, which is what a kernel mount of the same would say. */
const overlayMagic = 0x794c7630n

/** The tests that `Stats` and `Dirent` share. Printing and comparing shows what Node's objects show: not the kind. */
abstract class Typed {
  readonly #kind: Kind

  constructor(kind: Kind) {
    this.#kind = kind
  }

  isFile(): boolean {
    return this.#kind === 'file'
  }
  isDirectory(): boolean {
    return this.#kind === 'directory'
  }
  isSymbolicLink(): boolean {
    return this.#kind === 'symlink'
  }
  isCharacterDevice(): boolean {
    return this.#kind === 'character'
  }
  isBlockDevice(): boolean {
    return this.#kind === 'block'
  }
  isFIFO(): boolean {
    return this.#kind === 'fifo'
  }
  isSocket(): boolean {
    return this.#kind === 'socket'
  }
}

/**
 * What `stat` answers, as Node shapes it. Times that nobody recorded are the modify time; when a file was made is not
 * recorded, and is said to be its change time, as Node says it of such file systems.
 */
export class Stats extends Typed {
  readonly dev = device
  readonly ino: number
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  readonly size: number
  readonly blksize = blockSize
  readonly blocks: number
  readonly atimeMs: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly birthtimeMs: number
  readonly atime: Date
  readonly mtime: Date
  readonly ctime: Date
  readonly birthtime: Date

  constructor(stat: Stat) {
    super(stat.kind)
    this.ino = stat.ino
    this.mode = typeBits[stat.kind] | stat.mode
    this.nlink = stat.links
    this.uid = stat.uid
    this.gid = stat.gid
    this.rdev = stat.major === 0 && stat.minor === 0 ? 0 : Number(deviceNumber(stat))
    this.size = sizeOf(stat)
    this.blocks = Math.ceil(this.size / 512)
    const { mtime, atime = mtime, ctime = mtime } = stat
    this.mtimeMs = inMilliseconds(mtime)
    this.atimeMs = atime === mtime ? this.mtimeMs : inMilliseconds(atime)
    this.ctimeMs = this.birthtimeMs = ctime === mtime ? this.mtimeMs : inMilliseconds(ctime)
    this.atime = new Date(Math.round(this.atimeMs))
    this.mtime = new Date(Math.round(this.mtimeMs))
    this.ctime = new Date(Math.round(this.ctimeMs))
    this.birthtime = new Date(Math.round(this.birthtimeMs))
  }
}

/** The same with `{ bigint: true }`: exact times, in nanoseconds too. */
export class BigIntStats extends Typed {
  readonly dev = BigInt(device)
  readonly ino: bigint
  readonly mode: bigint
  readonly nlink: bigint
  readonly uid: bigint
  readonly gid: bigint
  readonly rdev: bigint
  readonly size: bigint
  readonly blksize = BigInt(blockSize)
  readonly blocks: bigint
  readonly atimeMs: bigint
  readonly mtimeMs: bigint
  readonly ctimeMs: bigint
  readonly birthtimeMs: bigint
  readonly atimeNs: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  readonly birthtimeNs: bigint
  readonly atime: Date
  readonly mtime: Date
  readonly ctime: Date
  readonly birthtime: Date

  constructor(stat: Stat) {
    super(stat.kind)
    const plain = new Stats(stat)
    this.ino = BigInt(stat.ino)
    this.mode = BigInt(plain.mode)
    this.nlink = BigInt(stat.links)
    this.uid = BigInt(stat.uid)
    this.gid = BigInt(stat.gid)
    this.rdev = deviceNumber(stat)
    this.size = BigInt(plain.size)
    this.blocks = BigInt(plain.blocks)
    const { mtime, atime = mtime, ctime = mtime } = stat
    this.atimeNs = atime
    this.mtimeNs = mtime
    this.ctimeNs = this.birthtimeNs = ctime
    this.atimeMs = atime / 1_000_000n
    this.mtimeMs = mtime / 1_000_000n
    this.ctimeMs = this.birthtimeMs = ctime / 1_000_000n
    this.atime = new Date(Number(this.atimeMs))
    this.mtime = new Date(Number(this.mtimeMs))
    this.ctime = new Date(Number(this.ctimeMs))
    this.birthtime = new Date(Number(this.birthtimeMs))
  }
}

export interface StatOptions {
  readonly bigint?: boolean | undefined
  readonly throwIfNoEntry?: boolean | undefined
}

export type StatsFor<Options> =
  | (Options extends { readonly bigint: true } ? BigIntStats : Stats)
  | (Options extends { readonly throwIfNoEntry: false } ? undefined : never)

export function statsOf<Options extends StatOptions | undefined>(stat: Stat, options: Options): StatsFor<Options> {
  return (options?.bigint ? new BigIntStats(stat) : new Stats(stat)) as StatsFor<Options>
}

/** One name of a directory, from `readdir` with `withFileTypes` and from `opendir`. */
export class Dirent<Name extends string | Buffer = string> extends Typed {
  readonly name: Name
  /** The directory that it is in, as it was asked for. */
  readonly parentPath: string
  readonly path: string

  constructor(name: Name, parentPath: string, kind: Kind) {
    super(kind)
    this.name = name
    this.parentPath = parentPath
    this.path = parentPath
  }
}

/** What `statfs` answers. A tree without an upper has no room at all. */
export class StatFs<Amount extends number | bigint = number> {
  readonly type: Amount
  readonly bsize: Amount
  readonly blocks: Amount
  readonly bfree: Amount
  readonly bavail: Amount
  readonly files: Amount
  readonly ffree: Amount

  constructor(room: Room | undefined, as: (amount: bigint) => Amount) {
    const block = BigInt(room?.blockSize ?? blockSize)
    this.type = as(overlayMagic)
    this.bsize = as(block)
    this.blocks = as((room?.size ?? 0n) / block)
    this.bfree = as((room?.free ?? 0n) / block)
    this.bavail = as((room?.available ?? 0n) / block)
    this.files = as(room?.inodes ?? 0n)
    this.ffree = as(room?.freeInodes ?? 0n)
  }
}

/** What `watchFile` tells of a file that is not there: zeros. */
export function noStats(bigint: boolean): Stats | BigIntStats {
  const nothing = {
    kind: 'file',
    ino: 0,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    links: 0,
    major: 0,
    minor: 0,
    mtime: 0n,
  } as const
  const zero = bigint ? 0n : 0
  return Object.assign(bigint ? new BigIntStats(nothing) : new Stats(nothing), { dev: zero, mode: zero, blksize: zero })
}

/** A number of 64 bits in halves: products and quotients of bigints are dear. */
const halves = new DataView(new ArrayBuffer(8))

function inMilliseconds(nanoseconds: bigint): number {
  halves.setBigInt64(0, nanoseconds)
  if (halves.getBigInt64(0) !== nanoseconds)
    return Number(nanoseconds / 1_000_000n) + Number(nanoseconds % 1_000_000n) / 1e6
  // 2^32 nanoseconds are 4294 ms and 967296 ns.
  const high = halves.getInt32(0)
  const rest = high * 967_296 + halves.getUint32(4)
  const milliseconds = Math.trunc(rest / 1e6)
  return high * 4294 + milliseconds + (rest - milliseconds * 1e6) / 1e6
}

/** Directories have no size of their own here; programs expect one. */
function sizeOf({ kind, size }: Stat): number {
  return kind === 'directory' ? blockSize : size
}

/** `makedev(3)` of glibc. */
function deviceNumber({ major, minor }: Stat): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)]
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
}
