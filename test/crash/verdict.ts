import { firstForeignInode } from '../../src/overlay/overlay-node.ts'
import { firstNewInode } from '../../src/union/upper.ts'
import { type Difference, differences, type State, told } from './state.ts'

/** What the clock of the unions gives (`ticking`): another reading, where something was tried twice. */
const unionTimes: Period = { from: 1_600_000_000_000_000_000n, to: 1_600_000_100_000_000_000n }

/** Times that the disk gave while something ran, in nanoseconds since the epoch. */
export interface Period {
  readonly from: bigint
  readonly to: bigint
  /** Something was tried twice: a new inode has got the next number then. */
  readonly isTwice?: boolean
  /** What was there before: a time that could not be stored is still that. */
  readonly before?: State
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
 * the step that changes a name in it, and the union puts its own in place in a step of its own. What carries no number of
 * ours goes by that of the disk, which is another one in each run.
 */
export function verdictOn(found: State, old: State, next: State, period: Period): Verdict {
  const againstOld = against('old', found, { wanted: old, old, next, period })
  if (old === next || (againstOld.is === 'old' && againstOld.between.length === 0)) return againstOld
  const againstNew = against('new', found, { wanted: next, old, next, period })
  const [a, b] = [againstOld, againstNew]
  if (a.is === 'neither') return b.is === 'new' || b.differences.length < a.differences.length ? b : a
  return b.is === 'new' && b.between.length < a.between.length ? b : a
}

function against(
  is: 'old' | 'new',
  found: State,
  { wanted, old, next, period }: { wanted: State; old: State; next: State; period: Period },
): Verdict {
  const isOther = (ino: unknown): boolean => Number(ino) >= (period.isTwice ? firstNewInode : firstForeignInode)
  const isBetween = ({ path, is: time }: Difference): boolean => {
    if (time === old[path]?.mtime || time === period.before?.[path]?.mtime || time === next[path]?.mtime) return true
    const ns = BigInt(String(time))
    return (ns >= period.from && ns <= period.to) || (ns > unionTimes.from && ns < unionTimes.to)
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
