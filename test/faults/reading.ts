import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Tree } from '../../src/stack/tree.ts'
import { getXattr } from '../../src/sys/xattr.ts'
import { type Directory, directory, type Node } from './model.ts'

export const noteName = 'user.note'

/** What is in a directory of a mount, as a model. */
export function modelAt(path: string, seen = new Map<number, Node>()): Directory {
  const model = directory(lstatSync(path).mode & 0o7777)
  for (const name of readdirSync(path)) model.names.set(name, nodeAt(join(path, name), seen))
  return model
}

function nodeAt(path: string, seen: Map<number, Node>): Node {
  const stat = lstatSync(path)
  if (stat.isDirectory()) return modelAt(path, seen)
  const known = seen.get(stat.ino)
  if (known) return known
  const node: Node = stat.isSymbolicLink()
    ? { kind: 'symlink', target: readlinkSync(path) }
    : {
        kind: 'file',
        mode: stat.mode & 0o7777,
        content: readFileSync(path),
        note: getXattr(path, noteName)?.toString(),
      }
  seen.set(stat.ino, node)
  return node
}

/** What is in a directory of a tree, as a model. */
export function modelOf(tree: Tree, ino: number, seen = new Map<number, Node>()): Directory {
  const model = directory(tree.stat(ino).mode)
  for (const { name, ino: child, kind } of tree.list(ino)) {
    if (kind === 'directory') {
      model.names.set(name, modelOf(tree, child, seen))
      continue
    }
    let node = seen.get(child)
    if (!node) {
      node = kind === 'symlink' ? { kind, target: tree.readlink(child) } : fileOf(tree, child)
      seen.set(child, node)
    }
    model.names.set(name, node)
  }
  return model
}

function fileOf(tree: Tree, ino: number): Node {
  const { size, mode } = tree.stat(ino)
  const content = Buffer.alloc(size)
  const bytes = tree.open(ino)
  try {
    for (let at = 0; at < size; ) {
      const count = bytes.read(content.subarray(at), at)
      if (count === 0) throw new Error(`inode ${ino} ends at ${at} of ${size}`)
      at += count
    }
  } finally {
    bytes.close()
  }
  const note = tree.xattrs(ino).get(noteName)
  return { kind: 'file', mode, content, note: note && Buffer.from(note).toString() }
}
