import type { ByteString } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { defaultAcl, isAcl } from './acl.ts'
import { CheckedTree } from './checked-tree.ts'
import { inherited } from './inheritance.ts'
import type { Granted, UserUnion } from './permissions.ts'
import type { WritableUnion } from './union.ts'
import type { AttributeChange, Creation, Room, WritableBytes } from './upper.ts'
import { wants } from './user.ts'
import { UserWriter } from './user-writer.ts'
import { maySetXattr } from './user-xattrs.ts'

/** A union that asks for each change whether its user may make it, before anything is copied up. */
export class CheckedUnion extends CheckedTree<WritableUnion> implements UserUnion {
  get lower() {
    return this.tree.lower
  }

  get upper() {
    return this.tree.upper
  }

  get locks() {
    return this.tree.locks
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    this.#toMake(directory, name)
    const { kind, major, minor } = creation
    const isDevice = kind === 'block' || (kind === 'character' && Boolean(major || minor))
    if (isDevice && !this.user.can('CAP_MKNOD')) throw new PlyError('EPERM', { syscall: 'mknod' })
    return this.tree.create(directory, name, this.#ownCreation(directory, creation))
  }

  unnamed(
    directory: number,
    creation: Creation & { readonly kind: 'file' },
    options?: { readonly exclusive?: boolean },
  ): { readonly ino: number; readonly content: WritableBytes } {
    this.require(this.tree.stat(directory), wants.write | wants.execute)
    const made = this.tree.unnamed(directory, this.#ownCreation(directory, creation), options)
    return { ino: made.ino, content: this.#written(made.ino, made.content, true) }
  }

  link(directory: number, name: ByteString, ino: number): void {
    this.search(directory)
    if (this.tree.lookup(directory, name) === undefined) {
      if (this.user.protectedHardlinks && !this.#mayLinkTo(ino)) throw new PlyError('EPERM', { syscall: 'link' })
      this.require(this.tree.stat(directory), wants.write | wants.execute)
    }
    this.tree.link(directory, name, ino)
  }

  rename(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    flags: { readonly noReplace?: boolean; readonly exchange?: boolean } = {},
  ): void {
    this.search(directory)
    this.search(toDirectory)
    const source = this.tree.lookup(directory, name)
    const target = this.tree.lookup(toDirectory, toName)
    if (source !== undefined && source !== target) this.#mayMove(directory, source, toDirectory, target, flags)
    this.tree.rename(directory, name, toDirectory, toName, flags)
  }

  unlink(directory: number, name: ByteString): void {
    this.search(directory)
    this.#mayRemove(directory, this.tree.lookup(directory, name))
    this.tree.unlink(directory, name)
  }

  rmdir(directory: number, name: ByteString): void {
    this.search(directory)
    this.#mayRemove(directory, this.tree.lookup(directory, name))
    this.tree.rmdir(directory, name)
  }

  setAttributes(ino: number, change: AttributeChange): void {
    this.tree.setAttributes(ino, this.#allowed(this.tree.stat(ino), change))
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    const stat = this.tree.stat(ino)
    if (maySetXattr(this.user, stat, name, value)) this.require(stat, wants.write)
    this.tree.setXattr(ino, name, value)
    // `posix_acl_update_mode`, on directories too.
    if (name !== defaultAcl && isAcl(name)) {
      const { mode } = this.tree.stat(ino)
      const allowed = this.user.allowedMode(mode, stat.gid)
      if (allowed !== mode) this.tree.setAttributes(ino, { mode: allowed })
    }
  }

  writer(ino: number, options: Granted & { readonly truncate?: boolean } = {}): WritableBytes {
    const stat = this.tree.stat(ino)
    if (stat.kind !== 'directory' && !options.granted) this.require(stat, wants.write)
    const readable = options.granted || this.user.may(stat, wants.read, () => this.tree.xattrs(ino))
    if (options.truncate) this.#dropSetId(ino)
    return this.#written(ino, this.tree.writer(ino, options), readable)
  }

  hold(ino: number): () => void {
    return this.tree.hold(ino)
  }

  sync(): void {
    this.tree.sync()
  }

  room(): Room {
    return this.tree.room()
  }

  untouched(ino: number): number | undefined {
    return this.tree.untouched(ino)
  }

  #written(ino: number, content: WritableBytes, readable: boolean): WritableBytes {
    return new UserWriter(content, readable, () => this.#dropSetId(ino))
  }

  #dropSetId(ino: number): void {
    if (this.user.can('CAP_FSETID')) return
    const stat = this.tree.stat(ino)
    const mode = this.user.withoutSetId(stat)
    if (mode !== stat.mode) this.tree.setAttributes(ino, { mode })
  }

  #ownCreation<Made extends Creation>(directory: number, creation: Made): Made {
    const parent = { stat: this.tree.stat(directory), xattrs: this.tree.xattrs(directory) }
    const { xattrs, ...attributes } = inherited(parent, creation.kind, creation.mode, this.user)
    const others = [...(creation.xattrs ?? [])].filter(([name]) => !isAcl(name))
    return { ...creation, ...attributes, xattrs: new Map([...others, ...(xattrs ?? [])]) }
  }

  /** Where something stands at the name already, that is the answer, whatever the directory allows. */
  #toMake(directory: number, name: ByteString): void {
    const stat = this.tree.stat(directory)
    if (stat.kind !== 'directory') return
    this.require(stat, wants.execute)
    if (this.tree.lookup(directory, name) === undefined) this.require(stat, wants.write | wants.execute)
  }

  /** `may_delete`, up to what the union itself answers. */
  #mayRemove(directory: number, ino: number | undefined): void {
    if (ino === undefined) return
    const parent = this.tree.stat(directory)
    this.require(parent, wants.write | wants.execute)
    if (this.user.keptBySticky(parent, this.tree.stat(ino))) throw new PlyError('EPERM')
  }

  #mayMove(
    directory: number,
    source: number,
    toDirectory: number,
    target: number | undefined,
    { noReplace = false, exchange = false }: { readonly noReplace?: boolean; readonly exchange?: boolean },
  ): void {
    const moved = this.tree.stat(source).kind
    const replaced = target === undefined ? undefined : this.tree.stat(target).kind
    // What the union refuses whoever asks comes first, as in Linux.
    if (target === undefined ? exchange : noReplace) return
    if (moved === 'directory' && this.#isWithin(toDirectory, source)) return
    if (target !== undefined && replaced === 'directory' && this.#isWithin(directory, target)) return
    this.#mayRemove(directory, source)
    if (target === undefined) this.require(this.tree.stat(toDirectory), wants.write | wants.execute)
    else {
      this.#mayRemove(toDirectory, target)
      if (!exchange && (moved === 'directory') !== (replaced === 'directory')) return
    }
    // A directory that gets another parent has its `..` written.
    if (directory === toDirectory) return
    if (moved === 'directory') this.require(this.tree.stat(source), wants.write)
    if (exchange && target !== undefined && replaced === 'directory') this.require(this.tree.stat(target), wants.write)
  }

  #isWithin(directory: number, ancestor: number): boolean {
    for (let at = directory; at !== ancestor; at = this.tree.parent(at)) if (at === this.root) return false
    return true
  }

  /** `may_linkat` */
  #mayLinkTo(ino: number): boolean {
    const stat = this.tree.stat(ino)
    if (this.user.owns(stat)) return true
    if (stat.kind !== 'file' || (stat.mode & 0o4000) !== 0 || (stat.mode & 0o2010) === 0o2010) return false
    return this.user.may(stat, wants.read | wants.write, () => this.tree.xattrs(ino))
  }

  /** `setattr_prepare`: the change as this user may make it. @throws EPERM */
  #allowed(stat: Stat, change: AttributeChange): AttributeChange {
    const { uid, gid, mode } = change
    const isOwner = stat.uid === this.user.uid
    const mayChown = this.user.can('CAP_CHOWN')
    if (uid !== undefined && !mayChown && !(isOwner && uid === stat.uid)) throw new PlyError('EPERM')
    if (gid !== undefined && !mayChown && !(isOwner && (gid === stat.gid || this.user.inGroup(gid))))
      throw new PlyError('EPERM')
    const givenAway = uid !== undefined || gid !== undefined
    const wanted = mode ?? (givenAway ? this.user.withoutSetId(stat) : stat.mode)
    const changesMode = mode !== undefined || wanted !== stat.mode
    if (stat.kind !== 'symlink' && changesMode && !this.user.owns(stat)) throw new PlyError('EPERM')
    if ((change.mtime !== undefined || change.atime !== undefined) && !this.user.owns(stat)) throw new PlyError('EPERM')
    return changesMode ? { ...change, mode: this.user.allowedMode(wanted, gid ?? stat.gid) } : change
  }
}
