import type { LayerView } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { stackedTree } from '../stack/stacked-tree.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'
import { accessAcl, aclAfterChmod, defaultAcl, isAcl, settingAcl } from './acl.ts'
import { withClearedSetId } from './attribute-rules.ts'
import { type Clock, systemClock } from './clock.ts'
import { CopyUp } from './copy-up.ts'
import { emptyTree } from './empty-tree.ts'
import { type Contents, Handles } from './handles.ts'
import { LinkGroups } from './link-groups.ts'
import { lowerDigests } from './lower-digests.ts'
import { checkName, checkXattrName } from './names.ts'
import { Removal } from './removal.ts'
import { type RenameFlags, Renaming } from './rename.ts'
import { Sides } from './sides.ts'
import type { WritableUnion } from './union.ts'
import type { AttributeChange, Creation, Upper, WritableBytes } from './upper.ts'

export interface UnionOptions {
  /** Where the times of changes come from, in nanoseconds. Default: the machine's clock. */
  readonly now?: Clock
}

/**
 * Lower views (base first) or a lower tree, and an upper over them, as one file system. Without an upper it is read only.
 * The union owns what it is given: closing it closes the rest.
 */
export function union(lower: Tree | readonly LayerView[]): Tree
export function union(lower: Tree | readonly LayerView[], upper: Upper, options?: UnionOptions): WritableUnion
export function union(
  lower: Tree | readonly LayerView[],
  upper?: Upper,
  options: UnionOptions = {},
): Tree | WritableUnion {
  const tree = isViews(lower) ? (lower.length === 0 ? emptyTree() : stackedTree(lower)) : lower
  return upper === undefined ? tree : new Union(tree, upper, options.now ?? systemClock())
}

function isViews(lower: Tree | readonly LayerView[]): lower is readonly LayerView[] {
  return Array.isArray(lower)
}

class Union implements WritableUnion, Contents {
  readonly lower: Tree
  readonly upper: Upper
  readonly root: number
  readonly place: Tree['place']
  readonly digests: Tree['digests']
  readonly #now: Clock
  readonly #sides: Sides
  readonly #groups: LinkGroups
  readonly #handles = new Handles()
  readonly #copyUp: CopyUp
  readonly #removal: Removal
  readonly #renaming: Renaming
  /** Modify times of files that are being written: stored when a writer closes, not at each write. */
  readonly #times = new Map<number, bigint>()
  #closed = false

