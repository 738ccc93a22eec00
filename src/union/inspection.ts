import { kindIn } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import { contentBelow, openBelow, openBlocks } from './content-below.ts'
import type { Handles } from './handles.ts'
import type { LinkGroups } from './link-groups.ts'
import type { Orphans } from './orphans.ts'
import type { Sides } from './sides.ts'

/**
 * What a union says of an inode, wherever that stands: in the upper, only in the lower tree, in both (attributes above, content
 * below), or nowhere any more but with whoever has it open.
 */
export class Inspection {
  readonly #sides: Sides
  readonly #groups: LinkGroups
  readonly #orphans: Orphans
  readonly #handles: Handles
  /** The modify time that a file will be given when its writers close. */
  readonly #pendingTime: (ino: number) => bigint | undefined

  constructor(
    sides: Sides,
    groups: LinkGroups,
    orphans: Orphans,
    handles: Handles,
    pendingTime: (ino: number) => bigint | undefined,
  ) {
    this.#sides = sides
    this.#groups = groups
    this.#orphans = orphans
    this.#handles = handles
    this.#pendingTime = pendingTime
  }

  stat(ino: number): Stat {
    if (this.#sides.inUpper(ino)) return this.#statAbove(ino)
    const orphan = this.#orphans.stat(ino)
    if (orphan) return orphan
    this.present(ino, 'stat')
    const stat = this.#sides.lower.stat(ino)
    if (stat.kind === 'directory' || stat.links <= 1) return stat
    const links = this.#groups.lowerNames(ino, stat.links)
    return links === stat.links ? stat : { ...stat, links }
  }

  kind(ino: number): Kind {
    if (this.#sides.inUpper(ino)) return this.#sides.kind(ino)
    const orphan = this.#orphans.get(ino)
    if (orphan) return orphan.stat.kind
    this.present(ino, 'stat')
    return kindIn(this.#sides.lower, ino)
  }

  /** As `stat` tells it, of what is no directory. */
  links(ino: number): number {
    const above = this.#sides.inUpper(ino) ? this.#sides.upper.links?.(ino) : undefined
    if (above === undefined) return this.stat(ino).links
    return above + this.#groups.lowerNames(ino, this.#sides.lowerLinks(ino))
  }

  readlink(ino: number): ByteString {
    const orphan = this.#orphans.get(ino)
    if (orphan?.stat.kind === 'symlink') return orphan.target
    if (orphan) throw new PlyError('EINVAL', { syscall: 'readlink' })
    this.present(ino, 'readlink')
    return this.#sides.inUpper(ino) ? this.#sides.upper.readlink(this.#sides.up(ino)) : this.#sides.lower.readlink(ino)
  }

  xattrs(ino: number): Xattrs {
    const orphan = this.#orphans.get(ino)
    if (orphan) return orphan.xattrs
    this.present(ino, 'getxattr')
    return this.#sides.xattrs(ino)
  }

  open(ino: number): Bytes {
    const orphan = this.#orphans.get(ino)
    if (orphan) return this.#orphans.reader(orphan)
    this.present(ino, 'open')
    if (this.#sides.isDirectory(ino)) throw new PlyError('EISDIR', { syscall: 'open' })
    return this.#handles.reader(ino, this.content(ino))
  }

  content(ino: number): Bytes {
    if (!this.isFromLower(ino)) return this.#sides.upper.open(ino)
    if (this.#hasBlocks(ino)) return openBlocks(this.#sides, ino, 'open')
    return openBelow(this.#sides, ino, 'open')
  }

  untouched(ino: number): number | undefined {
    if (this.#sides.isGone(ino)) return undefined
    if (ino === this.#sides.root) return this.#nothingInUpper() ? ino : undefined
    if (this.#sides.inUpper(ino)) return undefined
    return this.#sides.isLowerDirectory(ino) && this.#groups.touches(ino) ? undefined : ino
  }

  /** @throws ENOENT for an inode that has lost its last name. */
  present(ino: number, syscall: string): void {
    if (this.#sides.isGone(ino)) throw new PlyError('ENOENT', { syscall })
  }

  /** The lower inode whose content an inode has, all of it. */
  contentBelow(ino: number): number | undefined {
    return this.isFromLower(ino) && !this.#hasBlocks(ino) ? contentBelow(this.#sides, ino) : undefined
  }

  /** Whether what an inode holds is not in the upper. */
  isFromLower(ino: number): boolean {
    return !this.#sides.inUpper(ino) || (this.#sides.kind(ino) === 'file' && !this.#sides.upper.hasContent(ino))
  }

  #statAbove(ino: number): Stat {
    const stat = this.#sides.attributes(ino)
    const links =
      stat.kind === 'directory'
        ? this.#sides.directoryLinks(ino)
        : stat.links + this.#groups.lowerNames(ino, this.#sides.lowerLinks(ino))
    const size =
      stat.kind === 'file' && !this.#sides.upper.hasContent(ino) ? this.#sizeBelow(ino, stat.size) : stat.size
    const mtime = this.#pendingTime(ino)
    if (mtime === undefined) {
      return stat.ino === ino && stat.links === links && stat.size === size ? stat : { ...stat, ino, links, size }
    }
    const { atime = stat.mtime } = stat
    let { ctime = stat.mtime } = stat
    if (ctime < mtime) ctime = mtime
    return { ...stat, links, size, mtime, atime, ctime }
  }

  #sizeBelow(ino: number, own: number): number {
    if (this.#hasBlocks(ino)) return this.#sides.upper.blocks!.size(ino)
    const below = contentBelow(this.#sides, ino)
    return below === undefined ? own : this.#sides.lower.stat(below).size
  }

  #hasBlocks(ino: number): boolean {
    return this.#sides.upper.blocks?.has(ino) === true
  }

  #nothingInUpper(): boolean {
    if (this.#sides.directory(this.#sides.root).described === undefined || this.#sides.upper.root.opaque) return false
    for (const _ of this.#sides.upper.list(this.#sides.upper.root.ino)) return false
    return true
  }
}
