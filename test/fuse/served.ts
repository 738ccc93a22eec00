import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import { openPortableUpper } from '../../src/overlay/portable-upper.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { WritableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { type Lower, lowerAt } from '../overlay/lower.ts'

/** Uppers that are served: one in memory, the two on a disk, and none. */
export type ServedForm = 'memory' | 'portable' | 'overlay' | 'none'

/** What a thread needs to open it. */
export interface Served {
  readonly form: ServedForm
  /** Where the upper is kept, if it is on a disk. */
  readonly at: string
  readonly lower: Omit<Lower, 'tree'>
}

export function openServed({ form, at, lower }: Served): Tree | WritableUnion {
  const tree = lowerAt(lower).tree()
  switch (form) {
    case 'none':
      return tree
    case 'memory':
      return union(tree, memoryUpper())
    case 'portable':
      mkdirSync(at, { recursive: true })
      return union(tree, openPortableUpper({ disk: nodeDisk(), root: at }))
    case 'overlay': {
      const [upperDir, workDir] = [join(at, 'upper'), join(at, 'work')]
      for (const directory of [upperDir, workDir]) mkdirSync(directory, { recursive: true })
      return union(tree, openOverlayUpper({ upperDir, workDir, xattr: 'trusted', chainId: lower.chainId }))
    }
    default:
      return form satisfies never
  }
}
