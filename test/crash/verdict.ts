import { type Difference, differences, type State, told } from './state.ts'

/** Times that the disk gave while something ran, in nanoseconds since the epoch. */
export interface Period {
  readonly from: bigint
  readonly to: bigint
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
 * the step that changes a name in it, and the union puts its own in place in a step of its own.
 */
export function verdictOn(found: State, old: State, next: State, period: Period): Verdict {
  const tolerable = ({ path, fact, is }: Difference): boolean =>
    fact === 'mtime' &&
    (is === old[path]?.mtime ||
      is === next[path]?.mtime ||
      (BigInt(String(is)) >= period.from && BigInt(String(is)) <= period.to))
  let nearest: Verdict | undefined
  for (const [is, wanted] of [
    ['old', old],
    ['new', next],
  ] as const) {
    const all = differences(found, wanted)
    const rest = all.filter((each) => !tolerable(each))
    if (rest.length === 0) {
      const between = all.map(({ path }) => `${found[path]?.kind} ${JSON.stringify(path)}`)
      if (nearest?.is === 'neither' || nearest === undefined || between.length < nearest.between.length)
        nearest = { is, between, differences: [] }
    } else if (nearest === undefined || (nearest.is === 'neither' && rest.length < nearest.differences.length))
      nearest = { is: 'neither', between: [], differences: rest.map((each) => `(${is}) ${told(each)}`) }
  }
  return nearest!
}
