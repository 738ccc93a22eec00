import { changing } from './changing.ts'
import { descriptors } from './descriptors.ts'
import { inspecting } from './inspecting.ts'
import type { Namespace } from './namespace.ts'
import { OpenFiles } from './open-files.ts'
import { subtrees } from './subtrees.ts'
import { wholeFiles } from './whole-files.ts'

/** All synchronous calls over one namespace. Every other form of a call is made from these. */
export function syncVerbs(namespace: Namespace) {
  const files = new OpenFiles(namespace)
  const verbs = {
    ...inspecting(namespace, files),
    ...changing(namespace, files),
    ...wholeFiles(namespace, files),
    ...descriptors(files),
  }
  return { ...verbs, ...subtrees(namespace, verbs) }
}

export type SyncVerbs = ReturnType<typeof syncVerbs>
