import type { ByteString } from '../model/bytes.ts'
import type { Tree } from '../stack/tree.ts'
import type { AttributeChange, Creation, Room, Upper, WritableBytes } from './upper.ts'

/**
 * The resolver over lower views and an upper. Reading is that of any `Tree`; writing copies up first.
 *
 * Verbs take directories by number and names as byte strings, and answer with inode numbers that survive copy-up and
 * rename. Failures are `PlyError`s with errno codes, as Linux gives them (`rmdir` of a full directory: ENOTEMPTY …).
 * All verbs are synchronous. `close` closes the lower tree and the upper too. A name may not be empty, `.`, `..`, contain
 * `/` or NUL (EINVAL), or be longer than 255 bytes (ENAMETOOLONG).
 */
export interface WritableUnion extends Tree {
  readonly lower: Tree
  readonly upper: Upper

  create(directory: number, name: ByteString, creation: Creation): number
  link(directory: number, name: ByteString, ino: number): void
  rename(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    flags?: { readonly noReplace?: boolean; readonly exchange?: boolean },
  ): void
  unlink(directory: number, name: ByteString): void
  rmdir(directory: number, name: ByteString): void
  setAttributes(ino: number, change: AttributeChange): void
  /** `undefined` removes it (ENODATA if it is not there). */
  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void
  /**
   * Content for reading and writing; copies the file up, without its old content if `truncate` is set. The caller closes
   * it: the modify time that writing gives a file is stored then, or at `sync`. @throws EISDIR, EINVAL
   */
  writer(ino: number, options?: { readonly truncate?: boolean }): WritableBytes
  /**
   * A new file without a name (`O_TMPFILE`), open for writing; `directory` is the one that it was asked for in. While it is open,
   * every verb takes its number, and `link` gives it a name, unless it was made `exclusive`. It is gone when it is closed without one.
   */
  unnamed(
    directory: number,
    creation: Creation & { readonly kind: 'file' },
    options?: { readonly exclusive?: boolean },
  ): { readonly ino: number; readonly content: WritableBytes }
  sync(): void
  /** Room on what the upper is stored on. */
  room(): Room

  /**
   * The inode of the lower tree that stands unchanged behind this number, with everything under it: `undefined` once
   * anything at or below it (for a directory: in its listing or attributes) was touched. Lets a diff skip what is shared.
   */
  untouched(ino: number): number | undefined
}
