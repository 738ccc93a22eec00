import type { Bytes } from '../stream/bytes.ts'
import type { Blocks, WritableBytes } from '../union/upper.ts'
import type { ExtentFiles } from './extent-files.ts'

/** How many removed files, and bytes of them, wait for the next `sync` before one is made for them. */
const removedAtMost = { files: 256, bytes: 64 << 20 }

/** What says of an inode that it has blocks, in one form or the other. */
export interface BlockMarks {
  has(ino: number): boolean
  /** Every inode that is said to have some. */
  all(): Iterable<number>
  /** Says of an inode that it has blocks: they are on the disk. */
  mark(ino: number): void
  /** To be called before blocks of an inode change. */
  touched(ino: number): void
  /** Returns when what says so of an inode is on the disk. */
  sync(ino: number): void
}

/** The blocks of an upper that is stored: their files, and what says of which inodes they are. */
export class KeptBlocks implements Blocks {
  readonly from: number
  readonly files: ExtentFiles
  readonly #marks: BlockMarks

  constructor(files: ExtentFiles, from: number, marks: BlockMarks) {
    this.files = files
    this.from = from
    this.#marks = marks
  }

  list(): number[] {
    return this.files.numbers().filter((ino) => this.#marks.has(ino))
  }

  has(ino: number): boolean {
    return this.#marks.has(ino)
  }

  size(ino: number): number {
    return this.files.size(ino)
  }

  takesNothing(content: Bytes): boolean {
    return this.files.takesNothing(content)
  }

  begin(ino: number, size: number): void {
    this.files.make(ino, size)
    try {
      this.#marks.mark(ino)
    } catch (error) {
      this.files.discard(ino)
      throw error
    }
  }

  open(ino: number, below: () => Bytes): WritableBytes {
    return this.files.open(ino, below, {
      onChange: () => this.#marks.touched(ino),
      onSync: () => this.#marks.sync(ino),
    })
  }

  /** What is wrong with what is kept: inodes whose blocks are gone or damaged, and files that no inode has. */
  *check(): Generator<{ readonly ino: number; readonly problem: 'damaged' | 'unused' }> {
    const kept = new Set(this.files.numbers())
    for (const ino of this.#marks.all()) {
      kept.delete(ino)
      if (!this.files.isWhole(ino)) yield { ino, problem: 'damaged' }
    }
    for (const ino of kept) yield { ino, problem: 'unused' }
  }

  /** Whether so much waits for `sync` to be removed that it is time for one. */
  get isFull(): boolean {
    return this.files.waiting >= removedAtMost.files || this.files.waitingBytes >= removedAtMost.bytes
  }
}
