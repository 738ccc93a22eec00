import { kindIn } from '../layer/view.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'

const limit = 2 ** 32

/**
 * A tree whose inodes have numbers below 2^32, so that something can be stacked over it: those that are small enough stay, the others, as a
 * stack of layers or a container has them, get some from the top down when they are come by. It closes nothing.
 */
export function withSmallNumbers(tree: Tree): Tree {
  const outers = new Map<number, number>()
  const inners = new Map<number, number>()
  let lowest = limit
  const inner = (ino: number) => inners.get(ino) ?? ino
  const outer = (ino: number): number => {
    if (ino < lowest) return ino
    let number = outers.get(ino)
    if (number !== undefined) return number
    if (ino < limit)
      throw new PlyError('PLY_UNSUPPORTED', {
        what: `inode ${ino}`,
        reason: 'there are too many of them; flatten the image',
      })
    number = --lowest
    outers.set(ino, number)
    inners.set(number, ino)
    return number
  }
  return {
    root: outer(tree.root),
    lookup(directory, name) {
      const found = tree.lookup(inner(directory), name)
      return found === undefined ? undefined : outer(found)
    },
    *list(directory): Generator<TreeEntry> {
      for (const { name, ino, kind } of tree.list(inner(directory))) yield { name, ino: outer(ino), kind }
    },
    parent: (directory) => outer(tree.parent(inner(directory))),
    stat(ino) {
      const stat = tree.stat(inner(ino))
      return stat.ino === ino ? stat : { ...stat, ino }
    },
    kind: (ino) => kindIn(tree, inner(ino)),
    readlink: (ino) => tree.readlink(inner(ino)),
    xattrs: (ino) => tree.xattrs(inner(ino)),
    open: (ino) => tree.open(inner(ino)),
    place: tree.place && ((ino) => tree.place!(inner(ino))),
    close() {},
  }
}
