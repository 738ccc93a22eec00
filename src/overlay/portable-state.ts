import type { ByteString } from '../model/bytes.ts'
import { defaultDirectory } from '../model/entry.ts'
import { InodeTable } from '../union/inode-table.ts'
import { type AttributeChange, firstNewInode } from '../union/upper.ts'
import { type Change, type InodeFacts, isFiled, noContent } from './change.ts'
import { firstForeignInode } from './overlay-node.ts'
import { damaged } from './record-bytes.ts'
import { changeAttributes, factsOf, inodeOf, stand, type UpperInode } from './upper-inode.ts'

/** The first number that belongs to the upper: below stand the numbers of the lower tree. It is the upper's own root. */
const firstUpperInode = firstNewInode

/** Stands in a directory in place of an inode number: the name is whited out. */
export const whiteoutMark = 0

/**
 * Everything an upper in the portable form says, but for the content of its files: a fold over its changes.
 *
 * `apply` is the only way to change it, live and when a log is read again, so that both give the same state.
 * A change is checked before it is written: `apply` throws only on a damaged log.
 */
export class PortableState {
  readonly inodes = new InodeTable<UpperInode>()
  readonly root: UpperInode
  /** Nobody has said yet what the root is like: it takes the attributes of the lower root. */
  rootImplied = true
  nextInode = firstUpperInode + 1
  nextContent = 1
  /** Called with each inode whose last name is gone, after it left `inodes`. */
  onRelease: (inode: UpperInode) => void = () => {}
  /** When the change that is applied happens, in nanoseconds; `undefined` while a log is read. */
  #time: bigint | undefined

  constructor() {
    this.root = inodeOf({ ino: firstUpperInode, kind: 'directory', ...defaultDirectory, content: noContent })
    this.root.parent = firstUpperInode
    this.inodes.set(firstUpperInode, this.root)
  }

  /** `time`: when it happens, for the change times; absent, they stay. */
  apply(change: Change, time?: bigint): void {
    this.#time = time
    switch (change.does) {
      case 'place': {
        const inode = inodeOf(change.inode)
        this.#touch(inode)
        this.#count(inode)
        this.inodes.set(inode.ino, inode)
        this.#set(this.#directory(change.directory), change.name, inode)
        return
      }
      case 'root':
        this.#describeRoot(change.inode)
        return
      case 'content': {
        const inode = this.#inode(change.ino)
        inode.content = change.content
        this.#touch(inode)
        this.#count(inode)
        return
      }
      case 'link':
        this.#set(this.#directory(change.directory), change.name, this.#inode(change.ino))
        return
      case 'rename':
        this.#rename(change)
        return
      case 'exchange':
        this.#exchange(change)
        return
      case 'forget':
        this.#remove(this.#directory(change.directory), change.name)
        return
      case 'whiteout': {
        const directory = this.#directory(change.directory)
        this.#remove(directory, change.name)
        directory.entries!.set(change.name, whiteoutMark)
        return
      }
      case 'opaque':
        this.#directory(change.directory).opaque = true
        return
      case 'attributes': {
        const inode = this.#inode(change.ino)
        if (inode === this.root) this.#tellOfRoot(change.change)
        changeAttributes(inode, change.change)
        this.#touch(inode)
        return
      }
      case 'xattr': {
        const inode = this.#inode(change.ino)
        if (change.value !== undefined) (inode.xattrs ??= new Map()).set(change.name, change.value)
        else if (inode.xattrs?.delete(change.name) && inode.xattrs.size === 0) inode.xattrs = undefined
        this.#touch(inode)
        return
      }
      case 'counters':
        this.nextInode = Math.max(this.nextInode, change.nextInode)
        this.nextContent = Math.max(this.nextContent, change.nextContent)
        return
      case 'synced':
        return
      default:
        change satisfies never
    }
  }

  /** The changes that make this state from nothing, for compaction. */
  *changes(): Generator<Change> {
    if (!this.rootImplied) yield { does: 'root', inode: factsOf(this.root) }
    else if (this.root.opaque) yield { does: 'opaque', directory: this.root.ino }
    const told = new Set<number>([this.root.ino])
    const waiting = [this.root]
    for (let directory = waiting.pop(); directory; directory = waiting.pop()) {
      for (const [name, ino] of directory.entries!) {
        if (ino === whiteoutMark) {
          yield { does: 'whiteout', directory: directory.ino, name }
        } else if (told.has(ino)) {
          yield { does: 'link', directory: directory.ino, name, ino }
        } else {
          const inode = this.#inode(ino)
          told.add(ino)
          yield { does: 'place', directory: directory.ino, name, inode: factsOf(inode) }
          if (inode.kind === 'directory') waiting.push(inode)
        }
      }
    }
    yield { does: 'counters', nextInode: this.nextInode, nextContent: this.nextContent }
  }

