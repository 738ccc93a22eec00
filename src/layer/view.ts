import type { Device, Index } from '../erofs/index.ts'
import type { ByteString } from '../model/bytes.ts'
import type { DiffId } from '../model/digest.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import type { Bytes } from '../stream/bytes.ts'

/** Questions about one inode, the same for a layer, a tree, an upper and a union. All are synchronous. */
export interface Inodes {
  /** @throws EIO if the inode cannot be read. */
  stat(ino: number): Stat
  /** What `stat` says of the kind, for less than all of it costs. Absent: only `stat` says it. */
  kind?(ino: number): Kind
  /** The target of a symlink, byte for byte. @throws EINVAL if it is none. */
  readlink(ino: number): ByteString
  xattrs(ino: number): Xattrs
  /** The content of a file. The caller closes it. @throws EISDIR, EINVAL if it is not a file. */
  open(ino: number): Bytes
}

/** The kind of an inode, without the rest of what `stat` says where that can be had. */
export function kindIn(inodes: Inodes, ino: number): Kind {
  return inodes.kind ? inodes.kind(ino) : inodes.stat(ino).kind
}

/** What a layer has at a name. */
export interface Placed {
  readonly says: 'entry'
  readonly ino: number
  readonly directory: boolean
  /** Absent where the view would have to read the inode to know. */
  readonly kind?: Kind
  /** A directory that no entry describes: it takes the attributes of what stands below (layer-semantics, section 1). */
  readonly implied: boolean
  /** Children from below are hidden. */
  readonly opaque: boolean
  /**
   * Path from the root, without a leading slash, at which the lower part of this directory stood before it was
   * renamed (overlayfs `redirect`). Absent: the lower part is at the same name.
   */
  readonly redirect?: ByteString
}

/**
 * What one layer says about one name.
 *
 * - `nothing`: it does not mention the name.
 * - `whiteout`: the name is removed from below.
 * - `ghost`: a directory that only holds whiteouts; it has an effect only where a directory stands below.
 * - `link`: the name is one more name of what stood at `path` (from the root) before this layer.
 * - `entry`: the layer has something there.
 */
export type Verdict =
  | { readonly says: 'nothing' }
  | { readonly says: 'whiteout' }
  | { readonly says: 'ghost'; readonly ino: number }
  | { readonly says: 'link'; readonly path: ByteString }
  | Placed

export const nothing: Verdict = { says: 'nothing' }
export const whiteout: Verdict = { says: 'whiteout' }

/**
 * One side of a union, read only: what a single layer says, name by name, before anything is stacked.
 *
 * Inode numbers are the view's own, stable as long as it is open. `list` is in byte order, without `.` and `..`,
 * and includes whiteouts, ghosts and links.
 */
export interface LayerView extends Inodes {
  /** The root directory; `implied` if the layer has no entry for it. */
  readonly root: Placed
  /** Whether some verdicts may be links. Absent: none is. */
  readonly linksBelow?: boolean
  lookup(directory: number, name: ByteString): Verdict
  list(directory: number): Iterable<{ readonly name: ByteString; readonly verdict: Verdict }>
  /** Safe to call twice. */
  close(): void
}

/** Where in which layer something came from. */
export interface Provenance {
  readonly layer: DiffId
  /** Byte offset of the entry's first header in the layer's tar; `undefined` for an implied directory. */
  readonly header: number | undefined
}

/** Where a file's content lies. */
export interface ContentPlace {
  readonly layer: DiffId
  /** Byte offset in the layer's tar, or in its spill file. */
  readonly offset: number
  /** Whether it lies in the layer's spill file, not in its tar. */
  readonly spill?: boolean | undefined
}

/** A view whose content lies in tars: what the fold can write into an index. */
export interface IndexedView extends LayerView {
  /** The tars that `provenance` and `place` speak of. */
  readonly devices: readonly Device[]
  /** Where everything that it says of an inode stands, under the same number. Absent: it stands in no index. */
  readonly index?: Index
  provenance(ino: number): Provenance
  /** `undefined` for a file of size 0. */
  place(ino: number): ContentPlace | undefined
}
