import type { ByteString } from '../../src/model/bytes.ts'
import { displayName } from '../../src/model/bytes.ts'

/** How a file is opened: the flags of `open(2)` without their `O_`. */
export type OpenFlag =
  | 'RDONLY'
  | 'WRONLY'
  | 'RDWR'
  | 'CREAT'
  | 'EXCL'
  | 'TRUNC'
  | 'APPEND'
  | 'DIRECTORY'
  | 'NOFOLLOW'
  | 'TMPFILE'

/** Nanoseconds since the epoch in decimal, the time of the call, or nothing at all (`UTIME_OMIT`). */
export type Time = string | 'now' | 'omit'

export type NodeKind = 'fifo' | 'socket' | 'character' | 'block'
export type Reserve = 'extend' | 'keep' | 'punch' | 'zero'

/** What an operation is done to: a path, with its last symlink followed or not, or a handle. */
export type Target = { readonly path: ByteString; readonly follow: boolean } | { readonly fd: number }

/**
 * One operation of a script: data only, so that a script is JSON. Paths are byte strings, relative to the directory of the
 * sequence. `fd` is a slot that holds a handle: an operation on an empty one does nothing, so that any part of a script
 * is a script. Bytes that are written are `pattern(seed, size)`.
 */
export type Operation =
  | { readonly do: 'open'; fd: number; path: ByteString; flags: readonly OpenFlag[]; mode: number }
  | { readonly do: 'close'; fd: number }
  | { readonly do: 'read'; fd: number; size: number }
  | { readonly do: 'pread'; fd: number; size: number; at: number }
  | { readonly do: 'write'; fd: number; size: number; seed: number }
  | { readonly do: 'pwrite'; fd: number; size: number; seed: number; at: number }
  | { readonly do: 'ftruncate'; fd: number; size: number }
  | { readonly do: 'truncate'; path: ByteString; size: number }
  | { readonly do: 'fallocate'; fd: number; what: Reserve; at: number; size: number }
  | { readonly do: 'lseek'; fd: number; to: 'set' | 'end' | 'data' | 'hole'; at: number }
  | { readonly do: 'copy'; fd: number; from: number; fromAt: number; at: number; size: number }
  | { readonly do: 'fsync'; fd: number }
  | { readonly do: 'mkdir'; path: ByteString; mode: number }
  | { readonly do: 'rmdir'; path: ByteString }
  | { readonly do: 'unlink'; path: ByteString }
  | { readonly do: 'rename'; path: ByteString; to: ByteString; flag?: 'noreplace' | 'exchange' | 'both' }
  | { readonly do: 'link'; path: ByteString; to: ByteString; follow: boolean }
  | { readonly do: 'linkfd'; fd: number; to: ByteString }
  | { readonly do: 'symlink'; target: ByteString; path: ByteString }
  | { readonly do: 'readlink'; path: ByteString }
  | { readonly do: 'mknod'; path: ByteString; kind: NodeKind; mode: number; major: number; minor: number }
  | { readonly do: 'chmod'; on: Target; mode: number }
  | { readonly do: 'chown'; on: Target; uid: number; gid: number }
  | { readonly do: 'utimens'; on: Target; atime: Time; mtime: Time }
  | { readonly do: 'setxattr'; on: Target; name: ByteString; value: ByteString; only?: 'create' | 'replace' }
  | { readonly do: 'getxattr'; on: Target; name: ByteString }
  | { readonly do: 'listxattr'; on: Target }
  | { readonly do: 'removexattr'; on: Target; name: ByteString }
  | { readonly do: 'stat'; on: Target }
  | { readonly do: 'readdir'; path: ByteString }
  | { readonly do: 'sync' }
  /** Unmounts and mounts, or closes and opens; handles end. */
  | { readonly do: 'reopen' }

/** The kinds of operation as they are counted: one that has variants counts once for each. */
export function kindOf(operation: Operation): string {
  switch (operation.do) {
    case 'open':
      return operation.flags.includes('TMPFILE') ? 'open O_TMPFILE' : 'open'
    case 'fallocate':
      return `fallocate ${operation.what}`
    case 'lseek':
      return `lseek ${operation.to}`
    case 'rename':
      return operation.flag === undefined ? 'rename' : `rename ${operation.flag}`
    case 'mknod':
      return `mknod ${operation.kind}`
    case 'chmod':
    case 'chown':
    case 'utimens':
    case 'setxattr':
    case 'getxattr':
    case 'listxattr':
    case 'removexattr':
    case 'stat':
      return 'fd' in operation.on ? `f${operation.do}` : operation.on.follow ? operation.do : `l${operation.do}`
    default:
      return operation.do
  }
}

/** What a script writes: bytes from 1 to 255, so that a hole is never mistaken for data. */
export function pattern(seed: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  for (let i = 0, value = seed % 255; i < size; i++) {
    bytes[i] = value + 1
    if (++value === 255) value = 0
  }
  return bytes
}

/** An operation on one line, as a person reads it. */
export function operationText(operation: Operation): string {
  const { do: name, ...rest } = operation
  const parts = Object.entries(rest).map(([key, value]) =>
    key === 'on' ? targetText(value) : `${key}=${shown(value)}`,
  )
  return `${name} ${parts.join(' ')}`.trimEnd()
}

function targetText(on: Target): string {
  return 'fd' in on ? `fd=${on.fd}` : `${on.follow ? 'path' : 'path(nofollow)'}=${shown(on.path)}`
}

function shown(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return value.join('|')
  const text = displayName(String(value)).replace(/^$/, "''")
  return text.length > 60 ? `${text.slice(0, 50)}…(${text.length})` : text
}
