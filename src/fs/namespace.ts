import type { ByteString } from '../model/bytes.ts'
import type { Attributes, Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { systemClock } from '../union/clock.ts'
import { inherited, type Maker } from '../union/inheritance.ts'
import type { UserTree } from '../union/permissions.ts'
import { type Resolved, type ResolvedName, resolveName, resolvePath } from '../union/resolve.ts'
import type { WritableUnion } from '../union/union.ts'
import type { Creation } from '../union/upper.ts'
import { Changes, changesOf } from './changes.ts'
import { asRefusal } from './refusal.ts'
import { type PathLike, pathText } from './texts.ts'

export interface FsOptions {
  /** Owner and group of what is made. Default: 0 and 0. Of `asUser` trees it is the user's, whatever is given here. */
  readonly uid?: number
  readonly gid?: number
  /** Mode bits that what is made does not get. Default: 022. Of `asUser` trees it is the user's. */
  readonly umask?: number
  /**
   * Where the times of what is made come from, in nanoseconds. Default: the disk of the upper, where that gives times by itself;
   * otherwise the machine's clock.
   */
  readonly now?: () => bigint
}

/** What stands at a path, and where. */
export interface Found extends Resolved {
  readonly ino: number
}

/**
 * Paths (byte strings) over a tree or a writable union, and who makes what is made there. Permissions are checked by trees that were
 * made `asUser`; over any other it is as for root.
 */
export class Namespace {
  readonly tree: Tree
  /** Who is told of what this face changes. */
  readonly changes: Changes
  readonly #maker: Maker
  readonly #now: () => bigint
  #takesTimesOfDisk = false

  constructor(tree: Tree | WritableUnion, { uid = 0, gid = 0, umask = 0o022, now }: FsOptions) {
    this.tree = tree
    this.changes = isWritable(tree) ? changesOf(tree.upper) : new Changes()
    this.#maker = { uid, gid, umask }
    this.#now = now ?? systemClock()
    if (now === undefined && isWritable(tree) && tree.takeTimesOfDisk) {
      tree.takeTimesOfDisk()
      this.#takesTimesOfDisk = true
    }
  }

  /** The tree as one that can be written. @throws EROFS */
  get writable(): WritableUnion {
    if (!isWritable(this.tree)) throw new PlyError('EROFS')
    return this.tree
  }

  get isReadOnly(): boolean {
    return !isWritable(this.tree)
  }

  /** The tree as somebody's, if it is. */
  get user(): UserTree | undefined {
    return isUsers(this.tree) ? this.tree : undefined
  }

  now(): bigint {
    return this.#now()
  }

  /** Makes errors of a call name it and its path, as Node's do. */
  call<T>(syscall: string, path: PathLike | undefined, act: () => T, dest?: PathLike): T {
    try {
      return act()
    } catch (error) {
      throw asRefusal(error, syscall, textOf(path), textOf(dest))
    }
  }

  resolve(path: ByteString, follow: boolean, toCreate = false): Resolved {
    return resolvePath(this.tree, path, { follow, toCreate })
  }

  resolveName(path: ByteString): ResolvedName {
    return resolveName(this.tree, path)
  }

  /** @throws ENOENT */
  at(path: ByteString, follow: boolean): Found {
    const found = this.resolve(path, follow)
    if (!isFound(found)) throw new PlyError('ENOENT')
    return found
  }

  /** The inode at a path. @throws ENOENT */
  find(path: ByteString, follow: boolean): number {
    return this.at(path, follow).ino
  }

  stat(path: ByteString, follow: boolean): Stat {
    return this.tree.stat(this.find(path, follow))
  }

  /** The name at which something is to be made. @throws EEXIST, ENOENT for a slash after what is no directory, EROFS */
  free(path: ByteString, kind: 'directory' | 'other'): { readonly directory: number; readonly name: ByteString } {
    const { directory, name, ino, trailingSlash } = this.resolveName(path)
    if (ino !== undefined) throw new PlyError('EEXIST')
    if (trailingSlash && kind !== 'directory') throw new PlyError('ENOENT')
    return { directory, name }
  }

  /** Makes something at a free name, with what its directory hands on. Answers with its number. */
  make(
    spot: { readonly directory: number; readonly name: ByteString },
    { kind, mode, target }: Pick<Creation, 'kind' | 'target'> & { readonly mode: number },
  ): number {
    const { directory, name } = spot
    const attributes = this.attributesIn(directory, kind, mode)
    const { uid, gid, mtime, now, xattrs } = attributes
    // The usual one is said property by property: of what is spread V8 makes an object whose every property takes a search.
    const creation: Creation =
      target === undefined && xattrs === undefined
        ? { kind, mode: attributes.mode, uid, gid, mtime, now }
        : { ...attributes, kind, ...(target !== undefined && { target }) }
    const ino = this.writable.create(directory, name, creation)
    this.changes.made(spot)
    return ino
  }

  /** Attributes of something new in a directory: those that were asked for, and what the directory hands on. */
  attributesIn(
    directory: number,
    kind: Kind,
    mode: number,
  ): Attributes & { readonly xattrs?: Xattrs; readonly now: boolean } {
    const mtime = this.#now()
    const now = this.#takesTimesOfDisk
    // Who makes something as a user gets there what is due.
    if (this.user) return { mode, uid: 0, gid: 0, mtime, now }
    const parent = this.writable.heritage?.(directory) ?? {
      stat: this.tree.stat(directory),
      xattrs: this.tree.xattrs(directory),
    }
    const { mode: narrowed, uid, gid, xattrs } = inherited(parent, kind, mode, this.#maker)
    const attributes = { mode: narrowed, uid, gid, mtime, now }
    return xattrs === undefined ? attributes : { ...attributes, xattrs }
  }

  /** Removes a name that is no directory's. */
  unlink(spot: { readonly directory: number; readonly name: ByteString }, ino: number): void {
    const watched = !this.changes.quiet
    const gone = watched && this.tree.stat(ino).links <= 1
    this.writable.unlink(spot.directory, spot.name)
    if (watched) this.changes.removed(spot, ino, gone)
  }

  rmdir(spot: { readonly directory: number; readonly name: ByteString }, ino: number): void {
    this.writable.rmdir(spot.directory, spot.name)
    this.changes.removed(spot, ino, true)
  }
}

function isWritable(tree: Tree): tree is WritableUnion {
  return 'create' in tree
}

function isUsers(tree: Tree): tree is UserTree {
  return 'user' in tree
}

function isFound(resolved: Resolved): resolved is Found {
  return resolved.ino !== undefined
}

function textOf(path: PathLike | undefined): (() => string) | undefined {
  return path === undefined ? undefined : () => pathText(path)
}
