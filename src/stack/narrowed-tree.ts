import { kindIn } from '../layer/view.ts'
import type { Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { numberOf, ownNumber, sideOf } from './inode-numbers.ts'
import type { Tree, TreeEntry } from './tree.ts'

/**
 * A stack of many views with all its numbers below a limit: each side has fewer of them then. Numbers stay the same as long as
 * the stack has the same views.
 *
 * @throws PLY_UNSUPPORTED from whatever meets an inode whose own number is too large for that
 */
export function narrowedTree(tree: Tree, sides: number, limit: number): Tree {
  const width = 2 ** Math.floor(Math.log2(limit / sides))
  const outer = (ino: number): number => {
    const own = ownNumber(ino)
    if (own < width) return sideOf(ino) * width + own
    throw new PlyError('PLY_UNSUPPORTED', {
      what: `inode ${own} of a layer`,
      reason: `in a stack of ${sides} layers numbers are below ${width}; flatten some of them`,
    })
  }
  const inner = (ino: number): number => numberOf({ side: Math.floor(ino / width), ino: ino % width })
  return {
    root: outer(tree.root),
    lookup(directory, name) {
      const ino = tree.lookup(inner(directory), name)
      return ino === undefined ? undefined : outer(ino)
    },
    *list(directory): Generator<TreeEntry, void, undefined> {
      for (const { name, ino, kind } of tree.list(inner(directory))) yield { name, ino: outer(ino), kind }
    },
    parent: (directory) => outer(tree.parent(inner(directory))),
    stat: (ino): Stat => ({ ...tree.stat(inner(ino)), ino }),
    kind: (ino) => kindIn(tree, inner(ino)),
    readlink: (ino) => tree.readlink(inner(ino)),
    xattrs: (ino) => tree.xattrs(inner(ino)),
    open: (ino) => tree.open(inner(ino)),
    place: tree.place && ((ino) => tree.place!(inner(ino))),
    close: () => tree.close(),
  }
}
