import { type ContentDigests, hashContent } from '../stack/content-digests.ts'
import type { Tree } from '../stack/tree.ts'

/**
 * The digests of a union's contents: those that it shows from its lower tree are the lower tree's, and are remembered
 * there. What lies in the upper may change at any time, so it is hashed anew for each question.
 */
export function lowerDigests(
  union: Tree,
  lower: ContentDigests,
  isFromLower: (ino: number) => boolean,
): ContentDigests {
  return {
    eager: false,
    known: (ino) => (isFromLower(ino) ? lower.known(ino) : undefined),
    async of(ino, operation) {
      return isFromLower(ino) ? lower.of(ino, operation) : hashContent(union, ino, operation)
    },
    complete: (operation) => lower.complete(operation),
    learn(ino, digest, since) {
      if (isFromLower(ino)) lower.learn(ino, digest, since)
    },
  }
}
