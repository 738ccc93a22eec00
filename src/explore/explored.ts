import type { Operation } from '../model/operation.ts'
import type { Tree } from '../stack/tree.ts'
import { type LayerStack, mergedTree } from '../trace/index.ts'
import { exploreDifference, type Side } from './explore-difference.ts'
import { exploreLayers } from './explore-layers.ts'
import { exploreTree } from './explore-tree.ts'
import type { Exploration, Explored } from './table.ts'

/** What is to be explored: the layers of an image, or a tree of which they are not known. It stays open meanwhile. */
export type Explorable =
  | { readonly name: string; readonly stack: LayerStack }
  | { readonly name: string; readonly tree: Tree }

/**
 * Everything that the explorer shows of one tree, or of two and of what differs between them, as a value.
 *
 * @throws PLY_BAD_LAYER for a hardlink to nothing (H-06); PLY_ABORTED
 */
export async function explore(
  before: Explorable,
  after: Explorable | undefined,
  operation: Operation = {},
): Promise<Explored> {
  const first = await explorationOf(before, operation)
  if (after === undefined) return { before: first, after: undefined, difference: undefined }
  const second = await explorationOf(after, operation)
  const difference = await exploreDifference(sideOf(before), sideOf(after), operation)
  return { before: first, after: second, difference }
}

function explorationOf(subject: Explorable, operation: Operation): Promise<Exploration> {
  return 'stack' in subject
    ? exploreLayers(subject.stack, subject.name, operation)
    : exploreTree(subject.tree, subject.name, operation)
}

function sideOf(subject: Explorable): Side {
  return 'stack' in subject
    ? { tree: mergedTree(subject.stack), stack: subject.stack }
    : { tree: subject.tree, stack: undefined }
}
