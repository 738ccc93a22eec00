/**
 * Stacking: the rule for one name and one layer, and what is made with it. `stackedTree` resolves a stack while it is
 * walked; `writeTree` folds one into an index that `foldedTree` reads.
 */
export type { ContentDigests, DigestMemory } from './content-digests.ts'
export { type Fold, fold, type TreeToWrite, writeTree } from './fold.ts'
export { type FoldedTree, foldedTree } from './folded-tree.ts'
export { mappedTree, type OwnerShift } from './mapped-tree.ts'
export type { Before, Node, Place } from './rule.ts'
export { sharedInodes } from './shared-inodes.ts'
export { BelowAbsent, type StackedTree, stackedTree } from './stacked-tree.ts'
export type { Tree, TreeEntry } from './tree.ts'
