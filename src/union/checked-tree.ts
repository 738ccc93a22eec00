import { kindIn } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Granted, UserTree } from './permissions.ts'
import type { WritableUnion } from './union.ts'
import { type User, wants } from './user.ts'

/** Kinds that a read-only file system does not let anybody write; what devices and pipes are given goes elsewhere. */
const onDisk: ReadonlySet<Kind> = new Set<Kind>(['file', 'directory', 'symlink'])

export function isWritable(tree: Tree): tree is WritableUnion {
  return 'create' in tree
}

/** A tree that asks for each step whether its user may take it. */
export class CheckedTree<Seen extends Tree = Tree> implements UserTree {
  readonly user: User
  readonly root: number
  protected readonly tree: Seen

  constructor(tree: Seen, user: User) {
    this.tree = tree
    this.user = user
    this.root = tree.root
  }

  access(ino: number, wanted: number): void {
    const stat = this.tree.stat(ino)
    if ((wanted & wants.write) !== 0 && onDisk.has(stat.kind) && !isWritable(this.tree)) throw new PlyError('EROFS')
    this.require(stat, wanted)
  }

  search(directory: number): void {
    const stat = this.tree.stat(directory)
    // What is no directory is for the tree to say.
    if (stat.kind === 'directory') this.require(stat, wants.execute)
  }

  lookup(directory: number, name: ByteString): number | undefined {
    this.search(directory)
    return this.tree.lookup(directory, name)
  }

  list(directory: number): Iterable<TreeEntry> {
    const stat = this.tree.stat(directory)
    if (stat.kind === 'directory') this.require(stat, wants.read)
    return this.tree.list(directory)
  }

  parent(directory: number): number {
    this.search(directory)
    return this.tree.parent(directory)
  }

  stat(ino: number): Stat {
    return this.tree.stat(ino)
  }

  kind(ino: number): Kind {
    return kindIn(this.tree, ino)
  }

  readlink(ino: number): ByteString {
    return this.tree.readlink(ino)
  }

  xattrs(ino: number): Xattrs {
    const all = this.tree.xattrs(ino)
    if (all.size === 0) return all
    const readable = this.user.may(this.tree.stat(ino), wants.read, () => all)
    const trusted = this.user.can('CAP_SYS_ADMIN')
    if (readable && trusted) return all
    return new Map(
      [...all].filter(([name]) => (trusted || !name.startsWith('trusted.')) && (readable || !name.startsWith('user.'))),
    )
  }

  open(ino: number, { granted = false }: Granted = {}): Bytes {
    const stat = this.tree.stat(ino)
    if (!granted && stat.kind !== 'directory') this.require(stat, wants.read)
    return this.tree.open(ino)
  }

  close(): void {
    this.tree.close()
  }

  /** @throws EACCES */
  protected require(stat: Stat, wanted: number): void {
    if (!this.user.may(stat, wanted, () => this.tree.xattrs(stat.ino))) throw new PlyError('EACCES')
  }
}