  constructor(lower: Tree, upper: Upper, now: Clock) {
    this.lower = lower
    this.upper = upper
    this.root = lower.root
    this.place = lower.place && ((ino) => (this.#isFromLower(ino) ? lower.place!(ino) : undefined))
    this.digests = lower.digests && lowerDigests(this, lower.digests, (ino) => this.#isFromLower(ino))
    this.#now = now
    this.#sides = new Sides(lower, upper)
    this.#groups = new LinkGroups(this.#sides)
    this.#copyUp = new CopyUp(this.#sides, this.#groups, this.#handles)
    this.#removal = new Removal(this.#sides, this.#groups, this.#copyUp, this.#handles, (ino) => this.stat(ino))
    this.#renaming = new Renaming(this.#sides, this.#groups, this.#copyUp, this.#removal)
  }

  lookup(directory: number, name: ByteString): number | undefined {
    return this.#sides.lookup(directory, name)
  }

  list(directory: number): Iterable<TreeEntry> {
    return this.#sides.list(directory)
  }

  parent(directory: number): number {
    return this.#sides.parent(directory)
  }

  stat(ino: number): Stat {
    const orphan = this.#handles.orphaned(ino)
    if (orphan) return orphan
    if (!this.#sides.inUpper(ino)) {
      this.#present(ino, 'stat')
      const stat = this.lower.stat(ino)
      if (stat.kind === 'directory' || stat.links <= 1) return stat
      const links = this.#groups.lowerNames(ino, stat.links)
      return links === stat.links ? stat : { ...stat, links }
    }
    const stat = this.#sides.attributes(ino)
    if (stat.kind === 'directory') return { ...stat, ino, links: this.#sides.directoryLinks(ino) }
    const links = stat.links + this.#groups.lowerNames(ino, this.#sides.lowerLinks(ino))
    const size = stat.kind === 'file' && !this.upper.hasContent(ino) ? this.lower.stat(ino).size : stat.size
    return { ...stat, links, size, mtime: this.#times.get(ino) ?? stat.mtime }
  }

  readlink(ino: number): ByteString {
    return this.#sideOf(ino, 'readlink').readlink(ino)
  }

  xattrs(ino: number): Xattrs {
    this.#present(ino, 'getxattr')
    return this.#sides.xattrs(ino)
  }

  open(ino: number): Bytes {
    this.#present(ino, 'open')
    if (this.#sides.isDirectory(ino)) throw new PlyError('EISDIR', { syscall: 'open' })
    const side = this.#isFromLower(ino) ? this.lower : this.upper
    return this.#handles.reader(ino, side.open(ino))
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    checkName(name, 'open')
    this.#free(directory, name, 'open')
    if (creation.kind === 'character' && !creation.major && !creation.minor)
      throw new PlyError('EPERM', { syscall: 'mknod' })
    this.#copyUp.directory(directory)
    const isDirectory = creation.kind === 'directory'
    const below = isDirectory ? this.#sides.below(directory, name) : undefined
    const opaque = below !== undefined && this.#sides.isLowerDirectory(below)
    const ino = this.upper.create(this.#sides.up(directory), name, opaque ? { ...creation, opaque } : creation)
    if (isDirectory) {
      this.#sides.enter(ino, directory, undefined, undefined, 0)
      this.#sides.recount(directory, 1)
    }
    this.#touch(directory)
    return ino
  }

  link(directory: number, name: ByteString, ino: number): void {
    checkName(name, 'link')
    this.#present(ino, 'link')
    this.#free(directory, name, 'link')
    if (this.#sides.isDirectory(ino)) throw new PlyError('EPERM', { syscall: 'link' })
    this.#copyUp.attributes(ino)
    this.#copyUp.directory(directory)
    this.upper.link(this.#sides.up(directory), name, ino)
    this.#touch(directory)
  }

  rename(directory: number, name: ByteString, toDirectory: number, toName: ByteString, flags: RenameFlags = {}): void {
    if (!this.#renaming.rename({ directory, name }, { directory: toDirectory, name: toName }, flags)) return
    this.#touch(directory)
    if (toDirectory !== directory) this.#touch(toDirectory)
  }

  unlink(directory: number, name: ByteString): void {
    this.#removal.unlink(directory, name)
    this.#touch(directory)
  }

  rmdir(directory: number, name: ByteString): void {
    this.#removal.rmdir(directory, name)
    this.#touch(directory)
  }

  setAttributes(ino: number, change: AttributeChange): void {
    const current = this.stat(ino)
    const wanted = withClearedSetId(current, change)
    if (wanted.mode !== undefined && wanted.mode !== current.mode && current.kind === 'symlink') {
      throw new PlyError('EOPNOTSUPP', { syscall: 'chmod' })
    }
    if (this.#handles.changeOrphan(ino, wanted)) return
    this.#copyUp.attributes(ino)
    if (change.mtime !== undefined) this.#times.delete(ino)
    this.upper.setAttributes(this.#sides.up(ino), wanted)
    const acl = wanted.mode === undefined ? undefined : aclAfterChmod(this.xattrs(ino), wanted.mode)
    if (acl) this.upper.setXattr(this.#sides.up(ino), accessAcl, acl)
    if (change.uid !== undefined || change.gid !== undefined) this.#dropCapabilities(ino)
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    const syscall = value === undefined ? 'removexattr' : 'setxattr'
    checkXattrName(name, syscall)
    this.#present(ino, syscall)
    if (isAcl(name)) {
      this.#setAcl(ino, name, value)
      return
    }
    if (name.startsWith('system.')) throw new PlyError('EOPNOTSUPP', { syscall })
    const { kind } = this.stat(ino)
    if (name.startsWith('user.') && kind !== 'file' && kind !== 'directory') throw new PlyError('EPERM', { syscall })
    if (value === undefined && !this.xattrs(ino).has(name)) throw new PlyError('ENODATA', { syscall })
    this.#copyUp.attributes(ino)
    this.upper.setXattr(this.#sides.up(ino), name, value)
  }

  /** Mode and access ACL say the same; one that the mode says wholly is not kept. Taking away what is not there: as overlayfs. */
  #setAcl(ino: number, name: ByteString, given: Uint8Array | undefined): void {
    const stat = this.stat(ino)
    const set = settingAcl(stat, name, given)
    const had = this.xattrs(ino).has(name)
    if (!set && !had) {
      if (this.#sides.inUpper(ino) || (name === defaultAcl && stat.kind !== 'directory')) return
      throw new PlyError('ENODATA', { syscall: 'removexattr' })
    }
    this.#copyUp.attributes(ino)
    if (set?.value || had) this.upper.setXattr(this.#sides.up(ino), name, set?.value)
    if (set && name === accessAcl) this.setAttributes(ino, { mode: set.mode })
  }

  writer(ino: number, { truncate = false }: { readonly truncate?: boolean } = {}): WritableBytes {
    this.#present(ino, 'open')
    const { kind } = this.stat(ino)
    if (kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
    if (kind !== 'file') throw new PlyError('EINVAL', { syscall: 'open' })
    this.#copyUp.content(ino, truncate)
    const writer = this.#handles.writer(ino, this.upper.writer(ino), this)
    if (truncate) writer.truncate(0)
    return writer
  }

  sync(): void {
    for (const ino of [...this.#times.keys()]) this.settle(ino)
    this.upper.sync()
  }

  untouched(ino: number): number | undefined {
    if (this.#sides.isGone(ino)) return undefined
    if (ino === this.root) return this.#nothingInUpper() ? ino : undefined
    if (this.#sides.inUpper(ino)) return undefined
    return this.#sides.isLowerDirectory(ino) && this.#groups.touches(ino) ? undefined : ino
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#handles.close()
    this.upper.close()
    this.lower.close()
  }

  firstWrite(ino: number): void {
    this.#dropCapabilities(ino)
  }

  written(ino: number): void {
    const mtime = this.#now()
    if (!this.#handles.changeOrphan(ino, { mtime })) this.#times.set(ino, mtime)
  }

  settle(ino: number): void {
    const mtime = this.#times.get(ino)
    this.#times.delete(ino)
    if (mtime !== undefined && this.upper.has(ino)) this.upper.setAttributes(ino, { mtime })
  }

  /** A change of owner or content takes file capabilities away, as Linux does. */
  #dropCapabilities(ino: number): void {
    const name = 'security.capability'
    if (this.upper.has(ino) && this.upper.xattrs(ino).has(name)) this.upper.setXattr(ino, name, undefined)
  }

  #touch(directory: number): void {
    this.upper.setAttributes(this.#sides.up(directory), { mtime: this.#now() })
  }

  /** @throws ENOTDIR, ENOENT for the directory; EEXIST for the name. */
  #free(directory: number, name: ByteString, syscall: string): void {
    if (this.#sides.lookup(directory, name) !== undefined) throw new PlyError('EEXIST', { syscall })
  }

  /** @throws ENOENT for an inode that has lost its last name. */
  #present(ino: number, syscall: string): void {
    if (this.#sides.isGone(ino)) throw new PlyError('ENOENT', { syscall })
  }

  #sideOf(ino: number, syscall: string): Tree | Upper {
    this.#present(ino, syscall)
    return this.#sides.inUpper(ino) ? this.upper : this.lower
  }

  /** Whether what an inode holds is what it holds in the lower tree. */
  #isFromLower(ino: number): boolean {
    return !this.#sides.inUpper(ino) || (this.upper.stat(ino).kind === 'file' && !this.upper.hasContent(ino))
  }

  #nothingInUpper(): boolean {
    if (this.#sides.directory(this.root).described === undefined || this.upper.root.opaque) return false
    for (const _ of this.upper.list(this.upper.root.ino)) return false
    return true
  }
}
