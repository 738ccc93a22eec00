import type { Index } from '../erofs/index.ts'
import { FoldedTree } from './folded-tree.ts'
import { sideOf } from './inode-numbers.ts'
import { StackedTree } from './stacked-tree.ts'
import type { Tree } from './tree.ts'

/**
 * What two trees have in common by construction, where both are made of layers of which the lowest are the same: tells of an inode of
 * either whether it comes from those layers alone, with everything under it, so that it is the inode of the same number in the other.
 * `undefined` where nothing is known to be shared.
 */
export function sharedInodes(before: Tree, after: Tree): ((ino: number) => boolean) | undefined {
  const x = sidesOf(before)
  const y = sidesOf(after)
  let shared = 0
  while (x[shared] !== undefined && x[shared] === y[shared]) shared++
  if (shared === 0) return undefined
  return (ino) => isBelow(before, ino, shared) && isBelow(after, ino, shared)
}

/** The uuids of the indexes that a tree is made of, base first. */
function sidesOf(tree: Tree): readonly (string | undefined)[] {
  if (tree instanceof FoldedTree) return [uuidOf(tree)]
  if (!(tree instanceof StackedTree)) return []
  return tree.sides.map(uuidOf)
}

function uuidOf(side: object): string | undefined {
  const { index } = side as { readonly index?: Pick<Index, 'uuid'> }
  return index && Buffer.from(index.uuid).toString('latin1')
}

function isBelow(tree: Tree, ino: number, side: number): boolean {
  if (!(tree instanceof StackedTree)) return sideOf(ino) < side
  return tree.partsOf(ino)?.every((part) => part.side < side) ?? sideOf(ino) < side
}
