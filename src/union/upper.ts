import type { LayerView } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Attributes, Kind, Xattrs } from '../model/entry.ts'
import type { Bytes } from '../stream/bytes.ts'

/** Inodes that no lower tree has are numbered from here. */
export const firstNewInode = 2 ** 40

/** Bytes that a file may have: positions are numbers, and exact up to here. */
export const largestFile = Number.MAX_SAFE_INTEGER

/** What a new inode of an upper is made of. */
export interface Creation extends Attributes {
  readonly kind: Kind
  /** The times are this very moment: where the upper gives times by itself, it need not store them. */
  readonly now?: boolean
  /** Access time in nanoseconds since the epoch. Default: the modify time. */
  readonly atime?: bigint
  readonly xattrs?: Xattrs
  readonly target?: ByteString
  readonly major?: number
  readonly minor?: number
  /** Directories: nothing from below shows in it, from the moment it is there. */
  readonly opaque?: boolean
  /** Copies of lower files: how many names the file has below. With more than one, a form may record the group. */
  readonly links?: number
  /** Copies of attributes alone: how many bytes the content below has. */
  readonly size?: number
}

/** A changed attribute set; what is absent stays. */
export interface AttributeChange extends Partial<Attributes> {
  /** The times that are given are this very moment: where the upper gives times by itself, those of its own clock. */
  readonly now?: boolean
  /** Access time in nanoseconds since the epoch. It changes in no other way: not by reading, nor with the modify time. */
  readonly atime?: bigint
}

/** What `fallocate(2)` can be asked for (`FALLOC_FL_…`); none of them but `extend` changes the size. */
export type Allocation =
  /** Room for the range, and the size grows to its end. */
  | 'extend'
  /** Room for the range beyond the size too (`KEEP_SIZE`). */
  | 'reserve'
  /** The range becomes a hole (`PUNCH_HOLE`). */
  | 'punch'
  /** The range reads as zeros; what of it lies beyond the size is room (`ZERO_RANGE`, `KEEP_SIZE`). */
  | 'zero'

/** Where a moved inode stands afterwards, if it is a directory: see `Upper.rename`. */
export interface Standing {
  readonly redirect?: ByteString
  readonly opaque?: boolean
}

/** Where content stands below: at a path from the root of the lower tree, or where a name of the upper would find it. */
export type ContentPlace = { readonly path: ByteString } | { readonly directory: number; readonly name: ByteString }

/** Room on what an upper is stored on, as `statfs(2)` tells it: sizes in bytes. */
export interface Room {
  readonly blockSize: number
  readonly size: bigint
  readonly free: bigint
  /** What of it ordinary users may take. */
  readonly available: bigint
  readonly inodes: bigint
  readonly freeInodes: bigint
}

/**
 * Content that can be written. Positions and sizes are bytes; writing past the end leaves a hole that reads as zeros.
 * Writing changes neither times nor modes by contract: the union sets them.
 */
export interface WritableBytes extends Bytes {
  /** Current size: it changes as others write. */
  readonly size: number
  write(from: Uint8Array, position: number): number
  truncate(size: number): void
  /** `length` is above 0. @throws EOPNOTSUPP where the disk cannot, EFBIG, ENOSPC */
  allocate(what: Allocation, position: number, length: number): void
  /**
   * Copies from other content inside the kernel, as far as it goes: answers with how many bytes that were, 0 where it cannot be
   * done at all. Holes may become zeros. Absent: `copyRange` reads and writes.
   */
  copyFrom?(from: Bytes, fromPosition: number, position: number, length: number): number
  /** Returns when the content is on the disk. */
  sync(): void
}

/** A file without a name, as `Upper.unnamed` makes it. */
export interface Unnamed {
  readonly ino: number
  readonly content: WritableBytes
}

/**
 * What an upper records of lower link groups, so that others who read it count their names (overlayfs with `index=on`). They cannot
 * see which names from below are hidden.
 */
