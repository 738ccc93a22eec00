import type { BigIntStats } from 'node:fs'
import type { ByteString } from '../model/bytes.ts'
import { kindOf, type Stat } from '../model/entry.ts'
import type { ExactStat } from '../sys/exact-stat.ts'

/** What a real inode is in a view. `indexed`: one of its links is in the index directory, and no name. */
export function statOf(ino: number, real: ExactStat, indexed: boolean): Stat {
  const { mode, uid, gid, mtime, atime, ctime } = real
  const kind = kindOf(mode) ?? 'file'
  const device = kind === 'character' || kind === 'block'
  return {
    ino,
    kind,
    mode: mode & 0o7777,
    uid,
    gid,
    mtime,
    atime,
    ctime,
    size: kind === 'file' || kind === 'symlink' ? real.size : 0,
    links: real.links - (indexed ? 1 : 0),
    major: device ? real.major : 0,
    minor: device ? real.minor : 0,
  }
}

/** Which inode of a disk it is, for ever: its number and its time of birth, both in hex. The number alone is used again. */
export function identityOf({ ino, birthtimeNs }: BigIntStats): ByteString {
  return `${ino.toString(16)}-${birthtimeNs.toString(16)}`
}
