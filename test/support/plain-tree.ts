import { createHash } from 'node:crypto'
import { type ByteString, byteString, compareBytes } from '../../src/model/bytes.ts'
import {
  type Attributes,
  defaultDirectory,
  type Kind,
  noXattrs,
  type Stat,
  type Xattrs,
} from '../../src/model/entry.ts'
import { PlyError } from '../../src/model/errors.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'

/** One inode of a `plainTree`. What is left out: mode 0644 (directories 0755, symlinks 0777), owner 0:0, time 0. */
export interface PlainNode extends Partial<Attributes> {
  /** Default: `file`, or `directory` where the key ends in a slash. */
  readonly kind?: Kind
  /** Text becomes UTF-8. */
  readonly content?: string | Uint8Array
  /** Target of a symlink, a byte string. */
  readonly target?: ByteString
  readonly major?: number
  readonly minor?: number
  /** Values as byte strings or bytes. */
  readonly xattrs?: Readonly<Record<ByteString, ByteString | Uint8Array>>
}

/**
 * A file system as a plain object: path (byte string, no leading slash) to content or description. `''` or `'/'`
 * describes the root; a key that ends in `/` is a directory; parents that are not named get default attributes.
 */
export type PlainSpec = Readonly<
  Record<ByteString, string | Uint8Array | PlainNode | { readonly hardlink: ByteString }>
>

interface Node {
  readonly ino: number
  readonly kind: Kind
  attributes: Attributes
  xattrs: Xattrs
  content: Uint8Array
  target: ByteString
  major: number
  minor: number
  links: number
  parent: number
  children: Map<ByteString, number> | undefined
}

const empty = new Uint8Array()

