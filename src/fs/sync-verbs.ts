import { changing } from './changing.ts'
import { copying } from './copying.ts'
import { descriptors } from './descriptors.ts'
import { inspecting } from './inspecting.ts'
import type { Namespace } from './namespace.ts'
import { OpenFiles } from './open-files.ts'
import { removing } from './removing.ts'
import { wholeFiles } from './whole-files.ts'

/** All synchronous calls over one namespace. Every other form of a call is made from these. */
export function syncVerbs(namespace: Namespace) {
  const files = new OpenFiles(namespace)
  const verbs = {
    ...inspecting(namespace, files),
    ...changing(namespace, files),
    ...wholeFiles(namespace, files),
    ...descriptors(files),
    ...removing(namespace),
  }
  return { ...verbs, ...copying(verbs) }
}

export type SyncVerbs = ReturnType<typeof syncVerbs>
