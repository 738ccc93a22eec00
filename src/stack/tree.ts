import type { ContentPlace, Inodes } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import type { ContentDigests } from './content-digests.ts'

/** One name in a merged directory. */
export interface TreeEntry {
  readonly name: ByteString
  readonly ino: number
  readonly kind: Kind
}

/**
 * A merged file system, read only: no whiteouts left to see.
 *
 * An inode number names the same file as long as the tree is open; two names with one number are hardlinks.
 * `lookup` and `list` take a directory's number and know neither `.` nor `..`; nothing here follows symlinks.
 */
export interface Tree extends Inodes {
  readonly root: number
  /** @throws ENOTDIR if `directory` is none. */
  lookup(directory: number, name: ByteString): number | undefined
  /** In byte order. */
  list(directory: number): Iterable<TreeEntry>
  /** The directory that holds this directory; the root holds itself. */
  parent(directory: number): number
  /**
   * Whether the tree may number an inode so, visible or not: what is put over it gives new inodes other numbers. Absent: it numbers
   * none from 2^40 on, and any below.
   */
  has?(ino: number): boolean
  /**
   * Where in which layer a file's content lies; `undefined` where it lies in none. Two files with one place have one
   * content. Absent: the tree has no layers.
   */
  readonly place?: ((ino: number) => ContentPlace | undefined) | undefined
  /** Digests of contents, where the tree can remember them. Absent: `contentDigest` reads the file each time. */
  readonly digests?: ContentDigests | undefined
  /** Only headers were read of some of it, and compared with no digest: contents answer EIO, and no layer is made of it. */
  readonly unverified?: boolean
  /** Safe to call twice. */
  close(): void
}
