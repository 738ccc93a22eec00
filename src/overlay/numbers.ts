import type { ByteString } from '../model/bytes.ts'
import { firstNewInode } from '../union/upper.ts'
import type { UpperDisk } from './upper-disk.ts'

/** Numbers are taken from the disk in blocks of this size: a process that dies loses what is left of one. */
const block = 1024

/**
 * Numbers for new inodes, each given once. The next free one is in an xattr of the upper's root, so that it does not
 * matter whether the disk gives its own numbers twice.
 */
export class Numbers {
  readonly #disk: UpperDisk
  readonly #root: ByteString
  readonly #mark: ByteString
  #next: number
  #reserved: number

  /** `from`: give none below it. */
  constructor(
    disk: UpperDisk,
    options: { readonly root: ByteString; readonly mark: ByteString; readonly from: number },
  ) {
    this.#disk = disk
    this.#root = options.root
    this.#mark = options.mark
    const stored = Number(disk.xattr(options.root, options.mark)?.toString('latin1') ?? 0)
    this.#next = Math.max(firstNewInode + 1, options.from, Number.isSafeInteger(stored) ? stored : 0)
    this.#reserved = this.#next
  }

  next(): number {
    if (this.#next >= this.#reserved) this.#store(this.#next + block)
    return this.#next++
  }

  /** What `next` will give. */
  get peek(): number {
    return this.#next
  }

  /** Gives only numbers above this one from now on. */
  past(number: number): void {
    if (number < this.#next) return
    this.#next = number + 1
    if (this.#next > this.#reserved) this.#store(this.#next + block)
  }

  /**
   * Says that a number was found on an inode. A power cut may have left that, and not what the root said of the next free one: then
   * counting goes on behind it.
   */
  meet(number: number): void {
    if (number >= this.#next) this.#next = number + 1
  }

  /** Gives back what was taken from the disk and not given, and notes what was met. */
  settle(): void {
    if (this.#reserved !== this.#next) this.#store(this.#next)
  }

  #store(number: number): void {
    this.#disk.setXattr(this.#root, this.#mark, Buffer.from(String(number)))
    this.#reserved = number
  }
}
