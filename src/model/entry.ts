import type { ByteString } from './bytes.ts'

/** The kinds of inode. A whiteout is not among them: it is a verdict of a layer, never an entry. */
export type Kind = 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo' | 'socket'

/** Extended attributes by full name (`user.x`), names and values exact bytes. */
export type Xattrs = ReadonlyMap<ByteString, Uint8Array>

export const noXattrs: Xattrs = new Map()

/** What can be said of any inode and changed without touching its content. */
export interface Attributes {
  /** Permission, set-id and sticky bits: the low 12 bits (octal 7777). */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Modify time in nanoseconds since the epoch; may be negative. */
  readonly mtime: bigint
}

/** What `stat` answers: one inode of a view. */
export interface Stat extends Attributes {
  readonly ino: number
  readonly kind: Kind
  /** Files: bytes of content. Symlinks: bytes of the target. Everything else: 0. */
  readonly size: number
  /** Names of a file in this view; directories: 2 + subdirectories. */
  readonly links: number
  /** Device numbers of `character` and `block`; 0 for the rest. */
  readonly major: number
  readonly minor: number
  /** Access time in nanoseconds since the epoch, where it is another than `mtime`. */
  readonly atime?: bigint
  /** Time of the last change of anything, in nanoseconds since the epoch, where it is another than `mtime`. */
  readonly ctime?: bigint
}

/** Attributes of a directory that no entry describes (layer-semantics, section 1). */
export const defaultDirectory: Attributes = { mode: 0o755, uid: 0, gid: 0, mtime: 0n }

/** `st_mode` type bits by kind, as in `<sys/stat.h>`. */
export const typeBits = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
} as const satisfies Record<Kind, number>

const kinds = new Map<number, Kind>(Object.entries(typeBits).map(([kind, bits]) => [bits, kind as Kind]))

/** The kind that `st_mode` type bits stand for; `undefined` if they stand for none. */
export function kindOf(mode: number): Kind | undefined {
  return kinds.get(mode & 0o170000)
}
