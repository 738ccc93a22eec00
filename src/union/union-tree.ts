import type { LayerView } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'
import { type Clock, systemClock } from './clock.ts'
import { contentAbove } from './content-below.ts'
import { CopyUp } from './copy-up.ts'
import { Creating } from './creating.ts'
import { Handles } from './handles.ts'
import type { Heritage } from './inheritance.ts'
import { InodeChanges } from './inode-changes.ts'
import { Inspection } from './inspection.ts'
import { LinkGroups } from './link-groups.ts'
import { advisoryLocks } from './locks.ts'
import { lowerDigests } from './lower-digests.ts'
import { lowerTree } from './lower-tree.ts'
import type { Writer } from './open-content.ts'
import { Orphans } from './orphans.ts'
import { RecentPaths } from './recent-paths.ts'
import { Removal } from './removal.ts'
import { type RenameFlags, Renaming } from './rename.ts'
import type { Resolved } from './resolve.ts'
import { Sides } from './sides.ts'
import type { OnBehalf, RestackableUnion, WritableUnion } from './union.ts'
import type { AttributeChange, Creation, Room, Unnamed, Upper, WritableBytes } from './upper.ts'

export interface UnionOptions {
  /** Where the times of changes come from, in nanoseconds. Default: the machine's clock. */
  readonly now?: Clock
}

/**
 * Lower views (base first) or a lower tree, and an upper over them, as one file system. Without an upper it is read only.
 * The union owns what it is given: closing it closes the rest.
 */
export function union(lower: Tree | readonly LayerView[]): Tree
export function union(lower: Tree | readonly LayerView[], upper: Upper, options?: UnionOptions): RestackableUnion
export function union(
  lower: Tree | readonly LayerView[],
  upper?: Upper,
  options: UnionOptions = {},
): Tree | WritableUnion {
  const tree = lowerTree(lower, upper)
  return upper === undefined ? tree : new Union(tree, upper, options.now ?? systemClock())
}

/**
 * An upper over any tree, a union too: for a chain of frozen uppers, whoever opens it sees to it that each numbers new inodes above
 * those below.
 */
export function unionOver(lower: Tree, upper: Upper): RestackableUnion {
  return new Union(lower, upper, systemClock())
}

class Union implements RestackableUnion {
  lower!: Tree
  upper!: Upper
  readonly root: number
  place: Tree['place']
  digests: Tree['digests']
  readonly locks = advisoryLocks()
  readonly paths = new RecentPaths<Resolved>()
  readonly #sides: Sides
  readonly #groups: LinkGroups
  readonly #handles = new Handles()
  readonly #orphans: Orphans
  readonly #inspection: Inspection
  readonly #copyUp: CopyUp
  readonly #changes: InodeChanges
  readonly #creating: Creating
  readonly #removal: Removal
  readonly #renaming: Renaming
  readonly #now: Clock
  #users = 1

  constructor(lower: Tree, upper: Upper, now: Clock) {
    this.#now = now
    this.root = lower.root
    this.#standOn(lower, upper)
    this.#sides = new Sides(lower, upper)
    this.#groups = new LinkGroups(this.#sides)
    this.#orphans = new Orphans(this.#handles, upper, now)
    const pendingTime = (ino: number) => this.#changes.pendingTime(ino)
    this.#inspection = new Inspection(this.#sides, this.#groups, this.#orphans, this.#handles, pendingTime)
    this.#copyUp = new CopyUp(this.#sides, this.#groups, this.#handles)
    this.#changes = new InodeChanges(this.#sides, this.#orphans, this.#copyUp, now, this.#inspection)
    this.#creating = new Creating(this.#sides, this.#orphans, this.#copyUp)
    this.#removal = new Removal(this.#sides, this.#groups, this.#copyUp, this.#orphans, this.#inspection)
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
    return this.#inspection.stat(ino)
  }

  kind(ino: number): Kind {
    return this.#inspection.kind(ino)
  }

  readlink(ino: number): ByteString {
    return this.#inspection.readlink(ino)
  }

  xattrs(ino: number): Xattrs {
    return this.#inspection.xattrs(ino)
  }

  open(ino: number): Bytes {
    return this.#inspection.open(ino)
  }

