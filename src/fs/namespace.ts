import type { ByteString } from '../model/bytes.ts'
import type { Attributes, Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { systemClock } from '../union/clock.ts'
import { type Resolved, type ResolvedName, resolveName, resolvePath } from '../union/resolve.ts'
import type { WritableUnion } from '../union/union.ts'
import { asRefusal } from './refusal.ts'
import { type PathLike, pathBytes, pathText } from './texts.ts'

export interface FsOptions {
  /** Owner and group of what is made. Default: 0 and 0. */
  readonly uid?: number
  readonly gid?: number
  /** Mode bits that what is made does not get. Default: 022. */
  readonly umask?: number
  /** Where the times of what is made come from, in nanoseconds. Default: the machine's clock. */
  readonly now?: () => bigint
}

/** Paths over a tree or a writable union, and who makes what is made there. There are no permission checks: as for root. */
export class Namespace {
  readonly tree: Tree
  readonly #owner: { readonly uid: number; readonly gid: number }
  readonly #umask: number
  readonly #now: () => bigint

  constructor(tree: Tree | WritableUnion, { uid = 0, gid = 0, umask = 0o022, now = systemClock() }: FsOptions) {
    this.tree = tree
    this.#owner = { uid, gid }
    this.#umask = umask
    this.#now = now
  }

  /** The tree as one that can be written. @throws EROFS */
  get writable(): WritableUnion {
    if (!isWritable(this.tree)) throw new PlyError('EROFS')
    return this.tree
  }

  get isReadOnly(): boolean {
    return !isWritable(this.tree)
  }

  now(): bigint {
    return this.#now()
  }

  /** Makes errors of a call name it and its path, as Node's do. */
  call<T>(syscall: string, path: PathLike | undefined, act: () => T, dest?: PathLike): T {
    try {
      return act()
    } catch (error) {
      throw asRefusal(error, syscall, path && pathText(path), dest && pathText(dest))
    }
  }

  resolve(path: PathLike, follow: boolean): Resolved {
    return resolvePath(this.tree, pathBytes(path), { follow })
  }

  resolveName(path: PathLike): ResolvedName {
    return resolveName(this.tree, pathBytes(path))
  }

  /** The inode at a path. @throws ENOENT */
  find(path: PathLike, follow: boolean): number {
    const { ino } = this.resolve(path, follow)
    if (ino === undefined) throw new PlyError('ENOENT')
    return ino
  }

  stat(path: PathLike, follow: boolean): Stat {
    return this.tree.stat(this.find(path, follow))
  }

  /** The name at which something is to be made. @throws EEXIST, ENOENT for a slash after what is no directory, EROFS */
  free(path: PathLike, kind: 'directory' | 'other'): { readonly directory: number; readonly name: ByteString } {
    const { directory, name, ino, trailingSlash } = this.resolveName(path)
    if (ino !== undefined) throw new PlyError('EEXIST')
    if (trailingSlash && kind !== 'directory') throw new PlyError('ENOENT')
    return { directory, name }
  }

  /** Attributes of something new in a directory: a set-group-id directory hands its group, and directories the bit, on. */
  attributesIn(directory: number, kind: 'directory' | 'file' | 'symlink', mode: number): Attributes {
    const parent = this.tree.stat(directory)
    const inherits = (parent.mode & 0o2000) !== 0
    return {
      mode: kind === 'symlink' ? 0o777 : (mode & ~this.#umask) | (inherits && kind === 'directory' ? 0o2000 : 0),
      uid: this.#owner.uid,
      gid: inherits ? parent.gid : this.#owner.gid,
      mtime: this.#now(),
    }
  }
}

function isWritable(tree: Tree): tree is WritableUnion {
  return 'create' in tree
}
