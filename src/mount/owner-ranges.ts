import { IdMapping, type IdRange } from '../model/id-mapping.ts'
import type { OwnerShift } from '../stack/mapped-tree.ts'
import { namespaceIds } from '../sys/namespaces.ts'

/** An `OwnerShift` as data, for other threads and processes. */
export interface OwnerRanges {
  readonly uids?: readonly IdRange[] | undefined
  readonly gids?: readonly IdRange[] | undefined
  readonly outside?: OwnerShift['outside']
}

export function rangesOf({ uids, gids, outside }: OwnerShift): OwnerRanges {
  return { ...(uids && { uids: uids.ranges }), ...(gids && { gids: gids.ranges }), ...(outside && { outside }) }
}

export function shiftOf({ uids, gids, outside }: OwnerRanges): OwnerShift {
  return {
    ...(uids && { uids: new IdMapping(uids) }),
    ...(gids && { gids: new IdMapping(gids) }),
    ...(outside && { outside }),
  }
}

/** Whom the kernel names where there is no number for somebody. */
const nobody = { uid: 65534, gid: 65534 }
const root = { uid: 0, gid: 0 }
/** Where a user namespace has fewer users than this, most of what an image holds would be nobody's, and could not be written. */
const enoughUsers = 65_535

/**
 * Owners as a mount shows them: as they are asked for, those outside being nobody's unless more is asked. Unasked, a user namespace
 * shows those that it has; of the others it makes root's what would be nobody's, if it has hardly any.
 */
export function shownOwners(asked: OwnerShift | undefined): OwnerShift | undefined {
  if (asked?.uids || asked?.gids) {
    const { outside } = asked
    return { ...asked, outside: typeof outside === 'object' ? outside : nobody }
  }
  const uids = namespaceIds('uid')
  const gids = namespaceIds('gid')
  if (!uids && !gids) return undefined
  const users = (uids ?? []).reduce((sum, { count }) => sum + count, 0)
  return shiftOf({ uids, gids, outside: uids && users < enoughUsers ? root : nobody })
}
