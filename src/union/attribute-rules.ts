import type { Stat } from '../model/entry.ts'
import type { AttributeChange } from './upper.ts'

const setUser = 0o4000
const setGroup = 0o2000
const groupExecute = 0o010

/**
 * The mode without what a change of owner, or of content by somebody without CAP_FSETID, takes off everything but directories
 * (`setattr_should_drop_suidgid`): set-group only where the group may execute; without that it meant mandatory locking.
 */
export function withoutSetId({ kind, mode }: Stat): number {
  return kind === 'directory' ? mode : mode & ~setUser & (mode & groupExecute ? ~setGroup : ~0)
}

/**
 * A change with what it takes along: a change of owner takes set-id bits, whoever makes it (`chown_common`), and `kill` takes them
 * anyway. A mode in the same change is taken as it is.
 */
export function withClearedSetId(current: Stat, change: AttributeChange, kill: boolean): AttributeChange {
  if (change.mode !== undefined || (!kill && change.uid === undefined && change.gid === undefined)) return change
  const cleared = withoutSetId(current)
  return cleared === current.mode ? change : { ...change, mode: cleared }
}
