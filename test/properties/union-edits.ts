import type { Tree } from '../../src/stack/tree.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import type { Edit } from './edits.ts'
import { split } from './inode.ts'

/** Does to a union what `perform` does to the oracle. */
export function performOnUnion(tree: WritableUnion, edit: Edit): void {
  const [parent, name] = split(edit.path)
  const directory = inoAt(tree, parent)
  switch (edit.does) {
    case 'make': {
      const { kind, mode, uid, gid, mtime, xattrs, content, target, major, minor } = edit.inode
      const made = tree.create(directory, name, { kind, mode, uid, gid, mtime, xattrs, target, major, minor })
      if (content.length === 0) return
      const writer = tree.writer(made)
      writer.write(content, 0)
      writer.close()
      tree.setAttributes(made, { mtime })
      const capability = xattrs.get('security.capability')
      if (capability) tree.setXattr(made, 'security.capability', capability)
      return
    }
    case 'write': {
      const writer = tree.writer(inoAt(tree, edit.path))
      writer.write(edit.content, edit.position)
      writer.close()
      return
    }
    case 'truncate': {
      const writer = tree.writer(inoAt(tree, edit.path), { truncate: edit.size === 0 })
      if (edit.size > 0) writer.truncate(edit.size)
      writer.close()
      return
    }
    case 'mode':
      tree.setAttributes(inoAt(tree, edit.path), { mode: edit.mode })
      return
    case 'owner':
      tree.setAttributes(inoAt(tree, edit.path), { uid: edit.uid, gid: edit.gid })
      return
    case 'time':
      tree.setAttributes(inoAt(tree, edit.path), { mtime: edit.mtime })
      return
    case 'xattr':
      tree.setXattr(inoAt(tree, edit.path), edit.name, edit.value)
      return
    case 'link':
      tree.link(directory, name, inoAt(tree, edit.to))
      return
    case 'rename': {
      const [toParent, toName] = split(edit.to)
      tree.rename(directory, name, inoAt(tree, toParent), toName)
      return
    }
    case 'remove':
      removeAll(tree, directory, name)
      return
    default:
      edit satisfies never
  }
}

function inoAt(tree: Tree, path: string): number {
  let ino = tree.root
  if (path !== '') for (const name of path.split('/')) ino = tree.lookup(ino, name)!
  return ino
}

function removeAll(tree: WritableUnion, directory: number, name: string): void {
  const ino = tree.lookup(directory, name)!
  if (tree.stat(ino).kind !== 'directory') {
    tree.unlink(directory, name)
    return
  }
  for (const child of [...tree.list(ino)]) removeAll(tree, ino, child.name)
  tree.rmdir(directory, name)
}
