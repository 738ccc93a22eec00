import { join } from 'node:path'
import type { Outcome } from './child.ts'
import type { Course } from './crashes.ts'
import { isPortable, type Place } from './forms.ts'
import { type Ground, seen } from './ground.ts'
import { inKernel } from './in-kernel.ts'
import { litterIn, rawNames } from './litter.ts'
import { absent, differences, type Facts, type State, told } from './state.ts'
import type { Call } from './strace.ts'
import { type Period, verdictOn } from './verdict.ts'

/** What came of one point. */
export interface Result {
  readonly shows: 'old' | 'new' | 'neither'
  /** What should not be so. */
  readonly wrong: readonly string[]
  /** Modify times that are those of a moment between. */
  readonly between: readonly string[]
}

/** What happened at a point, and where. */
export interface Point {
  readonly course: Course
  readonly call: Call
  readonly place: Place
  readonly period: Period
}

export const broken = (why: string): Result => ({ shows: 'neither', wrong: [why], between: [] })

/**
 * What a process left that was killed. `kernelFirst`: before anybody opens it, and removes the litter, the kernel mounts it; then
 * a whiteout that hides nothing may be listed, and a file that was getting its content have the time of that.
 */
export function afterKill(ground: Ground, { course, place, period }: Point, kernelFirst: boolean): Result {
  const { old, next, names, scenario } = course
  const early = kernelFirst ? ground.byKernel(place) : undefined
  const isUnfinished = [...rawNames(join(place.at, 'work'))].some((name) => name.startsWith('/unfinished-'))
  let found: State
  try {
    found = seen(place)
  } catch (error) {
    return broken(`it cannot be opened: ${(error as Error).stack}`)
  }
  const { is, between, differences: apart } = verdictOn(found, old, next, period)
  const inMount = (shown: State): string[] => {
    // Of an upper whose root nobody has described a mount shows that of the directory (docs/upper-format.md).
    const known = scenario.isFirst ? { ...shown, '': found['']! } : shown
    return inKernel(known, found, { form: place.form, except: [] })
  }
  const wrong = is === 'neither' ? ['a mixture', ...apart] : []
  if (early) {
    const shown = isUnfinished ? withTimesOf(found, withoutAbsent(early), period) : withoutAbsent(early)
    wrong.push(...inMount(shown).map((each) => `before the next opening the kernel shows: ${each}`))
  }
  wrong.push(...litterIn(place, names).map((each) => `litter: ${each}`))
  const late = ground.byKernel(place)
  if (late) wrong.push(...inMount(late).map((each) => `the kernel shows: ${each}`))
  wrong.push(...differences(seen(place), found).map((each) => `opened again: ${told(each)}`))
  return { shows: is, wrong, between }
}

/** A file whose content was being completed has its own time again after the next opening; until then that of the disk. */
function withTimesOf(ours: State, shown: State, { from, to }: Period): State {
  const isOfDisk = ({ kind, mtime }: Facts) =>
    kind === 'file' && BigInt(String(mtime)) >= from && BigInt(String(mtime)) <= to
  return Object.fromEntries(
    Object.entries(shown).map(([path, facts]) => {
      const own = ours[path]
      return [path, own && isOfDisk(facts) ? { ...facts, mtime: own.mtime } : facts]
    }),
  )
}

const withoutAbsent = (state: State): State =>
  Object.fromEntries(Object.entries(state).filter(([, { kind }]) => kind !== absent))

/** What a union shows, and left, of which one call failed with an errno. */
export function afterFailure({ course, call, place, period }: Point, errno: string, outcome: Outcome): Result {
  const { old, next, names, form, scenario } = course
  const { live, fresh, again } = outcome
  const wrong: string[] = []
  const wanted = outcome.code === undefined ? 'new' : 'old'
  const state = wanted === 'old' ? old : next
  // The one thing that may fail without the change: the union's own time of a directory, after the change of a name in it.
  const isTime = isPortable(form) || call.name.startsWith('utime')
  const times = { ...period, before: old, lacksTimes: outcome.code === undefined && isTime }
  const asWanted = live && verdictOn(live, state, state, times)
  const shown = live && verdictOn(live, old, next, period)
  const happened = scenario.isSeveral === true && shown?.is === 'new'
  if (asWanted?.is === 'neither' && !happened)
    wrong.push(`${outcome.code ?? 'no error'}, but it shows ${shown?.is}`, ...asWanted.differences)
  // When a recursive mkdir fails, Node answers what it finds when it asks what is there.
  const errnos = call.name.startsWith('mkdir') ? [errno, 'ENOENT'] : [errno]
  for (const each of [outcome.opening, outcome.code])
    if (each !== undefined && !errnos.includes(each)) wrong.push(`the error is ${each}`)
  // What closing stores is best effort.
  if (outcome.closing !== undefined) wrong.push(`closing: ${outcome.closing}`)
  if (live && fresh) wrong.push(...differences(fresh, live).map((each) => `opened beside it: ${told(each)}`))
  const worked = outcome.code === undefined || again === undefined
  // Whoever failed to sync does not know what is on the disk, and says so from then on (docs/upper-format.md).
  const mayStayBroken = isPortable(form) && call.name.endsWith('sync')
  if (!worked && !mayStayBroken) wrong.push(`once more: ${again}`)
  const last = worked ? next : old
  const left = verdictOn(seen(place), last, last, { ...times, isTwice: outcome.code !== undefined })
  wrong.push(...left.differences.map((each) => `opened again: ${each}`))
  wrong.push(...litterIn(place, names).map((each) => `litter: ${each}`))
  return { shows: wanted, wrong, between: asWanted?.between ?? [] }
}
