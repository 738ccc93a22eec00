import type { ByteString } from '../model/bytes.ts'
import type { Tree } from '../stack/tree.ts'
import type { Heritage } from './inheritance.ts'
import type { AdvisoryLocks } from './locks.ts'
import type { AttributeChange, Creation, Room, Unnamed, Upper, WritableBytes } from './upper.ts'

/** On whose behalf content or attributes change. */
export interface OnBehalf {
  /**
   * Set-id bits go as Linux takes them from what somebody without CAP_FSETID writes or truncates: set-user always, set-group where the
   * group may execute. Default: they stay.
   */
  readonly killSetId?: boolean
}

/**
 * The resolver over lower views and an upper. Reading is that of any `Tree`; writing copies up first.
 *
 * Verbs take directories by number and names as byte strings, and answer with inode numbers that survive copy-up and
 * rename. Failures are `PlyError`s with errno codes, as Linux gives them (`rmdir` of a full directory: ENOTEMPTY …).
 * All verbs are synchronous and none asks who calls. What lost its last name goes on answering by number while it is held, by a
 * handle or by `hold`: `stat` (no links), `xattrs`, `readlink`, `open`, `writer`, `setAttributes`, `setXattr`. `close` closes the lower
 * tree and the upper too. A name may not be empty, `.`, `..`, contain `/` or NUL (EINVAL), or be longer than 255 bytes (ENAMETOOLONG).
 * Whatever changes something may also meet what the upper's disk answers (ENOSPC, EROFS, EIO), and ENOTSUP for what its form cannot store.
 */
export interface WritableUnion extends Tree {
  readonly lower: Tree
  readonly upper: Upper

  /**
   * Makes something at a free name, with the very attributes that are given: nothing comes from the directory (`asUser` and `fsOf` see
   * to that). Answers with its number. @throws EEXIST; ENOENT for a removed directory, ENOTDIR; EPERM for the device 0:0
   */
  create(directory: number, name: ByteString, creation: Creation): number
  /**
   * One more name for what is no directory; files with several names below stay one file when they are copied up. @throws EEXIST, ENOTDIR,
   * EPERM for a directory; ENOENT for what has lost its last name, but for a file of `unnamed`
   */
  link(directory: number, name: ByteString, ino: number): void
  /**
   * As `renameat2(2)`: what stands at the new name is replaced in the same step, or with `exchange` gets the old name. Directories keep
   * what they show from below, wherever they go. @throws ENOENT, ENOTDIR, EISDIR, ENOTEMPTY; EEXIST with `noReplace`; EINVAL for a
   * directory into itself, and for both flags
   */
  rename(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    flags?: { readonly noReplace?: boolean; readonly exchange?: boolean },
  ): void
  /** @throws ENOENT, ENOTDIR; EISDIR for a directory */
  unlink(directory: number, name: ByteString): void
  /** @throws ENOENT; ENOTDIR for what is no directory; ENOTEMPTY */
  rmdir(directory: number, name: ByteString): void
  /** A change of mode changes the access ACL with it, and a change of owner takes set-id bits and capabilities. */
  setAttributes(ino: number, change: AttributeChange, on?: OnBehalf): void
  /**
   * `undefined` removes it (ENODATA if it is not there). An access ACL changes the mode, and is not kept where the mode says it all.
   */
  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void
  /**
   * Content for reading and writing; copies the file up, without its old content if `truncate` is set. The caller closes
   * it: the modify time that writing gives a file is stored then, or at `sync`. @throws EISDIR, EINVAL
   */
  writer(ino: number, options?: OnBehalf & { readonly truncate?: boolean }): WritableBytes
  /**
   * A new file without a name (`O_TMPFILE`), open for writing; `directory` is the one that it was asked for in, which is copied up.
   * While it is held, every verb takes its number, and `link` gives it a name, unless it was made `exclusive`. It is gone when it is
   * closed without one.
   */
  unnamed(
    directory: number,
    creation: Creation & { readonly kind: 'file' },
    options?: OnBehalf & { readonly exclusive?: boolean },
  ): Unnamed
  /** What a directory hands on to what is made in it, for less than `stat` and `xattrs` cost. @throws ENOENT, ENOTDIR */
  heritage?(directory: number): Heritage
  /**
   * Keeps an inode of any kind answering by number after its last name went, until the answer is called: for what is open without
   * content, as a directory is. @throws ENOENT
   */
  hold(ino: number): () => void
  /** Locks that programs take on its inodes: one set for all who share this union. They go with it. */
  readonly locks: AdvisoryLocks
  /** Returns when everything changed so far is on the disk, modify times of what is still being written included. */
  sync(): void
  /** Room on what the upper is stored on. */
  room(): Room
  /**
   * From now on what changes has the times that the upper's disk gives by itself, where it does (`Upper.givesTimes`): nothing has to be
   * stored for them, and there is one clock. Before, and where it is absent, times are those of the union's clock.
   */
  takeTimesOfDisk?(): void

  /**
   * The inode of the lower tree that stands unchanged behind this number, with everything under it: `undefined` once
   * anything at or below it (for a directory: in its listing or attributes) was touched. Lets a diff skip what is shared.
   */
  untouched(ino: number): number | undefined
}

/** A union that goes on over other sides: those who have it, and what they have open in it, go on too. */
export interface RestackableUnion extends WritableUnion {
  /**
   * Freezes what was written: it becomes the topmost lower side, and `upper`, an empty one, is written from now on. Numbers stay. Files
   * that are open for writing are copied up into it first. `decide` is the moment of the change: if it throws, or anything before it, all
   * is as it was. Answers with the tree below from now on, which nobody may change; whoever else uses it calls `retain` on it.
   * @throws EBUSY while there are files without a name that may get one; what copying up throws
   */
  freeze(upper: Upper, decide: () => void): RestackableUnion
  /**
   * Goes on over other sides altogether, which number what they share alike; the old ones are closed. `decide` as in `freeze`.
   * @throws EBUSY while anything is open
   */
  restack(lower: Tree, upper: Upper, decide: () => void): void
  /** Files whose content is in blocks of its own over that of a lower file, here or in a frozen upper below. */
  inBlocks(): Iterable<number>
  /** Gives such a file all its content in the upper. It shows the same before and after it. @throws EBUSY while it is open */
  materialize(ino: number): void
  /** One more user: it stays open until each of them has closed it, once. */
  retain(): RestackableUnion
}
