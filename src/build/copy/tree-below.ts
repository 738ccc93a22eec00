import type { ByteString } from '../../model/bytes.ts'
import { defaultDirectory, noXattrs } from '../../model/entry.ts'
import { PlyError } from '../../model/errors.ts'
import type { Tree } from '../../stack/tree.ts'

const onlyName = 'file'
const above = -1

/** What is under one directory of a tree, as a tree; of anything else a tree that holds it alone, as `treeBelow.onlyName`. Closing it closes nothing. */
export function treeBelow(tree: Tree, ino: number): Tree {
  const { kind } = tree.stat(ino)
  const lent: Tree = {
    root: ino,
    digests: tree.digests,
    place: tree.place && ((of) => tree.place!(of)),
    lookup: (directory, name) => tree.lookup(directory, name),
    list: (directory) => tree.list(directory),
    parent: (directory) => (directory === ino ? ino : tree.parent(directory)),
    stat: (of) => tree.stat(of),
    readlink: (of) => tree.readlink(of),
    xattrs: (of) => tree.xattrs(of),
    open: (of) => tree.open(of),
    close() {},
  }
  if (kind === 'directory') return lent
  const isRoot = (directory: number) => {
    if (directory !== above) throw new PlyError('ENOTDIR', { syscall: 'scandir' })
  }
  return {
    ...lent,
    root: above,
    lookup(directory: number, name: ByteString) {
      isRoot(directory)
      return name === onlyName ? ino : undefined
    },
    list(directory) {
      isRoot(directory)
      return [{ name: onlyName, ino, kind }]
    },
    parent(directory) {
      isRoot(directory)
      return above
    },
    stat: (of) =>
      of === above
        ? { ...defaultDirectory, ino: above, kind: 'directory', size: 0, links: 2, major: 0, minor: 0 }
        : { ...tree.stat(of), links: 1 },
    xattrs: (of) => (of === above ? noXattrs : tree.xattrs(of)),
  }
}
treeBelow.onlyName = onlyName
