import type { ByteString } from '../model/bytes.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Creation, Standing, Upper } from '../union/upper.ts'
import type { KeptBlocks } from './kept-blocks.ts'

/** An upper that is kept somewhere, in any form: what it takes beyond `Upper` to make it the same as another one. */
export interface StoredUpper extends Upper {
  readonly blocks: KeptBlocks
  /** The next new inode gets this number or a higher one. */
  readonly nextNumber: number
  /** The content of a copy of attributes alone is found by its name, or by the `redirect` that `restore` is given for it. */
  readonly findsContentByName: boolean
  /** Writes what closing would write, and returns when everything is on the disk. Changes may follow. */
  settle(): void
  /** From now on every change is EROFS. To be called after `settle`; what is open for reading stays so, and writes nothing itself. */
  freeze(): void
  /** From here on only numbers above this one are given to new inodes. */
  numbersPast(ino: number): void
  /**
   * Puts an inode of another upper at a free name, under its number and standing where it stood there. As `copyUp`, but also for
   * inodes that no lower tree has, and without content also where `metadataOnly` is false.
   */
  restore(directory: number, name: ByteString, ino: number, inode: Creation & Standing, content?: Bytes): void
}
