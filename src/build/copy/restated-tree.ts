import type { Stat } from '../../model/entry.ts'
import type { Tree } from '../../stack/tree.ts'

/** A tree whose inodes have other attributes. Closing it closes that one. */
export function restatedTree(tree: Tree, change: (stat: Stat) => Stat): Tree {
  return {
    root: tree.root,
    digests: tree.digests,
    place: tree.place && ((ino) => tree.place!(ino)),
    lookup: (directory, name) => tree.lookup(directory, name),
    list: (directory) => tree.list(directory),
    parent: (directory) => tree.parent(directory),
    stat: (ino) => change(tree.stat(ino)),
    readlink: (ino) => tree.readlink(ino),
    xattrs: (ino) => tree.xattrs(ino),
    open: (ino) => tree.open(ino),
    close: () => tree.close(),
  }
}

/** Files of this machine as a build sees them: root's, and of one time, since a checkout gives them any. @param time nanoseconds since the epoch */
export function stillTree(tree: Tree, time: bigint): Tree {
  return restatedTree(tree, ({ atime: _, ctime: __, ...stat }) => ({ ...stat, uid: 0, gid: 0, mtime: time }))
}
