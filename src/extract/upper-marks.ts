import { readFileSync } from 'node:fs'
import { type MarkSpace, type Marks, marks } from '../layer/overlay-marks.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import type { Xattrs } from '../model/entry.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { DirectoryTree } from './directory-tree.ts'

/** What marks say of one inode of an upper directory, in whichever way (layer-semantics U-01, U-02). */
export interface Marked {
  readonly whiteout: boolean
  readonly opaque: boolean
  readonly redirect: ByteString | undefined
  /** The value of the mark; `undefined` where the content is here. */
  readonly metacopy: Uint8Array | undefined
  /** Other names from below show this file in a mount with `index=on`. */
  readonly grouped: boolean
}

const unmarked: Marked = { whiteout: false, opaque: false, redirect: undefined, metacopy: undefined, grouped: false }
/** Where fuse-overlayfs may not set the kernel's. */
const fuseOpaque: ByteString = 'user.fuseoverlayfs.opaque'

/** Reads marks of one namespace, and those of fuse-overlayfs, which are the same in both. */
export function markedBy(own: Marks, xattrs: Xattrs): Marked {
  if (xattrs.size === 0) return unmarked
  const text = (name: ByteString) => {
    const value = xattrs.get(name)
    return value && Buffer.from(value).toString('latin1')
  }
  return {
    whiteout: xattrs.has(own.whiteout),
    opaque: text(own.opaque) === 'y' || text(fuseOpaque) === 'y',
    redirect: text(own.redirect),
    metacopy: xattrs.get(own.metacopy),
    grouped: xattrs.has(own.nlink),
  }
}

/**
 * In which namespace the marks of an upper directory are: `trusted` as soon as there is one, since a mount that reads those does not look
 * at the others. All of it may have to be looked at.
 *
 * @throws PLY_UNSUPPORTED where marks in `trusted.*` would be hidden from this process and may be there: half of a diff is none (U-03).
 */
export function spaceOf(disk: DirectoryTree, where: string): MarkSpace {
  if (seesTrusted()) return holdsMark(disk, 'trusted') ? 'trusted' : 'user'
  if (disk.stat(disk.root).uid !== process.geteuid?.() && !holdsVisibleMark(disk)) throw hidden(where)
  return 'user'
}

/** @throws PLY_UNSUPPORTED as `spaceOf` */
export function checkVisible(space: MarkSpace, where: string): void {
  if (space === 'trusted' && !seesTrusted()) throw hidden(where)
}

function hidden(where: string): PlyError {
  return new PlyError('PLY_UNSUPPORTED', {
    what: `reading ${displayText(where)} without privileges`,
    reason:
      'the marks of overlayfs in trusted.* are shown to root alone, and what they say would be missing; read it as root (U-03)',
  })
}

/** Only CAP_SYS_ADMIN of the machine's own user namespace sees `trusted.*`. */
function seesTrusted(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/thread-self/status', 'latin1'))?.[1] ?? '0'
  const isInitial = /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'))
  return isInitial && (BigInt(`0x${effective}`) & (1n << 21n)) !== 0n
}

function holdsVisibleMark(disk: DirectoryTree): boolean {
  try {
    return holdsMark(disk, 'user')
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
    return false
  }
}

function holdsMark(disk: DirectoryTree, space: MarkSpace): boolean {
  const waiting = [disk.root]
  const seen = new Set<number>()
  const isMark = (name: ByteString) => name.startsWith(`${space}.overlay.`) && marks[space].shown(name) === undefined
  const holds = (ino: number) => [...disk.rawXattrs(ino).keys()].some(isMark)
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    if (holds(directory)) return true
    for (const { ino, kind } of disk.list(directory)) {
      if (kind === 'directory') waiting.push(ino)
      else if (kind === 'file' && !seen.has(ino)) {
        if (disk.stat(ino).links > 1) seen.add(ino)
        if (holds(ino)) return true
      }
    }
  }
  return false
}