  hold(ino: number): () => void {
    if (!this.#orphans.get(ino)) this.#inspection.present(ino, 'open')
    return this.#handles.hold(ino)
  }

  heritage(directory: number): Heritage {
    if (this.#orphans.get(directory)) throw new PlyError('ENOENT', { syscall: 'open' })
    this.#inspection.present(directory, 'open')
    if (!this.#sides.isDirectory(directory)) throw new PlyError('ENOTDIR', { syscall: 'open' })
    return this.#sides.heritage(directory)
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    this.paths.forget()
    const ino = this.#creating.create(directory, name, creation)
    this.#changes.touch(directory)
    return ino
  }

  link(directory: number, name: ByteString, ino: number): void {
    this.paths.forget()
    this.#creating.link(directory, name, ino)
    this.#changes.touch(directory)
  }

  unnamed(
    directory: number,
    creation: Creation & { readonly kind: 'file' },
    { exclusive = false, killSetId = false }: OnBehalf & { readonly exclusive?: boolean } = {},
  ): Unnamed {
    const orphan = this.#creating.unnamed(directory, creation, exclusive)
    // The first handle: it has to be there before anything else can hold the inode.
    return { ino: orphan.stat.ino, content: this.#orphans.writer(orphan, { writing: this.#changes, killSetId }) }
  }

  rename(directory: number, name: ByteString, toDirectory: number, toName: ByteString, flags: RenameFlags = {}): void {
    this.paths.forget()
    if (!this.#renaming.rename({ directory, name }, { directory: toDirectory, name: toName }, flags)) return
    this.#changes.touch(directory)
    if (toDirectory !== directory) this.#changes.touch(toDirectory)
  }

  unlink(directory: number, name: ByteString): void {
    this.paths.forget()
    this.#removal.unlink(directory, name)
    this.#changes.touch(directory)
  }

  rmdir(directory: number, name: ByteString): void {
    this.paths.forget()
    this.#removal.rmdir(directory, name)
    this.#changes.touch(directory)
  }

  setAttributes(ino: number, change: AttributeChange, { killSetId = false }: OnBehalf = {}): void {
    this.#changes.setAttributes(ino, change, killSetId)
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    this.#changes.setXattr(ino, name, value)
  }

  writer(
    ino: number,
    { truncate = false, killSetId = false }: OnBehalf & { readonly truncate?: boolean } = {},
  ): WritableBytes {
    const how = { writing: this.#changes, killSetId }
    const orphan = this.#orphans.get(ino)
    const writer = orphan
      ? this.#orphans.writer(orphan, how)
      : this.#handles.writer(ino, this.#above(ino, truncate), how)
    if (truncate) writer.truncate(0)
    return writer
  }

  sync(): void {
    this.#changes.settleAll()
    this.upper.sync()
  }

  room(): Room {
    return this.upper.room()
  }

  takeTimesOfDisk(): void {
    this.#changes.takeTimesOfDisk()
  }

  has(ino: number): boolean {
    return this.#sides.isBelow(ino) || this.#sides.inUpper(ino)
  }

  untouched(ino: number): number | undefined {
    return this.#inspection.untouched(ino)
  }

  *inBlocks(): Iterable<number> {
    const { upper, lower } = this
    for (const ino of upper.blocks?.list() ?? []) yield ino
    if (!('inBlocks' in lower)) return
    for (const ino of (lower as RestackableUnion).inBlocks()) {
      const isAbove = this.#sides.inUpper(ino)
      const isOwn = isAbove && (upper.hasContent(ino) || upper.blocks?.has(ino))
      if (isAbove ? !isOwn : this.#copyUp.isVisible(ino)) yield ino
    }
  }

  materialize(ino: number): void {
    if (this.#handles.has(ino)) throw new PlyError('EBUSY', { syscall: 'materialize' })
    this.#copyUp.whole(ino)
  }

  retain(): RestackableUnion {
    this.#users++
    return this
  }

  freeze(upper: Upper, decide: () => void): RestackableUnion {
    this.#changes.settleAll()
    const { lower, upper: frozen } = this
    const below = new Union(lower, frozen, this.#now)
    const copies: { readonly handle: Writer; readonly content: WritableBytes }[] = []
    try {
      this.#restack(below, upper)
      for (const { ino, handles } of this.#handles.writers()) {
        if (this.#orphans.get(ino)) continue
        this.#copyUp.content(ino, false)
        for (const handle of handles) copies.push({ handle, content: contentAbove(this.#sides, ino) })
      }
      decide()
    } catch (error) {
      for (const { content } of copies) content.close()
      this.#restack(lower, frozen)
      // Readers may have gone on in copies that nobody gets to see.
      for (const { handle } of copies) this.#handles.moved(handle.ino, () => this.#inspection.content(handle.ino))
      throw error
    }
    for (const { handle, content } of copies) handle.continueIn(content, true)
    return below
  }

  restack(lower: Tree, upper: Upper, decide: () => void): void {
    if (this.#handles.any) throw new PlyError('EBUSY', { syscall: 'restack' })
    const { lower: oldLower, upper: oldUpper } = this
    decide()
    this.#restack(lower, upper)
    this.#sides.gone.clear()
    oldUpper.close()
    oldLower.close()
  }

  close(): void {
    if (this.#users === 0 || --this.#users > 0) return
    this.paths.forget()
    this.#handles.close()
    this.upper.close()
    this.lower.close()
  }

  #restack(lower: Tree, upper: Upper): void {
    this.paths.forget()
    this.#orphans.restack(upper)
    this.#standOn(lower, upper)
    this.#sides.restack(lower, upper)
    this.#groups.restack()
  }

  #standOn(lower: Tree, upper: Upper): void {
    this.lower = lower
    this.upper = upper
    const below = (ino: number) => this.#inspection.contentBelow(ino)
    this.place =
      lower.place &&
      ((ino) => {
        const at = below(ino)
        return at === undefined ? undefined : lower.place!(at)
      })
    this.digests = lower.digests && lowerDigests(this, lower.digests, below)
  }

  /** A file's content in the upper, for writing; without what it held if that is about to be dropped. */
  #above(ino: number, truncate: boolean): WritableBytes {
    this.#inspection.present(ino, 'open')
    const kind = this.#sides.kind(ino)
    if (kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
    if (kind !== 'file') throw new PlyError('EINVAL', { syscall: 'open' })
    this.#copyUp.content(ino, truncate)
    return contentAbove(this.#sides, ino)
  }
}
