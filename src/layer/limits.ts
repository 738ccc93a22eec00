import { type ByteString, displayName } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'

/** How much a layer may ask for before its import is refused with PLY_BUDGET (layer-semantics, section 17). */
export interface LayerLimits {
  /** Members of the archive. */
  readonly entries: number
  /** Components of a path. */
  readonly depth: number
  /** Bytes of all files together. */
  readonly logicalSize: number
  /** Uncompressed bytes for each compressed one, after the first 64 MiB. */
  readonly expansion: number
  /** Bytes of one extended attribute. */
  readonly xattrSize: number
  /** Bytes of all extended attributes of an entry. */
  readonly xattrsSize: number
  /** Symlinks followed for one name. */
  readonly symlinkSteps: number
  /** Entries in the map of one sparse file. */
  readonly sparseEntries: number
  /** Bytes of memory that a zstd frame may ask for. */
  readonly zstdWindow: number
}

/** The budgets that hold unless others are given: far above any image that people use. */
export const defaultLimits: LayerLimits = {
  entries: 10_000_000,
  depth: 1024,
  logicalSize: 2 ** 40,
  expansion: 1000,
  xattrSize: 65_535,
  xattrsSize: 255 * 1024,
  symlinkSteps: 255,
  sparseEntries: 1_000_000,
  zstdWindow: 128 << 20,
}

/** The error for an entry that goes over a limit. */
export function overBudget(entry: ByteString, what: string, limits: LayerLimits, limit: keyof LayerLimits): PlyError {
  return new PlyError('PLY_BUDGET', {
    entry: displayName(entry),
    what,
    limit: limits[limit],
    option: `limits.${limit}`,
  })
}