export interface GroupRecords {
  /** Whether a group is to be copied up before one of its names is hidden: what has no record is counted as it was below. */
  readonly beforeHiding: boolean
  /** As `Upper.copyUp`, without a name: names from below show it, `creation.links` of them. */
  copyUp(ino: number, creation: Creation, content?: Bytes): void
  /**
   * How many names from below show a copied-up inode now. To be called after the change: if the process dies in between, others count
   * one too many, never one too few. With none, and none in the upper, the inode goes.
   */
  shown(ino: number, names: number): void
  /** Inodes of this upper that may have no name in it. */
  nameless(): Iterable<number>
}

/**
 * Files of which an upper has some blocks alone: attributes as in a copy of these alone (`hasContent` says no), and content that is put
 * together from blocks here and the content below, which the union hands in since the upper never looks there.
 */
export interface Blocks {
  /** Bytes: a lower file as large as this, or larger, is not copied whole when it is first written. Infinite: each is. */
  readonly from: number
  /** Every file that is kept so. */
  list(): Iterable<number>
  has(ino: number): boolean
  /** Bytes that a file has. @throws EIO where what is known of its blocks is damaged or gone */
  size(ino: number): number
  /** Whether a whole copy of this content would take nothing, since the disk lets it share its blocks: then one is made. */
  takesNothing(content: Bytes): boolean
  /** Keeps a copy of attributes alone so from now on; nothing of it is here yet. `size`: that of the content below. */
  begin(ino: number, size: number): void
  /** `below` opens the content below, for whoever comes first. The caller closes what this answers. @throws as `size` */
  open(ino: number, below: () => Bytes): WritableBytes
}

/**
 * The writable layer of a union.
 *
 * As a `LayerView` it says what has been changed; a frozen upper is simply a lower view. Every method that
 * changes something is atomic: if the process dies in it, the state is the old one or the new one.
 *
 * Inode numbers are the union's: what was copied up keeps the number it had below (given to `copyUp`), new
 * inodes get numbers from 2^40 that are never used again, and both survive closing and opening again. The root is
 * there from the start, under any number of these two kinds: the union shows the lower root's number for it. While
 * the root is `implied` its attributes and xattrs are those from below; `setAttributes` on it ends that.
 *
 * Directories are named by number. `directory` must be one that is in this upper: the union copies parents up
 * first. Names are checked by the union; what cannot be stored is refused with an errno (`ENOTSUP`, `ENOSPC`).
 * The upper never looks below: whether a whiteout is needed is the union's decision.
 *
 * The change time (`stat().ctime`) moves by itself, by the upper's own clock, with every change of attributes, xattrs and names of
 * an inode; of a change of content by a writer that is promised when the union gives it the new modify time.
 *
 * `stat().links` counts the names in this upper. An inode goes with its last name (the union gives it another one first
 * where a lower name still shows it), but what `open` and `writer` answered stays usable until closed. The `size` of
 * what `open` answered follows later writes.
 */
export interface Upper extends LayerView {
  /** Whether this inode number is in the upper, whatever names it has. */
  has(ino: number): boolean
  /**
   * Whether `open` answers with the upper's own content. False for a file of which only attributes were copied up
   * (metacopy): its content is that of the lower inode with the same number.
   */
  hasContent(ino: number): boolean
  /** `stat(ino).links` of what is no directory, where the disk need not be asked for it; `undefined` where it does. */
  links?(ino: number): number | undefined
  /**
   * Where the content of a copy of attributes alone is that goes by a number of its own, for nothing on it says any more which inode it
   * copies. Absent: all of them have the number that they have below.
   */
  contentPlace?(ino: number): ContentPlace | undefined

