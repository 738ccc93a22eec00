import type { ByteString } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { type Bytes, memoryBytes } from '../stream/bytes.ts'
import { contentBelow, openBelow, openBlocks } from './content-below.ts'
import type { Handles } from './handles.ts'
import type { LinkGroups } from './link-groups.ts'
import type { Sides } from './sides.ts'
import type { Creation } from './upper.ts'
import { type VisiblePlace, VisiblePlaces } from './visible-places.ts'

const noContent = memoryBytes(new Uint8Array())

/** Bringing inodes into the upper, parents first, under the numbers that they have below. */
export class CopyUp {
  readonly #sides: Sides
  readonly #groups: LinkGroups
  readonly #handles: Handles
  readonly #visible: VisiblePlaces

  constructor(sides: Sides, groups: LinkGroups, handles: Handles) {
    this.#sides = sides
    this.#groups = groups
    this.#handles = handles
    this.#visible = new VisiblePlaces(sides)
  }

  /** A directory, without its children. */
  directory(ino: number): void {
    const sides = this.#sides
    const missing: number[] = []
    let parent = ino
    for (; !sides.inUpper(parent); parent = sides.parent(parent)) missing.push(parent)
    this.#describe(parent)
    for (let next = missing.pop(); next !== undefined; next = missing.pop()) {
      const name = sides.places.nameOf(next)
      if (sides.lookup(parent, name) !== next) throw new PlyError('ENOENT', { syscall: 'open' })
      sides.upper.copyUp(sides.up(parent), name, next, this.#creationOf(next))
      sides.enter(next, parent, next, undefined, sides.lower.stat(next).links - 2)
      parent = next
    }
  }

  /** Whatever can be changed without touching content. */
  attributes(ino: number): void {
    if (this.#sides.isDirectory(ino)) this.directory(ino)
    else if (!this.#sides.inUpper(ino)) this.#file(ino, this.#place(ino), 'attributes')
  }

  /** The content of a file, or none of it if the caller is about to drop it. */
  content(ino: number, truncate: boolean): void {
    const { upper } = this.#sides
    if (upper.blocks?.has(ino)) return
    if (!truncate && this.#isForBlocks(ino)) {
      if (!this.#sides.inUpper(ino)) this.#file(ino, this.#place(ino), 'attributes')
      // The form may have copied it whole after all.
      if (!upper.hasContent(ino)) this.#begin(ino)
    } else if (!this.#sides.inUpper(ino)) this.#file(ino, this.#place(ino), truncate ? 'empty' : 'content')
    else if (!upper.hasContent(ino)) this.#fill(ino, truncate)
  }

  /**
   * A file is about to hold nothing: it needs no blocks. On a full disk it keeps them, and is cut as any other.
   *
   * @throws what the disk says
   */
  emptied(ino: number): void {
    const { upper } = this.#sides
    if (!upper.blocks?.has(ino)) return
    try {
      upper.copyUpContent(ino, noContent)
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined) throw error
      if (upper.blocks.has(ino)) {
        if (code === 'ENOSPC' || code === 'EDQUOT') return
        throw error
      }
    }
    this.#handles.rewritten(ino, () => upper.writer(ino))
  }

  /** Whether an inode still shows at any name. */
  isVisible(ino: number): boolean {
    return !this.#sides.isGone(ino) && this.#visible.of(ino) !== undefined
  }

  /** All content of a file, also where some blocks of it are here already or would be enough. */
  whole(ino: number): void {
    const { upper } = this.#sides
    if (!this.#sides.inUpper(ino)) this.#file(ino, this.#place(ino), 'content')
    else if (!upper.hasContent(ino)) this.#fill(ino, false)
  }

  /** Whatever can be given another name: not a directory. */
  movable(ino: number): void {
    if (this.#sides.inUpper(ino)) this.#complete(ino)
    else this.#file(ino, this.#place(ino), this.#whatMoves)
  }

  /** Sees to it that the upper has an inode at this very name, which shows it, and can be given another one. */
  at(directory: number, name: ByteString, ino: number): void {
    const { upper } = this.#sides
    if (this.#sides.isDirectory(ino)) {
      this.directory(ino)
      return
    }
    this.directory(directory)
    if (!this.#sides.inUpper(ino)) {
      this.#file(ino, { directory, name }, this.#whatMoves)
      return
    }
    this.#complete(ino)
    if (this.#sides.verdict(directory, name).says !== 'nothing') return
    upper.link(this.#sides.up(directory), name, ino)
    this.#groups.cover(directory, name)
  }

  /**
   * A directory with all that it holds, at any depth, so that nothing below is left to show in it. A directory is made opaque when
   * everything in it is up, the deepest one first, and then its whiteouts hide nothing: no step can be seen.
   */
  everything(ino: number): void {
    const sides = this.#sides
    const directories: { readonly ino: number; readonly mtime: bigint }[] = []
    const waiting = [ino]
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      this.directory(next)
      if (sides.directory(next).lower === undefined) continue
      directories.push({ ino: next, mtime: sides.attributes(next).mtime })
      for (const entry of [...sides.list(next)]) {
        if (entry.kind === 'directory') waiting.push(entry.ino)
        else this.at(next, entry.name, entry.ino)
      }
    }
    for (let last = directories.pop(); last !== undefined; last = directories.pop()) {
      const { upper } = sides
      upper.setOpaque(last.ino)
      sides.part(last.ino)
      for (const { name, verdict } of [...upper.list(last.ino)])
        if (verdict.says === 'whiteout') upper.forget(last.ino, name)
      upper.setAttributes(last.ino, { mtime: last.mtime })
    }
  }

  /**
   * Gives an inode that is about to lose its last name in the upper another one there, where a name from below shows it:
   * without that, the name would show the old file again.
   */
  keep(ino: number): void {
    const { upper } = this.#sides
    if (!this.#sides.inUpper(ino) || upper.stat(ino).links > 1) return
    if (this.#groups.lowerNames(ino, this.#sides.lowerLinks(ino)) === 0) return
    const place = this.#place(ino)
    this.directory(place.directory)
    const { mtime } = upper.stat(this.#sides.up(place.directory))
    this.at(place.directory, place.name, ino)
    upper.setAttributes(this.#sides.up(place.directory), { mtime })
  }

  /**
   * Copies a lower inode up whose name is about to be hidden, while others show it, where those who read the upper would go on counting
   * that name: as the kernel does it, with attributes alone if they are enough.
   */
  hiding(ino: number): void {
    const { groups } = this.#sides.upper
    if (!groups?.beforeHiding || this.#sides.inUpper(ino)) return
    const { upper, lower } = this.#sides
    if (!upper.isAlone?.(ino, lower.stat(ino).links)) this.#file(ino, undefined, 'attributes')
  }

  /** Where the content of a copy of attributes alone would be found no more under another name, it comes along. */
  get #whatMoves(): 'attributes' | 'content' {
    return this.#sides.upper.redirects ? 'attributes' : 'content'
  }

  /**
   * Gives a copy of attributes alone its content if another name would be a name of nothing: also where the upper has no name of it
   * that says where the content is (the kernel keeps link groups so of which it removed a name).
   */
  #complete(ino: number): void {
    const { upper } = this.#sides
    if (this.#sides.kind(ino) !== 'file' || upper.hasContent(ino)) return
    if (!upper.redirects || !upper.metadataOnly || upper.stat(ino).links === 0) this.whole(ino)
  }

  /** Whether a file is so large that its blocks are copied up one by one, as they are written. */
  #isForBlocks(ino: number): boolean {
    const { upper } = this.#sides
    const { blocks } = upper
    if (!blocks || !upper.metadataOnly || !upper.redirects || blocks.from === Number.POSITIVE_INFINITY) return false
    if (this.#sides.inUpper(ino) && (upper.hasContent(ino) || upper.stat(ino).links === 0)) return false
    const below = contentBelow(this.#sides, ino)
    if (below === undefined || this.#sides.lower.stat(below).size < blocks.from) return false
    const content = this.#sides.lower.open(below)
    try {
      return !blocks.takesNothing(content)
    } finally {
      content.close()
    }
  }

  #begin(ino: number): void {
    const { upper, lower } = this.#sides
    const below = contentBelow(this.#sides, ino)
    if (below === undefined) throw new PlyError('EIO', { syscall: 'copy-up' })
    upper.blocks!.begin(ino, lower.stat(below).size)
    this.#moved(ino)
  }

  #fill(ino: number, empty: boolean): void {
    this.#reading(ino, empty, (content) => this.#sides.upper.copyUpContent(ino, content))
    this.#moved(ino)
  }

  #place(ino: number): VisiblePlace {
    const place = this.#visible.of(ino)
    if (!place) throw new PlyError('ENOENT', { syscall: 'open' })
    return place
  }

  /** Without a place it gets no name in the upper. */
  #file(ino: number, place: VisiblePlace | undefined, what: 'attributes' | 'content' | 'empty'): void {
    const { upper, lower } = this.#sides
    if (place) this.directory(place.directory)
    const { kind, links, size } = lower.stat(ino)
    const creation = links > 1 ? { ...this.#creationOf(ino), links } : this.#creationOf(ino)
    const put = (inode: Creation, content?: Bytes): void => {
      if (place) upper.copyUp(this.#sides.up(place.directory), place.name, ino, inode, content)
      else upper.groups!.copyUp(ino, { ...inode, links: this.#groups.lowerNames(ino, links) }, content)
    }
    if (kind !== 'file') put(creation)
    else if (what === 'attributes' && upper.metadataOnly && size > 0 && !upper.isAlone?.(ino, links))
      put({ ...creation, size })
    else this.#reading(ino, what === 'empty', (content) => put(creation, content))
    if (place) this.#groups.cover(place.directory, place.name)
    if (links > 1) this.#groups.spread(ino)
    if (upper.hasContent(ino)) this.#moved(ino)
  }

  #reading(ino: number, empty: boolean, copy: (content: Bytes) => void): void {
    if (empty) {
      copy(noContent)
      return
    }
    const hasBlocks = this.#sides.upper.blocks?.has(ino)
    const content = (hasBlocks ? openBlocks : openBelow)(this.#sides, ino, 'copy-up')
    try {
      copy(content)
    } finally {
      content.close()
    }
  }

  #moved(ino: number): void {
    const { upper } = this.#sides
    this.#handles.moved(ino, () => (upper.blocks?.has(ino) ? openBlocks(this.#sides, ino, 'open') : upper.open(ino)))
  }

  /** Gives a directory that the upper only implies the attributes it shows, so that one of them can change. */
  #describe(ino: number): void {
    const part = this.#sides.directory(ino)
    if (part.described === undefined) return
    const { upper } = this.#sides
    const { mode, uid, gid, mtime, atime = mtime, xattrs } = this.#creationOf(part.described)
    for (const [name, value] of xattrs ?? []) upper.setXattr(this.#sides.up(ino), name, value)
    upper.setAttributes(this.#sides.up(ino), { mode, uid, gid, mtime, atime })
    part.described = undefined
  }

  #creationOf(ino: number): Creation {
    const { lower } = this.#sides
    const { kind, mode, uid, gid, mtime, atime, major, minor } = lower.stat(ino)
    const xattrs = lower.xattrs(ino)
    return {
      kind,
      mode,
      uid,
      gid,
      mtime,
      ...(atime !== undefined && { atime }),
      ...(xattrs.size > 0 && { xattrs }),
      ...(kind === 'symlink' && { target: lower.readlink(ino) }),
      ...((kind === 'character' || kind === 'block') && { major, minor }),
    }
  }
}