/** A `Tree` in memory, made from a plain object. The root is inode 1 and numbers follow the order of the keys. */
export function plainTree(spec: PlainSpec = {}): Tree {
  const nodes = new Map<number, Node>()
  let next = 1

  function make(kind: Kind, parent: number): Node {
    const node: Node = {
      ino: next++,
      kind,
      attributes:
        kind === 'directory'
          ? defaultDirectory
          : { mode: kind === 'symlink' ? 0o777 : 0o644, uid: 0, gid: 0, mtime: 0n },
      xattrs: noXattrs,
      content: empty,
      target: '',
      major: 0,
      minor: 0,
      links: 0,
      parent,
      children: kind === 'directory' ? new Map() : undefined,
    }
    nodes.set(node.ino, node)
    return node
  }

  const root = make('directory', 1)

  function childrenOf(node: Node): Map<ByteString, number> {
    if (!node.children) throw new Error(`plainTree: something stands under inode ${node.ino}, which is no directory`)
    return node.children
  }

  /** The directory that holds a path, made if missing, and the last component (`''` for the root). */
  function place(path: ByteString): { directory: Node; name: ByteString } {
    const parts = path.split('/').filter((part) => part !== '')
    const name = parts.pop() ?? ''
    let directory = root
    for (const part of parts) {
      const known = childrenOf(directory).get(part)
      if (known === undefined) {
        const made = make('directory', directory.ino)
        childrenOf(directory).set(part, made.ino)
        directory = made
      } else directory = nodes.get(known)!
    }
    return { directory, name }
  }

  const links: [ByteString, ByteString][] = []
  for (const [path, given] of Object.entries(spec)) {
    if (typeof given === 'object' && 'hardlink' in given) {
      links.push([path, given.hardlink])
      continue
    }
    const described: PlainNode = typeof given === 'string' || given instanceof Uint8Array ? { content: given } : given
    const { directory, name } = place(path)
    const kind =
      described.kind ??
      (name === '' || path.endsWith('/') ? 'directory' : described.target !== undefined ? 'symlink' : 'file')
    const known = name === '' ? root.ino : childrenOf(directory).get(name)
    const node = known === undefined ? make(kind, directory.ino) : nodes.get(known)!
    if (node.kind !== kind) throw new Error(`plainTree: ${path} is described as ${kind} but is ${node.kind}`)
    if (known === undefined) childrenOf(directory).set(name, node.ino)
    const { attributes } = node
    node.attributes = {
      mode: described.mode ?? attributes.mode,
      uid: described.uid ?? attributes.uid,
      gid: described.gid ?? attributes.gid,
      mtime: described.mtime ?? attributes.mtime,
    }
    if (described.xattrs) {
      node.xattrs = new Map(
        Object.entries(described.xattrs).map(([key, value]) => [
          key,
          typeof value === 'string' ? Buffer.from(value, 'latin1') : value,
        ]),
      )
    }
    node.content = typeof described.content === 'string' ? Buffer.from(described.content) : (described.content ?? empty)
    node.target = described.target ?? ''
    node.major = described.major ?? 0
    node.minor = described.minor ?? 0
  }
  for (const [path, target] of links) {
    const from = place(target)
    const ino = childrenOf(from.directory).get(from.name)
    if (ino === undefined) throw new Error(`plainTree: ${path} links to ${target}, which is not there`)
    const to = place(path)
    childrenOf(to.directory).set(to.name, ino)
  }
  for (const node of nodes.values()) {
    if (!node.children) continue
    node.children = new Map([...node.children].sort(([a], [b]) => compareBytes(a, b)))
    node.links += 2
    for (const ino of node.children.values()) {
      const child = nodes.get(ino)!
      if (child.children) node.links++
      else child.links++
    }
  }

  const nodeOf = (ino: number): Node => {
    const node = nodes.get(ino)
    if (!node) throw new PlyError('EIO', { syscall: 'stat' })
    return node
  }
  const directoryOf = (ino: number): Map<ByteString, number> => {
    const { children } = nodeOf(ino)
    if (!children) throw new PlyError('ENOTDIR', { syscall: 'lookup' })
    return children
  }

  return {
    root: root.ino,
    lookup: (directory, name) => directoryOf(directory).get(name),
    *list(directory) {
      for (const [name, ino] of directoryOf(directory)) yield { name, ino, kind: nodeOf(ino).kind }
    },
    parent(directory) {
      directoryOf(directory)
      return nodeOf(directory).parent
    },
    stat(ino): Stat {
      const { kind, attributes, content, target, links: count, major, minor } = nodeOf(ino)
      const size = kind === 'file' ? content.length : kind === 'symlink' ? target.length : 0
      return { ino, kind, ...attributes, size, links: count, major, minor }
    },
    readlink(ino) {
      const { kind, target } = nodeOf(ino)
      if (kind !== 'symlink') throw new PlyError('EINVAL', { syscall: 'readlink' })
      return target
    },
    xattrs: (ino) => nodeOf(ino).xattrs,
    open(ino): Bytes {
      const { kind, content } = nodeOf(ino)
      if (kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
      if (kind !== 'file') throw new PlyError('EINVAL', { syscall: 'open' })
      return memoryBytes(content)
    },
    close() {},
  }
}

/**
 * One path of a dumped tree: everything that can be asked of it, except its number and the times of access and change, which no
 * two trees share.
 */
export interface DumpedEntry extends Omit<Stat, 'ino' | 'atime' | 'ctime'> {
  /** Byte string without a leading slash; the root is `''`. */
  readonly path: ByteString
  /** By name, in order; values in hexadecimal. */
  readonly xattrs: Readonly<Record<ByteString, string>>
  readonly target?: ByteString
  /** SHA-256 of the content, hexadecimal. */
  readonly content?: string
  /** First path, in dump order, of the same inode; present where an inode has several. */
  readonly linkedTo?: ByteString
}

/** Everything in a tree, flat, parents before children, siblings in byte order: for comparing two trees of any make. */
export function treeEntries(tree: Tree): DumpedEntry[] {
  const seen = new Map<number, number>()
  const entries: DumpedEntry[] = []
  const visit = (path: ByteString, ino: number): void => {
    const { ino: _, atime: __, ctime: ___, ...stat } = tree.stat(ino)
    const first = stat.kind === 'directory' ? undefined : seen.get(ino)
    if (first === undefined) seen.set(ino, entries.length)
    else entries[first] = { ...entries[first]!, linkedTo: entries[first]!.path }
    entries.push({
      path,
      ...stat,
      xattrs: Object.fromEntries(
        [...tree.xattrs(ino)]
          .sort(([a], [b]) => compareBytes(a, b))
          .map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
      ),
      ...(stat.kind === 'symlink' && { target: tree.readlink(ino) }),
      ...(stat.kind === 'file' && { content: contentHash(tree, ino) }),
      ...(first !== undefined && { linkedTo: entries[first]!.path }),
    })
    if (stat.kind !== 'directory') return
    for (const child of [...tree.list(ino)].sort((a, b) => compareBytes(a.name, b.name))) {
      visit(path === '' ? child.name : `${path}/${child.name}`, child.ino)
    }
  }
  visit('', tree.root)
  return entries
}

/** The content of a file by path (byte string), as a byte string; `undefined` if nothing is there. Follows no symlinks. */
export function contentAt(tree: Tree, path: ByteString): ByteString | undefined {
  let ino: number | undefined = tree.root
  for (const part of path.split('/').filter((text) => text !== '')) {
    ino = tree.lookup(ino, part)
    if (ino === undefined) return undefined
  }
  const content = tree.open(ino)
  try {
    const whole = Buffer.alloc(content.size)
    content.read(whole, 0)
    return byteString(whole)
  } finally {
    content.close()
  }
}

function contentHash(tree: Tree, ino: number): string {
  const content = tree.open(ino)
  try {
    const hash = createHash('sha256')
    const chunk = Buffer.allocUnsafe(1 << 16)
    for (let position = 0; ; ) {
      const got = content.read(chunk, position)
      if (got === 0) return hash.digest('hex')
      hash.update(chunk.subarray(0, got))
      position += got
    }
  } finally {
    content.close()
  }
}
