import type { ByteString } from '../model/bytes.ts'
import { displayName } from '../model/bytes.ts'
import type { Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { SparseMap } from './sparse-map.ts'

/**
 * What a member is, by its type flag in the archive: `0` file, `1` hardlink, `2` symlink, `3` character device,
 * `4` block device, `5` directory, `6` fifo. The old spellings of a file (NUL, `7`) and of a directory (NUL with a
 * trailing slash) are folded into these (layer-semantics T-01, T-02).
 */
export type MemberType = '0' | '1' | '2' | '3' | '4' | '5' | '6'

/** What a header can say of one member: the input of `encodeHeader`, and most of what a reader answers. */
export interface MemberFields {
  readonly type: MemberType
  /** As it stands in the archive: not cleaned, a trailing slash kept. */
  readonly name: ByteString
  /** Hardlinks and symlinks: the target, byte for byte; empty for the rest. */
  readonly linkName: ByteString
  /** The low 12 bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of content; 0 for everything but files. */
  readonly size: number
  /** Nanoseconds since the epoch; may be negative. */
  readonly mtime: bigint
  /** Device numbers of `3` and `4`; 0 for the rest. */
  readonly major: number
  readonly minor: number
  /** As the archive has them: no rule of layers has been applied. */
  readonly xattrs: Xattrs
}

/** A finding that does not stop the reading: the rule of layer-semantics it falls under, and a sentence. */
export interface TarWarning {
  readonly rule: string
  readonly text: string
  /** How often it was found of the same member; 1 unless said. */
  readonly times?: number
}

/** One member of an archive, its long names and extended headers folded in. */
export interface Member extends MemberFields {
  /** Byte offset of the first header block, extended headers included. */
  readonly header: number
  /** Byte offset of the content, a multiple of 512 from the start of the archive; of a sparse member: of what is stored of it. */
  readonly data: number
  /** Sparse members: which parts of the content are stored, and where. `size` is that of the file (layer-semantics S-02). */
  readonly sparse?: SparseMap | undefined
  /** The archive carries Windows attributes for this member (layer-semantics T-10). */
  readonly windows: boolean
  readonly warnings: readonly TarWarning[]
}

/**
 * The error for an archive that breaks a rule. `entry` is a byte string, or text for a place without a name; `option` is
 * what can be set to have it accepted, where there is such a thing.
 */
export function badLayer(entry: ByteString, rule: string, reason: string, option?: string): PlyError {
  return new PlyError('PLY_BAD_LAYER', { entry: displayName(entry), reason, rule, ...(option && { option }) })
}
