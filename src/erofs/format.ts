import type { ByteString } from '../model/bytes.ts'
import type { Digest } from '../model/digest.ts'
import type { Attributes, Kind, Xattrs } from '../model/entry.ts'

/** Where the content of a file lies: a run of bytes in one of the devices that the index points into. */
export interface Extent {
  /** Number of the device, 0-based, in the order of `Index.devices`. */
  readonly device: number
  /** Byte offset in that device, a multiple of 512. */
  readonly offset: number
}

/**
 * What EROFS cannot hold about an inode; kept in the private trailer.
 *
 * - `implied`: a directory no entry describes; its attributes are invented and never override.
 * - `ghost`: a directory that exists only to hold whiteouts; it creates nothing.
 * - `opaque`: a directory whose children from below are hidden.
 * - `whiteout`: a name removed from below (stored as character device 0:0, overlayfs's form).
 */
export interface InodeFacts {
  readonly implied: boolean
  readonly ghost: boolean
  readonly opaque: boolean
  readonly whiteout: boolean
  /** Number of the device (a tar) of the layer that the inode's attributes come from, 0-based. */
  readonly layer: number
  /** Byte offset of the entry's first header block in that layer's tar; `undefined` where no entry describes it. */
  readonly header: number | undefined
}

export interface NewInode extends Attributes {
  readonly kind: Kind
  readonly xattrs?: Xattrs
  /** Files: content. A file of size 0 needs no extent. */
  readonly size?: number
  readonly extent?: Extent
  /** Symlinks: the target, byte for byte. */
  readonly target?: ByteString
  readonly major?: number
  readonly minor?: number
  readonly facts?: Partial<InodeFacts>
}

/** A hardlink whose target is only in the layers below (layer-semantics H-06). `path` has no leading slash. */
export interface ExternalLink {
  readonly directory: number
  readonly name: ByteString
  readonly path: ByteString
}

/** One name in a directory. */
export interface IndexEntry {
  readonly name: ByteString
  readonly ino: number
  readonly kind: Kind
}

/** What an index points into: a layer's tar, or its spill. */
export interface Device {
  /** The diffID of the layer. */
  readonly diffId: Digest
  /** Bytes of the tar, or of the spill. */
  readonly size: number
  /** The layer's spill: the logical content of its sparse files, which the layer's own index maps to the tar. */
  readonly spill?: true
}

/**
 * What of a spill is stored in the tar: rows in order of `spill`, none empty, none overlapping; everything else is zeros.
 * Columns, with room for at least `count` rows; all numbers are bytes.
 */
export interface SpillSegments {
  readonly count: number
  /** Where in the spill the row begins. */
  readonly spill: Float64Array
  /** Where in the tar its bytes begin. */
  readonly tar: Float64Array
  readonly length: Float64Array
}
