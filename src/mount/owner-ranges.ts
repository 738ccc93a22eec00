import { IdMapping, type IdRange } from '../model/id-mapping.ts'
import type { OwnerShift } from '../stack/mapped-tree.ts'
import { namespaceIds } from '../sys/namespaces.ts'

/** An `OwnerShift` as data. */
export interface OwnerRanges {
  readonly uids: readonly IdRange[] | undefined
  readonly gids: readonly IdRange[] | undefined
  readonly outside: { readonly uid: number; readonly gid: number } | undefined
}

/** Whom the kernel names where there is no number for somebody. */
const nobody = { uid: 65534, gid: 65534 }
/** Where a user namespace has fewer users than this, most of what an image holds would be nobody's, and could not be written. */
const enoughUsers = 65_535

/** Owners as they are asked for, within what this user namespace can show. */
export function ownerRanges(asked: OwnerShift | undefined): OwnerRanges | undefined {
  if (asked?.uids || asked?.gids) {
    const { outside = 'record' } = asked
    return {
      uids: asked.uids?.ranges,
      gids: asked.gids?.ranges,
      outside: typeof outside === 'object' ? outside : nobody,
    }
  }
  const uids = namespaceIds('uid')
  const gids = namespaceIds('gid')
  if (!uids && !gids) return undefined
  const users = (uids ?? []).reduce((sum, { count }) => sum + count, 0)
  return { uids, gids, outside: uids && users < enoughUsers ? { uid: 0, gid: 0 } : nobody }
}

/** The shift that ranges stand for; `undefined` for none. */
export function shiftOf(owners: OwnerRanges | undefined): OwnerShift | undefined {
  if (!owners) return undefined
  return {
    ...(owners.uids && { uids: new IdMapping(owners.uids) }),
    ...(owners.gids && { gids: new IdMapping(owners.gids) }),
    ...(owners.outside && { outside: owners.outside }),
  }
}
