import type { LayerView } from '../layer/view.ts'
import { PlyError } from '../model/errors.ts'
import { narrowedTree } from '../stack/narrowed-tree.ts'
import { stackedTree } from '../stack/stacked-tree.ts'
import type { Tree } from '../stack/tree.ts'
import { emptyTree } from './empty-tree.ts'
import { firstNewInode, type Upper } from './upper.ts'

/**
 * What an upper stands on: a tree as it is, or views stacked, base first, with numbers that leave those of the upper free.
 * @throws PLY_UNSUPPORTED for an upper over a union that can be written: both would number what is new alike
 */
export function lowerTree(lower: Tree | readonly LayerView[], upper: Upper | undefined): Tree {
  if (!isViews(lower)) {
    if (upper && 'create' in lower) {
      throw new PlyError('PLY_UNSUPPORTED', {
        what: 'a union over one that can be written',
        reason: 'what is new in both would have the same numbers; stack layers, or commit it and stand on its tree',
      })
    }
    return lower
  }
  if (lower.length === 0) return emptyTree()
  const tree = stackedTree(lower)
  return lower.length * 2 ** 32 <= firstNewInode ? tree : narrowedTree(tree, lower.length, firstNewInode)
}

function isViews(lower: Tree | readonly LayerView[]): lower is readonly LayerView[] {
  return Array.isArray(lower)
}
