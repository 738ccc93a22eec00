import type { ByteString } from '../../src/model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../../src/model/entry.ts'
import { PlyError } from '../../src/model/errors.ts'
import type { TreeEntry } from '../../src/stack/tree.ts'
import type { AttributeChange, Creation, WritableBytes } from '../../src/union/upper.ts'
import { layerTime, type MergedNode } from './layers.ts'
import { accessName, aclValue, check, defaultName, isPlain, modeOf, parseLines, withMode } from './model-acl.ts'
import { type Inode, ModelHandle } from './model-handle.ts'
import { now, type Verbs } from './verbs.ts'

type Directory = Inode & { readonly children: Map<ByteString, Inode> }

/**
 * A file system as a textbook has it: inodes in memory, no layers, no copy-up. Written for the oracle and from nothing of `src/`,
 * with the checks of Linux in Linux's order.
 */
export class PlainModel implements Verbs {
  readonly root = 1
  readonly #inodes = new Map<number, Inode>()
  #next = 1

  constructor() {
    const root = this.#make({ kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: layerTime(1000) })
    root.parent = root
    root.links = 1
  }

  /** Puts a merged tree of layers below a directory of the root, or into the root itself. */
  plant(directory: ByteString, tree: ReadonlyMap<ByteString, MergedNode>): void {
    const made = new Map<MergedNode, Inode>()
    for (const [path, node] of tree) {
      const whole = [directory, path].filter((part) => part !== '').join('/')
      const known = made.get(node)
      if (whole === '') {
        Object.assign(this.#inodes.get(this.root)!, {
          mode: node.mode,
          uid: node.uid,
          gid: node.gid,
          mtime: node.mtime,
          atime: node.mtime,
        })
        for (const [name, value] of node.xattrs) this.#inodes.get(this.root)!.xattrs.set(name, value)
        continue
      }
      const slash = whole.lastIndexOf('/')
      const parent = this.#walk(whole.slice(0, Math.max(0, slash)))
      const inode = known ?? this.#make(node)
      if (!known) inode.content = Buffer.from(node.content)
      made.set(node, inode)
      this.#enter(parent, whole.slice(slash + 1), inode)
    }
  }

  lookup(directory: number, name: ByteString): number | undefined {
    return this.#directory(directory).children.get(name)?.ino
  }

  list(directory: number): Iterable<TreeEntry> {
    return [...this.#directory(directory).children]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { ino, kind }]) => ({ name, ino, kind }))
  }

  parent(directory: number): number {
    return this.#directory(directory).parent!.ino
  }

  stat(ino: number): Stat {
    const { kind, mode, uid, gid, mtime, atime, links, content, target, major, minor } = this.#inode(ino)
    const size = kind === 'symlink' ? target.length : content.length
    return { ino, kind, mode, uid, gid, mtime, atime, size, links, major, minor }
  }

  readlink(ino: number): ByteString {
    const { kind, target } = this.#inode(ino)
    if (kind !== 'symlink') throw new PlyError('EINVAL')
    return target
  }

  xattrs(ino: number): Xattrs {
    return this.#inode(ino).xattrs
  }

  open(ino: number): WritableBytes {
    return new ModelHandle(this.#inode(ino))
  }

  writer(ino: number, { truncate = false }: { readonly truncate?: boolean } = {}): WritableBytes {
    const handle = new ModelHandle(this.#inode(ino))
    if (truncate) handle.truncate(0)
    return handle
  }

  unnamed(
    directory: number,
    creation: Creation & { readonly kind: 'file' },
    { exclusive = false }: { readonly exclusive?: boolean } = {},
  ): { readonly ino: number; readonly content: WritableBytes } {
    this.#directory(directory)
    const inode = this.#make(creation)
    inode.unnamed = true
    inode.linkable = !exclusive
    return { ino: inode.ino, content: new ModelHandle(inode) }
  }

  /** Whether an inode was made without a name and has none yet. */
  isUnnamed(ino: number): boolean {
    return this.#inode(ino).unnamed
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    const parent = this.#free(directory, name)
    if (creation.kind === 'character' && !creation.major && !creation.minor) throw new PlyError('EPERM')
    const inode = this.#make(creation)
    this.#enter(parent, name, inode)
    parent.mtime = now()
    return inode.ino
  }

  link(directory: number, name: ByteString, ino: number): void {
    const inode = this.#inode(ino)
    const parent = this.#free(directory, name)
    if (inode.kind === 'directory') throw new PlyError('EPERM')
    if (inode.links === 0 && !inode.linkable) throw new PlyError('ENOENT')
    this.#enter(parent, name, inode)
    inode.linkable = false
    inode.unnamed = false
    parent.mtime = now()
  }

  rename(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    { noReplace = false, exchange = false }: { readonly noReplace?: boolean; readonly exchange?: boolean } = {},
  ): void {
    checkName(name)
    checkName(toName)
    const [from, to] = [this.#directory(directory), this.#directory(toDirectory)]
    const inode = from.children.get(name)
    const target = to.children.get(toName)
    if (!inode) throw new PlyError('ENOENT')
    if (noReplace && target) throw new PlyError('EEXIST')
    if (exchange && !target) throw new PlyError('ENOENT')
    if (holds(inode, to)) throw new PlyError('EINVAL')
    if (target && holds(target, from)) throw new PlyError(exchange ? 'EINVAL' : 'ENOTEMPTY')
    if (inode === target) return
    if (target && !exchange) {
      if (inode.children && !target.children) throw new PlyError('ENOTDIR')
      if (!inode.children && target.children) throw new PlyError('EISDIR')
      if (target.children && target.children.size > 0) throw new PlyError('ENOTEMPTY')
      target.links--
    }
    from.children.delete(name)
    to.children.set(toName, inode)
    inode.parent = to
    if (target && exchange) {
      from.children.set(name, target)
      target.parent = from
    }
    from.mtime = to.mtime = now()
  }

  unlink(directory: number, name: ByteString): void {
    const { parent, inode } = this.#named(directory, name)
    if (inode.children) throw new PlyError('EISDIR')
    parent.children.delete(name)
    inode.links--
    parent.mtime = now()
  }

  rmdir(directory: number, name: ByteString): void {
    const { parent, inode } = this.#named(directory, name)
    if (!inode.children) throw new PlyError('ENOTDIR')
    if (inode.children.size > 0) throw new PlyError('ENOTEMPTY')
    parent.children.delete(name)
    inode.links--
    parent.mtime = now()
  }

  setAttributes(ino: number, { mode, uid, gid, mtime, atime }: AttributeChange): void {
    const inode = this.#inode(ino)
    if (uid !== undefined || gid !== undefined) {
      inode.uid = uid ?? inode.uid
      inode.gid = gid ?? inode.gid
      if (!inode.children) inode.xattrs.delete('security.capability')
      if (!inode.children) inode.mode &= inode.mode & 0o010 ? ~0o6000 : ~0o4000
    }
    if (mode !== undefined) {
      if (inode.kind === 'symlink') throw new PlyError('EOPNOTSUPP')
      inode.mode = mode
      const acl = inode.xattrs.get(accessName)
      if (acl) inode.xattrs.set(accessName, aclValue(withMode(parseLines(acl)!, mode, false)))
    }
    if (mtime !== undefined) inode.mtime = mtime
    if (atime !== undefined) inode.atime = atime
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    const inode = this.#inode(ino)
    if (name === accessName || name === defaultName) {
      this.#setAcl(inode, name, value)
      return
    }
    if (name.startsWith('user.') && inode.kind !== 'file' && inode.kind !== 'directory') throw new PlyError('EPERM')
    if (value !== undefined) inode.xattrs.set(name, Uint8Array.from(value))
    else if (!inode.xattrs.delete(name)) throw new PlyError('ENODATA')
  }

  hold(ino: number): () => void {
    this.#inode(ino)
    return () => {}
  }

  sync(): void {}

  close(): void {}

  /** What is made in a directory gets its default ACL, and else loses what the umask says. */
  inherit(
    directory: number,
    kind: Kind,
    mode: number,
    umask: number,
  ): Pick<Creation, 'mode' | 'uid' | 'gid' | 'xattrs'> {
    const parent = this.#directory(directory)
    const handsOn = (parent.mode & 0o2000) !== 0
    const owner = { uid: 0, gid: handsOn ? parent.gid : 0 }
    if (kind === 'symlink') return { ...owner, mode: 0o777 }
    const bit = handsOn && kind === 'directory' ? 0o2000 : 0
    const handed = parent.xattrs.get(defaultName)
    if (!handed) return { ...owner, mode: (mode & ~umask) | bit }
    const lines = withMode(parseLines(handed)!, mode, true)
    const xattrs = new Map<ByteString, Uint8Array>()
    if (!isPlain(lines)) xattrs.set(accessName, aclValue(lines))
    if (kind === 'directory') xattrs.set(defaultName, handed)
    return { ...owner, mode: (mode & ~0o777) | modeOf(lines) | bit, xattrs }
  }

  #setAcl(inode: Inode, name: ByteString, value: Uint8Array | undefined): void {
    const lines = value && parseLines(value)
    if (inode.kind === 'symlink') throw new PlyError('EOPNOTSUPP')
    if (!lines) {
      inode.xattrs.delete(name)
      return
    }
    if (name === defaultName && inode.kind !== 'directory') throw new PlyError('EACCES')
    check(lines)
    if (name === accessName) inode.mode = (inode.mode & ~0o777) | modeOf(lines)
    if (name === accessName && isPlain(lines)) inode.xattrs.delete(name)
    else inode.xattrs.set(name, aclValue(lines))
  }

  #make(creation: Creation | MergedNode): Inode {
    const { kind, mode, uid, gid, mtime, xattrs, target = '', major = 0, minor = 0 } = creation
    const inode: Inode = {
      ino: this.#next++,
      kind,
      mode,
      uid,
      gid,
      mtime,
      atime: mtime,
      xattrs: new Map(xattrs),
      content: Buffer.alloc(0),
      target,
      major,
      minor,
      links: 0,
      children: kind === 'directory' ? new Map() : undefined,
      parent: undefined,
      linkable: false,
      unnamed: false,
    }
    this.#inodes.set(inode.ino, inode)
    return inode
  }

  #enter(parent: Directory, name: ByteString, inode: Inode): void {
    parent.children.set(name, inode)
    inode.parent = parent
    inode.links++
  }

  #walk(path: ByteString): Directory {
    let at = this.#directory(this.root)
    for (const name of path.split('/')) if (name !== '') at = this.#directory(at.children.get(name)!.ino)
    return at
  }

  #named(directory: number, name: ByteString): { readonly parent: Directory; readonly inode: Inode } {
    checkName(name)
    const parent = this.#directory(directory)
    const inode = parent.children.get(name)
    if (!inode) throw new PlyError('ENOENT')
    return { parent, inode }
  }

  #free(directory: number, name: ByteString): Directory {
    checkName(name)
    const parent = this.#directory(directory)
    if (parent.children.has(name)) throw new PlyError('EEXIST')
    return parent
  }

  #inode(ino: number): Inode {
    const inode = this.#inodes.get(ino)
    if (!inode) throw new PlyError('ENOENT')
    return inode
  }

  #directory(ino: number): Directory {
    const inode = this.#inode(ino)
    if (!inode.children) throw new PlyError('ENOTDIR')
    return inode as Directory
  }
}

function checkName(name: ByteString): void {
  if (name.length > 255) throw new PlyError('ENAMETOOLONG')
}

/** Whether something is, or is above, a directory. */
function holds(inode: Inode, directory: Inode): boolean {
  for (let at = directory; ; at = at.parent!) {
    if (at === inode) return true
    if (at.parent === at) return false
  }
}
