import { nothing, type Placed, type Verdict, whiteout } from '../layer/view.ts'
import { type ByteString, compareBytes } from '../model/bytes.ts'
import { defaultDirectory, type Kind, type Stat, type Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { type Bytes, dataRuns } from '../stream/bytes.ts'
import { MemoryContent } from './memory-content.ts'
import { type AttributeChange, type Creation, firstNewInode, type Upper, type WritableBytes } from './upper.ts'

type Directory = Node & { readonly children: Map<ByteString, Node | undefined> }

interface Node {
  readonly ino: number
  readonly kind: Kind
  mode: number
  uid: number
  gid: number
  mtime: bigint
  readonly xattrs: Map<ByteString, Uint8Array>
  readonly target: ByteString
  readonly major: number
  readonly minor: number
  /** Absent for what has none, and for a copy of attributes alone. */
  content: MemoryContent | undefined
  /** Names that it has here; of a directory: 1. */
  names: number
  /** Directories: what stands at each name, or a whiteout. */
  readonly children: Map<ByteString, Node | undefined> | undefined
  subdirectories: number
  opaque: boolean
  redirect: ByteString | undefined
}

/** An upper that lives in memory and ends with the process: the `Upper` contract and nothing else. */
export function memoryUpper(): Upper {
  return new MemoryUpper()
}

class MemoryUpper implements Upper {
  readonly metadataOnly = true
  readonly #nodes = new Map<number, Node>()
  readonly #root: Node
  #rootImplied = true
  #next = firstNewInode

  constructor() {
    this.#root = this.#add(this.#next++, { kind: 'directory', ...defaultDirectory })
  }

  get root(): Placed {
    return { ...placed(this.#root), implied: this.#rootImplied }
  }

  lookup(directory: number, name: ByteString): Verdict {
    const { children } = this.#directory(directory)
    const child = children.get(name)
    if (child !== undefined) return placed(child)
    return children.has(name) ? whiteout : nothing
  }

  *list(directory: number): Iterable<{ readonly name: ByteString; readonly verdict: Verdict }> {
    for (const name of [...this.#directory(directory).children.keys()].sort(compareBytes)) {
      const verdict = this.lookup(directory, name)
      if (verdict.says !== 'nothing') yield { name, verdict }
    }
  }

  stat(ino: number): Stat {
    const { kind, mode, uid, gid, mtime, content, target, major, minor, names, children, subdirectories } =
      this.#node(ino)
    const size = kind === 'file' ? (content?.size ?? 0) : kind === 'symlink' ? target.length : 0
    const links = children ? 2 + subdirectories : names
    return { ino, kind, mode, uid, gid, mtime, size, links, major, minor }
  }

  readlink(ino: number): ByteString {
    const { kind, target } = this.#node(ino)
    if (kind !== 'symlink') throw new PlyError('EINVAL', { syscall: 'readlink' })
    return target
  }

  xattrs(ino: number): Xattrs {
    return this.#node(ino).xattrs
  }

  has(ino: number): boolean {
    return this.#nodes.has(ino)
  }

  hasContent(ino: number): boolean {
    return this.#nodes.get(ino)?.content !== undefined
  }

  open(ino: number): Bytes {
    return this.writer(ino)
  }

  writer(ino: number): WritableBytes {
    const { kind, content } = this.#node(ino)
    if (kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
    if (content === undefined) throw new PlyError('EINVAL', { syscall: 'open' })
    return content.opened()
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    const parent = this.#free(directory, name)
    const node = this.#add(this.#next++, creation)
    if (node.kind === 'file') node.content = new MemoryContent()
    put(parent, name, node)
    node.names = 1
    return node.ino
  }

  copyUp(directory: number, name: ByteString, ino: number, creation: Creation, content?: Bytes): void {
    const parent = this.#free(directory, name)
    if (this.#nodes.has(ino)) throw new PlyError('EEXIST', { syscall: 'open' })
    const copied = content && copyOf(content)
    const node = this.#add(ino, creation)
    node.content = copied
    node.names = 1
    put(parent, name, node)
  }

  copyUpContent(ino: number, content: Bytes): void {
    this.#node(ino).content = copyOf(content)
  }

  link(directory: number, name: ByteString, ino: number): void {
    const node = this.#node(ino)
    if (node.children) throw new PlyError('EPERM', { syscall: 'link' })
    put(this.#free(directory, name), name, node)
    node.names++
  }

  rename(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    options: { readonly leave: 'nothing' | 'whiteout'; readonly redirect?: ByteString; readonly opaque?: boolean },
  ): void {
    const from = this.#directory(directory)
    const to = this.#directory(toDirectory)
    const node = from.children.get(name)
    if (!node) throw new PlyError('ENOENT', { syscall: 'rename' })
    this.#drop(to, toName)
    put(to, toName, node)
    put(from, name, undefined)
    if (options.leave === 'nothing') from.children.delete(name)
    if (!node.children) return
    node.redirect = options.redirect
    if (options.opaque) node.opaque = true
  }

  forget(directory: number, name: ByteString): void {
    this.whiteout(directory, name)
    this.#directory(directory).children.delete(name)
  }

  whiteout(directory: number, name: ByteString): void {
    const parent = this.#directory(directory)
    this.#drop(parent, name)
    put(parent, name, undefined)
  }

  setOpaque(directory: number): void {
    this.#directory(directory).opaque = true
  }

  setAttributes(ino: number, change: AttributeChange): void {
    const node = this.#node(ino)
    if (node === this.#root) this.#rootImplied = false
    if (change.mode !== undefined) node.mode = change.mode
    if (change.uid !== undefined) node.uid = change.uid
    if (change.gid !== undefined) node.gid = change.gid
    if (change.mtime !== undefined) node.mtime = change.mtime
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    const { xattrs } = this.#node(ino)
    if (value === undefined) xattrs.delete(name)
    else xattrs.set(name, Uint8Array.from(value))
  }

  sync(): void {}

  close(): void {}

  #add(ino: number, creation: Creation): Node {
    const { kind, mode, uid, gid, mtime, xattrs, target = '', major = 0, minor = 0, opaque = false } = creation
    const node: Node = {
      ino,
      kind,
      mode,
      uid,
      gid,
      mtime,
      xattrs: new Map(xattrs),
      target,
      major,
      minor,
      content: undefined,
      names: 0,
      children: kind === 'directory' ? new Map() : undefined,
      subdirectories: 0,
      opaque,
      redirect: undefined,
    }
    this.#nodes.set(ino, node)
    return node
  }

  /** Lets go of what stands at a name; the name itself is left to the caller. */
  #drop({ children }: Directory, name: ByteString): void {
    const node = children.get(name)
    if (!node) return
    for (const inside of node.children?.values() ?? []) {
      if (inside) throw new PlyError('ENOTEMPTY', { syscall: 'rmdir' })
    }
    if (--node.names === 0) this.#nodes.delete(node.ino)
  }

  #free(directory: number, name: ByteString): Directory {
    const parent = this.#directory(directory)
    if (parent.children.get(name)) throw new PlyError('EEXIST', { syscall: 'open' })
    return parent
  }

  #node(ino: number): Node {
    const node = this.#nodes.get(ino)
    if (!node) throw new PlyError('ENOENT', { syscall: 'stat' })
    return node
  }

  #directory(directory: number): Directory {
    const node = this.#node(directory)
    if (!isDirectory(node)) throw new PlyError('ENOTDIR', { syscall: 'lookup' })
    return node
  }
}

function isDirectory(node: Node): node is Directory {
  return node.children !== undefined
}

/** Puts an inode, or a whiteout, at a name, and keeps the count of subdirectories. */
function put(parent: Directory, name: ByteString, node: Node | undefined): void {
  if (parent.children.get(name)?.children) parent.subdirectories--
  if (node?.children) parent.subdirectories++
  parent.children.set(name, node)
}

function placed({ ino, children, opaque, redirect }: Node): Placed {
  const entry = { says: 'entry', ino, directory: children !== undefined, implied: false, opaque } as const
  return redirect === undefined ? entry : { ...entry, redirect }
}

function copyOf(content: Bytes): MemoryContent {
  const copy = new MemoryContent()
  const chunk = Buffer.allocUnsafe(Math.min(1 << 18, Math.max(1, content.size)))
  for (const { start, end } of dataRuns(content, chunk.length)) {
    for (let position = start; position < end; ) {
      const got = content.read(chunk.subarray(0, Math.min(chunk.length, end - position)), position)
      if (got === 0) break
      copy.write(chunk.subarray(0, got), position)
      position += got
    }
  }
  // A hole at the end takes no memory.
  if (content.nextData && copy.size < content.size) copy.truncate(content.size)
  return copy
}
