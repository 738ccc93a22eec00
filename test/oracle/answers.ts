import { crc32 } from 'node:zlib'
import type { ByteString } from '../../src/model/bytes.ts'
import type { Kind } from '../../src/model/entry.ts'
import type { Operation } from './operations.ts'

/**
 * What a system answers to an operation, as one line of text: the errno name of a refusal, or what it found. Two systems agree
 * where the lines are equal.
 */
export type Answer = string

/** One inode as it is compared: a line, and its number, of which only the identity is compared. */
export interface Shown {
  readonly text: string
  readonly ino: number
}

/** A sequence's tree by path, the directory itself under `''`. */
export type Tree = ReadonlyMap<ByteString, Shown>

/** A file system under test, or one that is asked what is right. */
export interface System {
  readonly name: string
  /** The number of the inode that the last answer was about; 0 if it was about none. */
  readonly seen: number
  /** From now on paths are relative to this directory of the batch (`''`: its root). No handle is open. */
  enter(directory: ByteString, umask: number): void
  run(operation: Operation): Answer
  /** Closes every handle. */
  leave(): void
  tree(directory: ByteString): Tree
  /** Unmounts, or closes. */
  suspend(): void
  /** Mounts or opens what was suspended. */
  resume(): void
  close(): void
}

/** Times that scripts set are before this (2023); what is after it was the time of a call. */
const present = 1_700_000_000_000_000_000n

function timeText(time: bigint): string {
  return time >= present ? 'now' : String(time)
}

export function bytesText(bytes: Uint8Array): string {
  return bytes.length === 0 ? '0' : `${bytes.length}:${crc32(bytes).toString(16)}`
}

export interface Facts {
  readonly kind: Kind
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly links: number
  readonly major: number
  readonly minor: number
  readonly mtime: bigint
  /** Where it is absent it is the modify time. */
  readonly atime?: bigint | undefined
}

/** Size and links of directories are everybody's own affair. */
export function factsText(facts: Facts): string {
  const { kind, mode, uid, gid, size, links, major, minor, mtime, atime = mtime } = facts
  const common = `${kind} ${mode.toString(8)} ${uid}:${gid} mtime=${timeText(mtime)} atime=${timeText(atime)}`
  if (kind === 'directory') return common
  if (kind === 'character' || kind === 'block') return `${common} links=${links} device=${major}:${minor}`
  return `${common} links=${links} size=${size}`
}

export function valueText(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')
}

/**
 * Whether what `lseek` answered is right, given the content: `found` is an offset, or below 0 for ENXIO. Where data begins and
 * ends is the disk's to say, as long as what it calls a hole reads as zeros.
 */
export function seekText(to: 'data' | 'hole', content: Uint8Array, at: number, found: number): Answer {
  if (at >= content.length) return found < 0 ? 'ENXIO' : `${found} beyond the end`
  const end = found < 0 ? content.length : found
  if (to === 'hole') {
    if (found < at || found > content.length) return `a hole at ${found}`
    const block = content.subarray(found, Math.min(content.length, found - (found % 512) + 512))
    return block.every((byte) => byte === 0) ? 'right' : `no hole at ${found}`
  }
  if (found >= 0 && (found < at || found >= content.length)) return `data at ${found}`
  return content.subarray(at, end).every((byte) => byte === 0) ? 'right' : `data before ${found}`
}
