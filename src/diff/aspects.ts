import type { Inodes } from '../layer/view.ts'
import type { Stat } from '../model/entry.ts'
import type { Aspect } from './change.ts'
import { equalXattrs, wholeSeconds } from './exported.ts'

/** One of two inodes that are compared. */
export interface Compared {
  readonly inodes: Pick<Inodes, 'readlink' | 'xattrs'>
  readonly ino: number
  readonly stat: Stat
}

/** What counts as a difference: see `DiffOptions`. */
export interface Precision {
  readonly nanoseconds?: boolean | undefined
  readonly directoryTimes?: boolean | undefined
  readonly ignore?: ReadonlySet<Aspect> | undefined
}

/**
 * What differs between two inodes (layer-semantics E-01 to E-03), but for the names that they share. `sameContent` is asked only of
 * files of one size.
 */
export async function differingAspects(
  before: Compared,
  after: Compared,
  precision: Precision,
  sameContent: () => Promise<boolean>,
): Promise<Aspect[]> {
  const { stat: x } = before
  const { stat: y } = after
  if (x.kind !== y.kind) return ['kind']
  const { ignore } = precision
  const aspects = differingAttributes(x, y, precision)
  if (!ignore?.has('xattrs') && !equalXattrs(before.inodes.xattrs(before.ino), after.inodes.xattrs(after.ino)))
    aspects.push('xattrs')
  if (x.kind === 'file' && !ignore?.has('content')) {
    if (x.size !== y.size || !(await sameContent())) aspects.push('content')
  } else if (x.kind === 'symlink' && !ignore?.has('target')) {
    if (before.inodes.readlink(before.ino) !== after.inodes.readlink(after.ino)) aspects.push('target')
  }
  return aspects
}

function differingAttributes(x: Stat, y: Stat, { nanoseconds, directoryTimes, ignore }: Precision): Aspect[] {
  const aspects: Aspect[] = []
  // Modes of symlinks mean nothing and are not kept (O-06).
  if (x.mode !== y.mode && x.kind !== 'symlink') aspects.push('mode')
  if (x.uid !== y.uid || x.gid !== y.gid) aspects.push('owner')
  const timed = x.kind !== 'directory' || directoryTimes === true
  if (timed && x.mtime !== y.mtime && (nanoseconds || wholeSeconds(x.mtime) !== wholeSeconds(y.mtime))) {
    aspects.push('mtime')
  }
  if (x.major !== y.major || x.minor !== y.minor) aspects.push('device')
  return ignore === undefined ? aspects : aspects.filter((aspect) => !ignore.has(aspect))
}
