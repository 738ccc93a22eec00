import type { LayerView } from '../layer/view.ts'
import { narrowedTree } from '../stack/narrowed-tree.ts'
import { stackedTree } from '../stack/stacked-tree.ts'
import type { Tree } from '../stack/tree.ts'
import { emptyTree } from './empty-tree.ts'
import { firstNewInode } from './upper.ts'

/** What an upper stands on: a tree as it is, or views stacked, base first, with numbers that leave those of the upper free. */
export function lowerTree(lower: Tree | readonly LayerView[]): Tree {
  if (!isViews(lower)) return lower
  if (lower.length === 0) return emptyTree()
  const tree = stackedTree(lower)
  return lower.length * 2 ** 32 <= firstNewInode ? tree : narrowedTree(tree, lower.length, firstNewInode)
}

function isViews(lower: Tree | readonly LayerView[]): lower is readonly LayerView[] {
  return Array.isArray(lower)
}
