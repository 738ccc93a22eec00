import { type ContentDigests, hashContent } from '../stack/content-digests.ts'
import type { Tree } from '../stack/tree.ts'

/**
 * The digests of a union's contents: those that it shows from its lower tree are the lower tree's, and are remembered
 * there. What lies in the upper may change at any time, so it is hashed anew for each question.
 */
export function lowerDigests(
  union: Tree,
  lower: ContentDigests,
  contentBelow: (ino: number) => number | undefined,
): ContentDigests {
  return {
    pays(ino) {
      const below = contentBelow(ino)
      return below === undefined ? undefined : lower.pays(below)
    },
    known(ino) {
      const below = contentBelow(ino)
      return below === undefined ? undefined : lower.known(below)
    },
    async of(ino, operation) {
      const below = contentBelow(ino)
      return below === undefined ? hashContent(union, ino, operation) : lower.of(below, operation)
    },
    complete: (operation) => lower.complete(operation),
    learn(ino, digest, since) {
      const below = contentBelow(ino)
      if (below !== undefined) lower.learn(below, digest, since)
    },
  }
}
