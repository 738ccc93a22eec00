import type { ByteString } from '../model/bytes.ts'
import type { Stat, Xattrs } from '../model/entry.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import { join } from './paths.ts'
import type { Written } from './written.ts'

/** Attributes that lend rights: the kernel takes them from a file that is written to, so they go with its content. */
const lending = 'security.capability'
const setId = 0o6000

/**
 * A directory that `extractTree` has written, read as what it stands for (layer-semantics O-05): wherever the disk still
 * says what was written, it means what the tree said. What somebody has changed since is as they changed it: an owner,
 * a mode, an attribute each for itself; a placeholder and what lends rights only while nobody wrote to the file.
 *
 * @param disk the directory as it is (`directoryTree`), closed with this one
 * @param original the tree that was written; stays open, closed by the caller after this one
 * @param written what `extractTree` told `onWritten`
 */
export function restoredTree(disk: Tree, original: Tree, written: Iterable<Written>): Tree {
  const byPath = new Map<ByteString, Written>()
  for (const one of written) byPath.set(one.path, one)
  const find = (path: ByteString | undefined): Stood | undefined => {
    const found = path === undefined ? undefined : byPath.get(path)
    const ino = found && inTree(original, found.path)
    return found && ino !== undefined ? { written: found, ino } : undefined
  }
  return new RestoredTree(disk, original, (_, path) => find(path))
}

/**
 * As `restoredTree`, where it is known what each inode of the directory was made from, whatever it is called now.
 *
 * @param stood by the directory's number: what was written, and the inode of the original
 */
export function restoredByInode(disk: Tree, original: Tree, stood: (ino: number) => Stood | undefined): Tree {
  return new RestoredTree(disk, original, stood)
}

/** What stands for an inode of the original. */
export interface Stood {
  readonly written: Omit<Written, 'path'>
  /** The inode in the original. */
  readonly ino: number
}

class RestoredTree implements Tree {
  readonly root: number
  readonly digests: Tree['digests']
  readonly #disk: Tree
  readonly #original: Tree
  readonly #find: (ino: number, path: ByteString | undefined) => Stood | undefined
  readonly #paths = new Map<number, ByteString>()
  readonly #stood = new Map<number, Stood | undefined>()

  constructor(disk: Tree, original: Tree, find: (ino: number, path: ByteString | undefined) => Stood | undefined) {
    this.root = disk.root
    // Inodes are the disk's, and so are contents; a device that only has a placeholder is never asked.
    this.digests = disk.digests
    this.#disk = disk
    this.#original = original
    this.#find = find
    this.#paths.set(disk.root, '')
  }

  lookup(directory: number, name: ByteString): number | undefined {
    const ino = this.#disk.lookup(directory, name)
    if (ino !== undefined) this.#found(directory, name, ino)
    return ino
  }

  *list(directory: number): Iterable<TreeEntry> {
    for (const { name, ino } of this.#disk.list(directory)) {
      this.#found(directory, name, ino)
      yield { name, ino, kind: this.stat(ino).kind }
    }
  }

  parent(directory: number): number {
    return this.#disk.parent(directory)
  }

  stat(ino: number): Stat {
    const now = this.#disk.stat(ino)
    const stood = this.#stoodAt(ino)
    if (stood === undefined) return now
    const { written } = stood
    const then = this.#original.stat(stood.ino)
    const untouched = isUntouched(now, then, written)
    if (written.placeholder) return untouched ? { ...then, ino, links: now.links } : now
    const [uid, gid] = written.owner ?? []
    return {
      ...now,
      uid: now.uid === uid ? then.uid : now.uid,
      gid: now.gid === gid ? then.gid : now.gid,
      mode: now.mode === written.mode ? (untouched ? then.mode : then.mode & ~setId) : now.mode,
      mtime: now.mtime === written.mtime ? then.mtime : now.mtime,
    }
  }

  readlink(ino: number): ByteString {
    return this.#disk.readlink(ino)
  }

  xattrs(ino: number): Xattrs {
    const now = this.#disk.xattrs(ino)
    const stood = this.#stoodAt(ino)
    if (stood?.written.xattrs === undefined) return now
    const untouched = isUntouched(this.#disk.stat(ino), this.#original.stat(stood.ino), stood.written)
    if (stood.written.placeholder && !untouched) return now
    const all = new Map(now)
    const then = this.#original.xattrs(stood.ino)
    for (const name of stood.written.xattrs) {
      const value = then.get(name)
      if (value !== undefined && !all.has(name) && (untouched || name !== lending)) all.set(name, value)
    }
    return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  open(ino: number) {
    return this.#disk.open(ino)
  }

  close(): void {
    this.#disk.close()
  }

  #found(directory: number, name: ByteString, ino: number): void {
    if (this.#paths.has(ino)) return
    this.#paths.set(ino, join(this.#paths.get(directory)!, name))
  }

  #stoodAt(ino: number): Stood | undefined {
    if (this.#stood.has(ino)) return this.#stood.get(ino)
    const found = this.#find(ino, this.#paths.get(ino))
    const stood = found && this.#stands(ino, found) ? found : undefined
    this.#stood.set(ino, stood)
    return stood
  }

  /** Something of another kind may have taken the place of what was written: the record says nothing about it. */
  #stands(ino: number, { written, ino: original }: Stood): boolean {
    const { kind } = this.#disk.stat(ino)
    return kind === (written.placeholder ? 'file' : this.#original.stat(original).kind)
  }
}

function inTree(tree: Tree, path: ByteString): number | undefined {
  let ino: number | undefined = tree.root
  for (const name of path === '' ? [] : path.split('/')) {
    if (ino === undefined || tree.stat(ino).kind !== 'directory') return undefined
    ino = tree.lookup(ino, name)
  }
  return ino
}

/** Whether the content is what was written, as far as size and time tell. */
function isUntouched(now: Stat, then: Stat, written: Omit<Written, 'path'>): boolean {
  if (now.kind === 'directory') return true
  if (written.placeholder && now.mode !== (written.mode ?? 0)) return false
  return now.mtime === (written.mtime ?? then.mtime) && now.size === (written.placeholder ? 0 : then.size)
}
