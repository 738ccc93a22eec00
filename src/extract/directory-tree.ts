import { type BigIntStats, lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import type { FileIdentity } from '../layer/content-sums.ts'
import { type ByteString, compareBytes, displayText, encodeText } from '../model/bytes.ts'
import { kindOf, noXattrs, type Stat, type Xattrs } from '../model/entry.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { ContentDigests } from '../stack/content-digests.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'
import { readXattrs } from '../sys/xattr.ts'
import { directoryDigests } from './directory-digests.ts'
import { type FileDigests, memoryFileDigests } from './file-digests.ts'
import { withoutForeign } from './foreign-xattrs.ts'
import { onDisk } from './paths.ts'
import { RecordedTree } from './recorded-tree.ts'
import { changedWhileRead, openSteady, type Seen } from './steady-file.ts'

export interface DirectoryTreeOptions {
  /** Directories on other file systems are shown empty. */
  readonly oneFileSystem?: boolean | undefined
  /** What is known of files that were read before; by default the tree remembers what it reads itself. */
  readonly digests?: FileDigests | undefined
  /**
   * Owner, mode and type that rootless tools have recorded in attributes count, and not those of what stands in for it (layer-semantics
   * U-06).
   */
  readonly recorded?: boolean | undefined
}

/** What was seen of an inode when its name was first listed. */
interface Node {
  /** The first name: where it is read from. */
  readonly path: ByteString
  readonly parent: number
  readonly seen: Seen
  readonly stat: { -readonly [Field in keyof Stat]: Stat[Field] }
  /** Directories: what is in it, once that was asked. */
  entries: readonly TreeEntry[] | undefined
}

/**
 * A directory of the disk as a tree. It is read as it is asked for, each directory once; names that share device and
 * inode number are hardlinks, and only names under this directory count. Labels of the host and markers of tools are
 * left out (layer-semantics ). Nothing is held open between calls.
 *
 * What is read is a snapshot only if nobody writes meanwhile: a content that changes while it is read is a PLY_CHANGED,
 * never half old and half new (E-12).
 *
 * @param path text, as the user typed it; a symlink here is followed, those inside never.
 * @throws ENOENT, ENOTDIR, EACCES as the disk gives them; PLY_CHANGED
 */
export function directoryTree(path: string, options: DirectoryTreeOptions = {}): Tree {
  const disk = realTree(path, options)
  return options.recorded ? new RecordedTree(disk) : disk
}

/** As `directoryTree`, but whatever is recorded in attributes means nothing. */
export function realTree(path: string, options: DirectoryTreeOptions = {}): DirectoryTree {
  const root = realpathSync(path)
  const seen = statSync(root, { bigint: true })
  if (!seen.isDirectory()) throw new PlyError('ENOTDIR', { syscall: 'scandir', path: root })
  return new DirectoryTree(encodeText(root), seen, options)
}

export class DirectoryTree implements Tree {
  readonly root = 1
  readonly digests: ContentDigests
  readonly #prefix: ByteString
  readonly #options: DirectoryTreeOptions
  readonly #memory: FileDigests
  /** Inode `n` is at `n - 1`. */
  readonly #nodes: Node[] = []
  /** Inodes with more than one name on the disk, by device and number. */
  readonly #linked = new Map<string, number>()
  /** Every directory has been listed, so link counts are known. */
  #complete = false

  constructor(prefix: ByteString, seen: BigIntStats, options: DirectoryTreeOptions) {
    this.#prefix = prefix === '/' ? '' : prefix
    this.#options = options
    this.#memory = options.digests ?? memoryFileDigests()
    this.digests = directoryDigests(this, this.#memory, (ino) => this.#identity(ino))
    this.#add('', 1, seen)
  }

  lookup(directory: number, name: ByteString): number | undefined {
    const entries = this.#entries(directory)
    let low = 0
    let high = entries.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const order = compareBytes(entries[middle]!.name, name)
      if (order === 0) return entries[middle]!.ino
      if (order < 0) low = middle + 1
      else high = middle - 1
    }
    return undefined
  }

  list(directory: number): Iterable<TreeEntry> {
    return this.#entries(directory)
  }

  parent(directory: number): number {
    this.#entries(directory)
    return this.#node(directory).parent
  }

  stat(ino: number): Stat {
    const { stat, seen } = this.#node(ino)
    if (stat.kind === 'directory') {
      if (stat.links === 0) stat.links = 2 + this.#entries(ino).filter(({ kind }) => kind === 'directory').length
    } else if (seen.names > 1 && !this.#complete) this.#listAll()
    return stat
  }

  readlink(ino: number): ByteString {
    const { path, stat } = this.#node(ino)
    if (stat.kind !== 'symlink') throw new PlyError('EINVAL', { syscall: 'readlink', path: displayText(path) })
    return readlinkSync(this.#onDisk(path), { encoding: 'latin1' })
  }

  xattrs(ino: number): Xattrs {
    return withoutForeign(this.rawXattrs(ino))
  }

  /** The path of an inode's first name, from the root. */
  pathOf(ino: number): ByteString {
    return this.#node(ino).path
  }

  /** What was seen of an inode when it was first listed. */
  seen(ino: number): Seen {
    return this.#node(ino).seen
  }

  /** All attributes, those of the host and of tools too. */
  rawXattrs(ino: number): Xattrs {
    const { path, stat } = this.#node(ino)
    if (stat.kind === 'socket') return noXattrs
    try {
      return readXattrs(this.#bytes(path))
    } catch (error) {
      const code = codeOf(error)
      if (code === 'ENOENT') throw changedWhileRead(`/${displayText(path)}`, error)
      // No attributes on this file system, or none of this kind of file.
      if (code === 'ENOTSUP' || code === 'EOPNOTSUPP') return noXattrs
      throw error
    }
  }

  open(ino: number): Bytes {
    const { path, stat, seen } = this.#node(ino)
    if (stat.kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open', path: displayText(path) })
    if (stat.kind !== 'file') throw new PlyError('EINVAL', { syscall: 'open', path: displayText(path) })
    return openSteady(this.#onDisk(path), seen, stat.size, `/${displayText(path)}`)
  }

  close(): void {
    this.#memory.flush()
  }

  /** What tells a file from what it becomes; `undefined` for one of size 0, and for what is no file. */
  #identity(ino: number): FileIdentity | undefined {
    const { stat, seen } = this.#node(ino)
    if (stat.kind !== 'file' || stat.size === 0) return undefined
    return { device: seen.device, number: seen.number, changed: seen.changed, size: stat.size }
  }

  #node(ino: number): Node {
    const node = this.#nodes[ino - 1]
    if (!node) throw new PlyError('EIO', { syscall: 'stat' })
    return node
  }

  #bytes(path: ByteString): ByteString {
    return path === '' ? this.#prefix || '/' : `${this.#prefix}/${path}`
  }

  #onDisk(path: ByteString): string | Buffer {
    return onDisk(this.#bytes(path))
  }

  #entries(directory: number): readonly TreeEntry[] {
    const node = this.#node(directory)
    if (node.stat.kind !== 'directory') {
      throw new PlyError('ENOTDIR', { syscall: 'scandir', path: displayText(node.path) })
    }
    return (node.entries ??= this.#read(node, directory))
  }

  #read(node: Node, directory: number): readonly TreeEntry[] {
    if (this.#options.oneFileSystem && node.seen.device !== this.#nodes[0]!.seen.device) return []
    const names = readdirSync(this.#onDisk(node.path), { encoding: 'latin1' }).sort(compareBytes)
    return names.map((name) => {
      const path = node.path === '' ? name : `${node.path}/${name}`
      const ino = this.#add(path, directory, this.#look(path))
      return { name, ino, kind: this.#nodes[ino - 1]!.stat.kind }
    })
  }

  #look(path: ByteString): BigIntStats {
    try {
      return lstatSync(this.#onDisk(path), { bigint: true })
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw changedWhileRead(`/${displayText(path)}`, error)
      throw error
    }
  }

  /** The number of what was seen at a path: a new one, or that of the group it belongs to. */
  #add(path: ByteString, parent: number, seen: BigIntStats): number {
    const kind = kindOf(Number(seen.mode))
    if (kind === undefined) throw new PlyError('EIO', { syscall: 'lstat', path: `/${displayText(path)}` })
    const grouped = kind !== 'directory' && seen.nlink > 1n
    const key = grouped ? `${seen.dev}:${seen.ino}` : ''
    const known = grouped ? this.#linked.get(key) : undefined
    if (known !== undefined) {
      this.#nodes[known - 1]!.stat.links++
      return known
    }
    const ino = this.#nodes.length + 1
    const special = kind === 'character' || kind === 'block'
    this.#nodes.push({
      path,
      parent,
      seen: {
        device: seen.dev,
        number: seen.ino,
        changed: seen.ctimeNs,
        born: seen.birthtimeNs,
        names: Number(seen.nlink),
      },
      stat: {
        ino,
        kind,
        mode: Number(seen.mode) & 0o7777,
        uid: Number(seen.uid),
        gid: Number(seen.gid),
        mtime: seen.mtimeNs,
        size: kind === 'file' || kind === 'symlink' ? Number(seen.size) : 0,
        // Of a directory they are counted when somebody asks.
        links: kind === 'directory' ? 0 : 1,
        major: special ? majorOf(seen.rdev) : 0,
        minor: special ? minorOf(seen.rdev) : 0,
      },
      entries: undefined,
    })
    if (grouped) this.#linked.set(key, ino)
    return ino
  }

  #listAll(): void {
    // Listing appends to the nodes, so one pass reaches everything.
    for (let ino = 1; ino <= this.#nodes.length; ino++) {
      if (this.#nodes[ino - 1]!.stat.kind === 'directory') this.#entries(ino)
    }
    this.#complete = true
  }
}

/** `dev_t` as Linux packs it: 12 bits of major and 20 of minor, in three pieces. */
function majorOf(device: bigint): number {
  return Number((device >> 8n) & 0xfffn)
}

function minorOf(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xfff00n))
}
