import type { Placed } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Kind, Stat } from '../model/entry.ts'
import type { MemoryContent } from './memory-content.ts'
import type { Creation, Standing } from './upper.ts'

/** One inode of a memory upper. */
export interface MemoryNode {
  readonly ino: number
  readonly kind: Kind
  mode: number
  uid: number
  gid: number
  atime: bigint
  mtime: bigint
  ctime: bigint
  readonly xattrs: Map<ByteString, Uint8Array>
  readonly target: ByteString
  readonly major: number
  readonly minor: number
  /** Absent for what has none, and for a copy of attributes alone. */
  content: MemoryContent | undefined
  /** Names that it has here; of a directory: 1. */
  names: number
  /** Directories: what stands at each name, or a whiteout. */
  readonly children: Map<ByteString, MemoryNode | undefined> | undefined
  subdirectories: number
  opaque: boolean
  redirect: ByteString | undefined
}

export type MemoryDirectory = MemoryNode & { readonly children: Map<ByteString, MemoryNode | undefined> }

/** An inode without a name or content. */
export function memoryNode(ino: number, creation: Creation, ctime: bigint): MemoryNode {
  const { kind, mode, uid, gid, mtime, xattrs, target = '', major = 0, minor = 0, opaque = false } = creation
  return {
    ino,
    kind,
    mode,
    uid,
    gid,
    atime: creation.atime ?? mtime,
    mtime,
    ctime,
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
}

export function isDirectory(node: MemoryNode): node is MemoryDirectory {
  return node.children !== undefined
}

/** Puts an inode, or a whiteout, at a name, and keeps the count of subdirectories. */
export function put(parent: MemoryDirectory, name: ByteString, node: MemoryNode | undefined): void {
  if (parent.children.get(name)?.children) parent.subdirectories--
  if (node?.children) parent.subdirectories++
  parent.children.set(name, node)
}

/** Says where a directory that moved stands now. */
export function stand(node: MemoryNode, { redirect, opaque = false }: Standing): void {
  if (!node.children) return
  node.redirect = redirect
  if (opaque) node.opaque = true
}

export function statOf(node: MemoryNode): Stat {
  const { ino, kind, mode, uid, gid, atime, mtime, ctime, content, target, major, minor, names, children } = node
  const size = kind === 'file' ? (content?.size ?? 0) : kind === 'symlink' ? target.length : 0
  const links = children ? 2 + node.subdirectories : names
  return { ino, kind, mode, uid, gid, mtime, size, links, major, minor, atime, ctime }
}

export function placed({ ino, kind, children, opaque, redirect }: MemoryNode): Placed {
  const entry = { says: 'entry', ino, kind, directory: children !== undefined, implied: false, opaque } as const
  return redirect === undefined ? entry : { ...entry, redirect }
}
