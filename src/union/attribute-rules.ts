import type { Stat } from '../model/entry.ts'
import type { AttributeChange } from './upper.ts'

const setUser = 0o4000
const setGroup = 0o2000
const groupExecute = 0o010

/**
 * A change of owner takes set-id bits off everything but directories, whoever makes it (`chown_common`): set-group only
 * where the group may execute; without that it meant mandatory locking. A mode in the same change is taken as it is.
 */
export function withClearedSetId({ kind, mode }: Stat, change: AttributeChange): AttributeChange {
  if (kind === 'directory' || change.mode !== undefined) return change
  if (change.uid === undefined && change.gid === undefined) return change
  const cleared = mode & ~setUser & (mode & groupExecute ? ~setGroup : ~0)
  return cleared === mode ? change : { ...change, mode: cleared }
}
