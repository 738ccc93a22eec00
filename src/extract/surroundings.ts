import { closeSync, lstatSync, openSync, statfsSync, unlinkSync } from 'node:fs'
import { encodeText } from '../model/bytes.ts'
import { codeOf } from '../model/errors.ts'
import { setTimes } from '../sys/times.ts'
import { removeXattr } from '../sys/xattr.ts'

/** What a file system does with what is put on it, found out by trying: neither its name nor the user id says it. */
export interface Surroundings {
  /** Who owns what is made there. */
  readonly fresh: { readonly uid: number; readonly gid: number }
  /** Names that differ in case or normal form are one name. */
  readonly foldsNames: boolean
  /** Bytes and inodes that may be used; `undefined` where the file system has no such number. */
  readonly room: { readonly bytes: number; readonly inodes: number | undefined; readonly block: number }
  /** Whether a time must be read back to know if it was kept (layer-semantics M-02). */
  mayAlter(time: bigint): boolean
}

const second = 1_000_000_000n
const odd = 1_234_567_890n * second + 123_456_789n

/** Tries a private directory. Nothing stays in it, and it loses what it has inherited. */
export function probe(directory: string): Surroundings {
  dropInherited(directory)
  const path = `${directory}/probe-\u00e9`
  closeSync(openSync(path, 'wx', 0o600))
  try {
    const { uid, gid } = lstatSync(path)
    setTimes(encodeText(path), { atime: odd, mtime: odd })
    const exact = lstatSync(path, { bigint: true }).mtimeNs === odd
    const twins = [`${directory}/PROBE-\u00c9`, `${directory}/PROBE-\u00e9`, `${directory}/probe-e\u0301`]
    const foldsNames = twins.some((twin) => lstatSync(twin, { throwIfNoEntry: false }) !== undefined)
    return { fresh: { uid, gid }, foldsNames, room: roomIn(directory), mayAlter: (time) => !exact || !isOrdinary(time) }
  } finally {
    unlinkSync(path)
  }
}

/** The access control lists of the place would be given to every object, and none of them are the tree's. */
function dropInherited(directory: string): void {
  for (const name of ['system.posix_acl_default', 'system.posix_acl_access']) {
    try {
      removeXattr(encodeText(directory), name)
    } catch (error) {
      if (!['ENODATA', 'ENOTSUP', 'EOPNOTSUPP'].includes(codeOf(error) ?? '')) throw error
    }
  }
}

function roomIn(directory: string): Surroundings['room'] {
  const { bsize, blocks, bavail, bfree, files, ffree } = statfsSync(directory)
  // The reserve is for the superuser.
  const free = process.geteuid?.() === 0 ? bfree : bavail
  // File systems without a size of their own, as ramfs, say that they have no blocks at all.
  return {
    bytes: blocks === 0 ? Number.POSITIVE_INFINITY : free * bsize,
    inodes: files === 0 ? undefined : ffree,
    block: bsize,
  }
}

/** Times that every disk can hold: seconds in 32 bits. */
function isOrdinary(time: bigint): boolean {
  return time >= -(2n ** 31n) * second && time < 2n ** 31n * second
}
