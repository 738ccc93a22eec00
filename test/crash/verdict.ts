import { firstForeignInode } from '../../src/overlay/overlay-node.ts'
import { firstNewInode } from '../../src/union/upper.ts'
import { type Difference, differences, type Facts, type State, told } from './state.ts'

/** What the clock of the unions gives (`ticking`). */
const unionTimes: Period = { from: 1_600_000_000_000_000_000n, to: 1_600_000_100_000_000_000n }

/** Times that the disk gave while something ran, in nanoseconds since the epoch. */
export interface Period {
  readonly from: bigint
  readonly to: bigint
  /** Something was tried twice: a new inode has got the next number then, and times are another reading of the union's clock. */
  readonly isTwice?: boolean
  /** It was several calls, with a reading of that clock each. */
  readonly isSeveral?: boolean
  /** What was there before, where that is neither of the two states. */
  readonly before?: State
  /** The time of a directory could not be stored, after a change of a name in it: it is still the one before. */
  readonly lacksTimes?: boolean
}

export interface Verdict {
  readonly is: 'old' | 'new' | 'neither'
  /** Modify times that are neither the old nor the new: that of a moment between, which a disk gives by itself. */
  readonly between: readonly string[]
  /** Where it is neither: the differences to the nearer one. */
  readonly differences: readonly string[]
}

/**
 * Which of two states a third one is. Everything has to be the same but modify times: a disk sets those of a directory in
 * the step that changes a name in it, and the union puts its own in place in a step of its own; those of other inodes only if they
 * are changed at all. What carries no number of ours goes by that of the disk, which is another one in each run.
 */
export function verdictOn(found: State, old: State, next: State, period: Period): Verdict {
  const againstOld = against('old', found, { wanted: old, old, next, period })
  if (old === next || (againstOld.is === 'old' && againstOld.between.length === 0)) return againstOld
  const againstNew = against('new', found, { wanted: next, old, next, period })
  const [a, b] = [againstOld, againstNew]
  if (a.is === 'neither') return b.is === 'new' || b.differences.length < a.differences.length ? b : a
  return b.is === 'new' && b.between.length < a.between.length ? b : a
}

function isSame(one: Facts | undefined, other: Facts | undefined): boolean {
  return one !== undefined && other !== undefined && differences({ '': one }, { '': other }).length === 0
}

function against(
  is: 'old' | 'new',
  found: State,
  { wanted, old, next, period }: { wanted: State; old: State; next: State; period: Period },
): Verdict {
  const isOther = (ino: unknown): boolean => Number(ino) >= (period.isTwice ? firstNewInode : firstForeignInode)
  const isBetween = ({ path, is: time }: Difference): boolean => {
    const isDirectory = found[path]?.kind === 'directory'
    const was = (period.before ?? old)[path]
    if (time === old[path]?.mtime || time === next[path]?.mtime) return true
    if (isDirectory && period.lacksTimes && time === was?.mtime) return true
    // A time that nobody gave it: of a directory in which a name was changed, or of another inode that was.
    if (!isDirectory && isSame(was, next[path])) return false
    const ns = BigInt(String(time))
    if (ns >= period.from && ns <= period.to) return true
    return (period.isTwice || period.isSeveral) === true && ns > unionTimes.from && ns < unionTimes.to
  }
  const between: string[] = []
  const rest: string[] = []
  for (const each of differences(found, wanted)) {
    if (each.fact === 'ino' && isOther(each.is) && isOther(each.should)) continue
    if (each.fact === 'mtime' && isBetween(each)) between.push(`${found[each.path]?.kind} ${JSON.stringify(each.path)}`)
    else rest.push(`(${is}) ${told(each)}`)
  }
  return rest.length === 0 ? { is, between, differences: [] } : { is: 'neither', between: [], differences: rest }
}
