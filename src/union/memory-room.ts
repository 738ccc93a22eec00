import { totalmem } from 'node:os'
import { PlyError } from '../model/errors.ts'
import type { Room } from './upper.ts'

const blockSize = 4096
/** What tmpfs counts for an inode, roughly: it keeps the memory of inodes bounded as well. */
const bytesPerInode = 1024

/** How much memory the content of one upper may take, and takes: half of the machine's, as tmpfs has it, unless said otherwise. */
export class MemoryRoom {
  readonly #limit: number
  #used = 0

  constructor(limit = Math.floor(totalmem() / 2)) {
    this.#limit = limit
  }

  /** @throws ENOSPC */
  take(bytes: number): void {
    if (bytes > this.free) throw new PlyError('ENOSPC', { syscall: 'write' })
    this.#used += bytes
  }

  /** Bytes that may still be taken. */
  get free(): number {
    return this.#limit - this.#used
  }

  give(bytes: number): void {
    this.#used -= bytes
  }

  /** `inodes`: how many there are. */
  room(inodes: number): Room {
    const free = BigInt(this.free)
    const most = Math.max(inodes, Math.floor(this.#limit / bytesPerInode))
    return {
      blockSize,
      size: BigInt(this.#limit),
      free,
      available: free,
      inodes: BigInt(most),
      freeInodes: BigInt(most - inodes),
    }
  }
}
