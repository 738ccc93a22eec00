import { refused } from './errnos.ts'
import { features, initSize } from './protocol.ts'
import type { Reply } from './reply.ts'
import type { Request } from './request.ts'

const major = 7
const minor = 45
/** From here on all that is relied on is there (Linux 5.4). */
const oldestMinor = 31
/** From here on what is written past the kernel's cache takes that out of it (Linux 6.6): others would read what was there before. */
const minorOfDirectWrites = 39
const pageSize = 4096

/** Bytes that one request may write, and one answer may read. */
export const largestTransfer = 1 << 20

export interface Wishes {
  /** Whether the kernel collects writes and keeps sizes and times by itself meanwhile. */
  readonly writebackCache: boolean
  /** Whether locks are asked of this server, and not kept by the kernel for this mount alone. */
  readonly locks: boolean
}

const always =
  features.asyncRead |
  features.truncateOnOpen |
  features.bigWrites |
  features.dontMask |
  features.readDirectoryPlus |
  features.readDirectoryPlusAuto |
  features.asyncDirect |
  features.parallelDirectories |
  features.posixAcl |
  features.maxPages |
  features.cacheSymlinks |
  features.handleKillPrivileges |
  features.setXattrExtended |
  features.extended

/** What was agreed on: bits of `features`. */
export interface Agreed {
  readonly flags: number
  /** Whether who only writes may go past the kernel's cache: nobody collects writes, and readers see them. */
  readonly directWrites: boolean
}

/** Answers INIT: with what both sides can and this one wants. The kernel asks again if it speaks a newer major version. */
export function negotiate(
  request: Request,
  reply: Reply,
  { writebackCache, locks }: Wishes,
): { readonly result: number; readonly agreed: Agreed | undefined } {
  const theirs = { major: request.u32(0), minor: request.u32(4) }
  if (theirs.major < major || (theirs.major === major && theirs.minor < oldestMinor))
    return { result: refused('EPROTO'), agreed: undefined }
  reply.zeros(0, initSize)
  reply.u32(0, major)
  reply.u32(4, minor)
  if (theirs.major > major) return { result: initSize, agreed: undefined }
  const wanted =
    always | (writebackCache ? features.writebackCache : 0) | (locks ? features.posixLocks | features.flocks : 0)
  const flags = request.u32(12) & wanted
  const directWrites = theirs.minor >= minorOfDirectWrites && (flags & features.writebackCache) === 0
  reply.u32(4, Math.min(minor, theirs.minor))
  reply.u32(8, request.u32(8))
  reply.u32(12, flags)
  // How many requests may wait in the background (16 bits), and from how many on the kernel holds back.
  reply.u32(16, 64 | (48 << 16))
  reply.u32(20, largestTransfer)
  // Times are exact to the nanosecond.
  reply.u32(24, 1)
  reply.u32(28, largestTransfer / pageSize)
  return { result: initSize, agreed: { flags, directWrites } }
}
