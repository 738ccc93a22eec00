import type { ByteString } from '../model/bytes.ts'
import { type Stat, typeBits } from '../model/entry.ts'
import { attributesSize, replyHeaderSize } from './protocol.ts'

const high = 2 ** 32
const second = 1_000_000_000n
const blockSize = 4096

/** An answer, in memory that the next one is written over. Places are bytes from the start of the body, multiples of four. */
export class Reply {
  readonly memory: Buffer
  readonly #words: Uint32Array

  /** @param size bytes, the header included */
  constructor(size: number) {
    this.memory = Buffer.allocUnsafeSlow(size)
    this.#words = new Uint32Array(this.memory.buffer)
  }

  u32(at: number, value: number): void {
    this.#words[(at + replyHeaderSize) >>> 2] = value
  }

  /** Whole numbers, exact up to 2^53 on both sides of zero. */
  u64(at: number, value: number): void {
    const word = (at + replyHeaderSize) >>> 2
    this.#words[word] = value
    this.#words[word + 1] = Math.floor(value / high)
  }

  zeros(at: number, length: number): void {
    this.memory.fill(0, at + replyHeaderSize, at + replyHeaderSize + length)
  }

  text(at: number, value: ByteString): void {
    this.memory.write(value, at + replyHeaderSize, value.length, 'latin1')
  }

  bytes(at: number, length: number): Buffer {
    return this.memory.subarray(at + replyHeaderSize, at + replyHeaderSize + length)
  }

  /** `struct fuse_attr`. */
  attributes(at: number, stat: Stat): void {
    const { mtime, atime = mtime, ctime = mtime, size } = stat
    this.u64(at, stat.ino)
    this.u64(at + 8, size)
    this.u64(at + 16, stat.kind === 'file' ? Math.ceil(size / 512) : 0)
    this.#time(at + 24, at + 48, atime)
    this.#time(at + 32, at + 52, mtime)
    this.#time(at + 40, at + 56, ctime)
    this.u32(at + 60, typeBits[stat.kind] | stat.mode)
    this.u32(at + 64, stat.links)
    this.u32(at + 68, stat.uid)
    this.u32(at + 72, stat.gid)
    this.u32(at + 76, deviceNumber(stat.major, stat.minor))
    this.u32(at + 80, blockSize)
    this.u32(at + 84, 0)
  }

  /** `struct fuse_entry_out`; valid for so many seconds. Without attributes it says that nothing stands at the name. */
  entry(at: number, node: number, stat: Stat | undefined, nameSeconds: number, attributeSeconds: number): void {
    this.u64(at, node)
    this.u64(at + 8, 0)
    this.u64(at + 16, nameSeconds)
    this.u64(at + 24, attributeSeconds)
    this.u64(at + 32, 0)
    if (stat) this.attributes(at + 40, stat)
    else this.zeros(at + 40, attributesSize)
  }

  /** `struct fuse_open_out`. */
  opened(at: number, handle: number, flags: number): void {
    this.u64(at, handle)
    this.u32(at + 8, flags)
    this.u32(at + 12, 0)
  }

  /** Writes the header of an answer to a request; `result` is the length of the body, or a negative errno. Answers with its length. */
  finished(uniqueLow: number, uniqueHigh: number, result: number): number {
    const length = result < 0 ? replyHeaderSize : replyHeaderSize + result
    this.#words[0] = length
    this.#words[1] = Math.min(result, 0)
    this.#words[2] = uniqueLow
    this.#words[3] = uniqueHigh
    return length
  }

  #time(secondsAt: number, nanosecondsAt: number, time: bigint): void {
    let seconds = Number(time / second)
    let rest = Number(time % second)
    if (rest < 0) {
      seconds--
      rest += 1e9
    }
    this.u64(secondsAt, seconds)
    this.u32(nanosecondsAt, rest)
  }
}

/** `new_encode_dev` */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)
}

/** `new_decode_dev` */
export function deviceParts(device: number): { readonly major: number; readonly minor: number } {
  return { major: (device & 0xfff00) >>> 8, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) }
}
