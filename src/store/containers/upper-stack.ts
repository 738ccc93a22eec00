import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { StoredUpper } from '../../overlay/stored-upper.ts'
import type { Tree } from '../../stack/tree.ts'
import type { RestackableUnion } from '../../union/union.ts'
import { unionOver } from '../../union/union-tree.ts'
import type { UpperRecord, Uppers } from './uppers.ts'

/** A frozen upper of a chain, and what shows in it. */
export interface Level {
  readonly id: string
  readonly upper: StoredUpper
  readonly tree: RestackableUnion
}

/** What an upper stands on, opened. */
export interface Below {
  /** The tree of the image. */
  readonly base: Tree
  /** The frozen uppers over it, oldest first. */
  readonly levels: readonly Level[]
  /** What shows in the topmost of them; the image's tree, if there is none. Closing it closes everything. */
  readonly tree: Tree
}

export interface Grounds {
  readonly uppers: Uppers
  /** The folded tree that an upper was made on. */
  lower(record: UpperRecord, operation: Operation): Promise<Tree>
}

/**
 * Opens what an upper stands on: each frozen upper over all below it, the image's tree (`base`, if it is open already) first. Numbers that one gave to inodes are
 * below those that the next gives, so an inode has one number in the whole chain.
 */
export async function openBelow(
  { uppers, lower }: Grounds,
  record: UpperRecord,
  { base: known, ...operation }: { readonly base?: Tree } & Operation,
): Promise<Below> {
  const base = known ?? (await lower(record, operation))
  const levels: Level[] = []
  let tree: Tree = base
  try {
    for (const each of frozenBelow(uppers, record)) {
      const upper = uppers.open(each, { readOnly: true, below: levels.map((level) => level.upper) })
      const over = unionOver(tree, upper)
      levels.push({ id: each.id, upper, tree: over })
      tree = over
    }
  } catch (error) {
    tree.close()
    throw error
  }
  return { base, levels, tree }
}

/** The records of the frozen uppers below one, oldest first. @throws PLY_BAD_DOCUMENT where they stand on each other */
export function frozenBelow(uppers: Uppers, { id, parent }: UpperRecord): UpperRecord[] {
  const found: UpperRecord[] = []
  const seen = new Set([id])
  for (let at = parent; at !== null; ) {
    if (seen.has(at))
      throw new PlyError('PLY_BAD_DOCUMENT', { what: `the record of upper ${at}`, reason: 'it stands on itself' })
    seen.add(at)
    const record = uppers.record(at)
    found.push(record)
    at = record.parent
  }
  return found.reverse()
}
