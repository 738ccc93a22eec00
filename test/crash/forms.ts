import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import { openPortableUpper } from '../../src/overlay/portable-upper.ts'
import type { StoredUpper } from '../../src/overlay/stored-upper.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import type { RestackableUnion } from '../../src/union/union.ts'
import { union } from '../../src/union/union-tree.ts'
import { type Lower, lowerAt } from '../overlay/lower.ts'
import { ticking } from '../overlay/random-steps.ts'

/**
 * The forms of an upper on a disk: overlayfs's with marks in either namespace, the first also with copies of attributes alone,
 * and the portable one; the latter two also with the blocks that were written alone, of files as large as many here.
 */
export const forms = ['trusted', 'metacopy', 'blocks', 'user', 'portable', 'portable blocks'] as const
export type Form = (typeof forms)[number]

/** One upper over one lower tree, by paths: what another process needs to open it. */
export interface Place {
  readonly form: Form
  /** Holds `upper` and `work`, or `log` and `inodes`. */
  readonly at: string
  readonly lower: Omit<Lower, 'tree'>
}

export const isPortable = (form: Form) => form === 'portable' || form === 'portable blocks'

export function makePlace(place: Place): void {
  const names = isPortable(place.form) ? [''] : ['upper', 'work']
  for (const name of names) mkdirSync(join(place.at, name), { recursive: true })
}

export function openUpper({ form, at, lower: { chainId } }: Place, readOnly = false): StoredUpper {
  const blocks = (form === 'blocks' || form === 'portable blocks') && { blocksFrom: 4097 }
  if (isPortable(form)) return openPortableUpper({ disk: nodeDisk(), root: at, readOnly, ...blocks })
  const directories = { upperDir: join(at, 'upper'), workDir: join(at, 'work') }
  const metacopy = form === 'metacopy' || form === 'blocks'
  const xattr = form === 'user' ? 'user' : 'trusted'
  return openOverlayUpper({ ...directories, xattr, metacopy, chainId, readOnly, ...blocks })
}

/** The union, with a clock that gives the same times in every run. */
export function openUnion(place: Place, readOnly = false): RestackableUnion {
  const tree = lowerAt(place.lower).tree()
  try {
    return union(tree, openUpper(place, readOnly), { now: ticking() })
  } catch (error) {
    tree.close()
    throw error
  }
}