  /**
   * Makes a new inode under a name where this upper has nothing or a whiteout, which it replaces in the same step;
   * returns its number.
   */
  create(directory: number, name: ByteString, creation: Creation): number
  /**
   * Makes the upper's copy of a lower inode, under its number. `content` is absent for what has none, and for a
   * copy of attributes alone where `metadataOnly` says that the form allows it. A directory is copied without children.
   * The name is one where this upper has nothing. `content` stays the caller's, who closes it. The times of `directory`
   * stay as they are; of what other changes do to them nothing is promised, since the union sets them.
   */
  copyUp(directory: number, name: ByteString, ino: number, creation: Creation, content?: Bytes): void
  /** Gives a metadata-only copy its content, also one that has blocks, which it needs no more; its attributes stay, the modify time included. */
  copyUpContent(ino: number, content: Bytes): void
  /** Whether `copyUp` of a file without content is possible in this form. */
  readonly metadataOnly: boolean
  /**
   * Whether the lower part of an inode may be elsewhere than at its name: a directory that `rename` or `exchange` gives a `redirect`,
   * a copy of attributes alone under another name. Where it may not, the union gives neither: what moves has first got everything,
   * is opaque, and has no whiteouts, which would hide nothing. What others redirected is read all the same.
   */
  readonly redirects: boolean
  /** Absent where the form keeps no blocks. */
  readonly blocks?: Blocks | undefined
  /** Absent where nobody else reads the upper. */
  readonly groups?: GroupRecords
  /**
   * Whether the disk gives times by itself, by one clock of its own: to content that is written its modify time, and to the directory of a
   * name that comes, goes or moves.
   */
  readonly givesTimes?: boolean
  /**
   * Whether a copy of a lower inode of so many names has to be understood without what is below, since others who read the upper would
   * find something else there: then it has content, and its group no record. Absent: none has.
   */
  isAlone?(ino: number, links: number): boolean

  /** One more name for an inode of this upper (not a directory); a whiteout there is replaced. */
  link(directory: number, name: ByteString, ino: number): void
  /**
   * Moves a name of this upper over whatever this upper has at the other name: nothing, a whiteout, a non-directory, or a
   * directory with only whiteouts in it. `leave` says what remains at the old name: nothing, or a whiteout. `redirect` is
   * where the lower part of a moved directory is (path from the root), if it has one that is not at the new name anyway;
   * absent, the directory has none from now on. `opaque` says that the moved directory must not merge with what lies below
   * the new name; absent, an opaque directory stays opaque.
   */
  rename(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    options: { readonly leave: 'nothing' | 'whiteout'; readonly redirect?: ByteString; readonly opaque?: boolean },
  ): void
  /**
   * Swaps two names that are both in this upper, in one step. `first` is where what stood at the first name now stands, `second` the
   * other.
   */
  exchange(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    standing: { readonly first: Standing; readonly second: Standing },
  ): void
  /** Takes a name out of the upper (a directory with only whiteouts in it goes with them); what is below shows again. */
  forget(directory: number, name: ByteString): void
  /** Puts a whiteout at a name, in place of whatever the upper has there (of a directory: only with nothing but whiteouts in it). */
  whiteout(directory: number, name: ByteString): void
  /** Nothing from below shows in a directory any more, wherever its lower part was. */
  setOpaque(directory: number): void

  setAttributes(ino: number, change: AttributeChange): void
  /** `undefined` removes it. */
  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void
  /** Content for writing. Stays usable when the last name goes. The caller closes it. */
  writer(ino: number): WritableBytes

  /**
   * A file without a name (`O_TMPFILE`): a number, and content that is gone when it is closed, unless it was adopted before. Nobody
   * else sees it: `has` says no.
   */
  unnamed(): Unnamed
  /**
   * Gives a file of `unnamed` a name where this upper has nothing or a whiteout, which it replaces in the same step. The content
   * stays usable, as one of `writer`.
   */
  adopt(directory: number, name: ByteString, file: Unnamed, creation: Creation & { readonly kind: 'file' }): void

  /** Room on what this upper is stored on. */
  room(): Room

  /** Returns when everything changed so far is on the disk. */
  sync(): void
}
