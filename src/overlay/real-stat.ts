import type { BigIntStats } from 'node:fs'
import type { ByteString } from '../model/bytes.ts'
import { kindOf, type Stat } from '../model/entry.ts'

/** What a real inode is in a view. `indexed`: one of its links is in the index directory, and no name. */
export function statOf(ino: number, real: BigIntStats, indexed: boolean): Stat {
  const mode = Number(real.mode)
  const kind = kindOf(mode) ?? 'file'
  const device = kind === 'character' || kind === 'block'
  return {
    ino,
    kind,
    mode: mode & 0o7777,
    uid: Number(real.uid),
    gid: Number(real.gid),
    mtime: real.mtimeNs,
    atime: real.atimeNs,
    ctime: real.ctimeNs,
    size: kind === 'file' || kind === 'symlink' ? Number(real.size) : 0,
    links: Number(real.nlink) - (indexed ? 1 : 0),
    major: device ? majorOf(real.rdev) : 0,
    minor: device ? minorOf(real.rdev) : 0,
  }
}

/** Which inode of a disk it is, for ever: its number and its time of birth, both in hex. The number alone is used again. */
export function identityOf({ ino, birthtimeNs }: BigIntStats): ByteString {
  return `${ino.toString(16)}-${birthtimeNs.toString(16)}`
}

/** As glibc's `gnu_dev_major` splits it. */
function majorOf(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n))
}

function minorOf(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n))
}