  #rename(change: Change & { readonly does: 'rename' }): void {
    const from = this.#directory(change.directory)
    const ino = from.entries!.get(change.name)
    if (!ino) throw damaged('it moves a name that is not there')
    const inode = this.#inode(ino)
    const to = this.#directory(change.toDirectory)
    this.#take(from, change.name, inode)
    if (to.entries!.get(change.toName) !== ino) this.#set(to, change.toName, inode)
    else this.#touch(inode)
    if (change.leave === 'whiteout') from.entries!.set(change.name, whiteoutMark)
    stand(inode, change)
  }

  #exchange({ directory, name, toDirectory, toName, first, second }: Change & { readonly does: 'exchange' }): void {
    const [from, to] = [this.#directory(directory), this.#directory(toDirectory)]
    const [ino, other] = [from.entries!.get(name), to.entries!.get(toName)]
    if (!ino || !other) throw damaged('it exchanges a name that is not there')
    const [inode, otherInode] = [this.#inode(ino), this.#inode(other)]
    this.#take(from, name, inode)
    this.#take(to, toName, otherInode)
    this.#set(from, name, otherInode)
    this.#set(to, toName, inode)
    stand(otherInode, first)
    stand(inode, second)
  }

  /** Takes a name from an inode that gets another one. */
  #take(directory: UpperInode, name: ByteString, inode: UpperInode): void {
    directory.entries!.delete(name)
    inode.names--
    if (inode.kind === 'directory') directory.subdirectories--
  }

  #set(directory: UpperInode, name: ByteString, inode: UpperInode): void {
    this.#remove(directory, name)
    directory.entries!.set(name, inode.ino)
    inode.names++
    this.#touch(inode)
    if (inode.kind !== 'directory') return
    directory.subdirectories++
    inode.parent = directory.ino
  }

  #remove(directory: UpperInode, name: ByteString): void {
    const ino = directory.entries!.get(name)
    if (ino === undefined) return
    directory.entries!.delete(name)
    if (ino === whiteoutMark) return
    const inode = this.#inode(ino)
    if (inode.kind === 'directory') directory.subdirectories--
    this.#release(inode)
  }

  /** A directory goes with the whiteouts in it; that there is nothing else was checked before the change was written. */
  #release(inode: UpperInode): void {
    inode.names--
    this.#touch(inode)
    if (inode.names > 0) return
    this.inodes.delete(inode.ino)
    this.onRelease(inode)
  }

  /** Whoever first says what the root is like and gives no access time means the modify time, as of any new inode. */
  #tellOfRoot({ mtime }: AttributeChange): void {
    if (this.rootImplied && mtime !== undefined) this.root.mtime = mtime
    this.rootImplied = false
  }

  /** The access time that an inode has after a change which gives it none. */
  accessTimeAfter(inode: UpperInode, { mtime }: AttributeChange): bigint {
    if (inode === this.root && this.rootImplied && mtime !== undefined) return mtime
    return inode.atime ?? inode.mtime
  }

  #describeRoot(facts: InodeFacts): void {
    this.rootImplied = false
    Object.assign(this.root, {
      mode: facts.mode,
      uid: facts.uid,
      gid: facts.gid,
      mtime: facts.mtime,
      atime: facts.atime,
      xattrs: facts.xattrs && new Map(facts.xattrs),
      opaque: facts.opaque ?? false,
    } satisfies Partial<UpperInode>)
  }

  /** Numbers are never given twice, also after the log is read again. */
  #count({ ino, content }: UpperInode): void {
    if (ino >= this.nextInode && ino < firstForeignInode) this.nextInode = ino + 1
    if (isFiled(content) && content.number >= this.nextContent) this.nextContent = content.number + 1
  }

  #touch(inode: UpperInode): void {
    if (this.#time !== undefined) inode.ctime = this.#time
  }

  #inode(ino: number): UpperInode {
    const inode = this.inodes.get(ino)
    if (!inode) throw damaged(`it speaks of inode ${ino}, which is not there`)
    return inode
  }

  #directory(ino: number): UpperInode {
    const inode = this.#inode(ino)
    if (!inode.entries) throw damaged(`it puts a name into inode ${ino}, which is no directory`)
    return inode
  }
}
