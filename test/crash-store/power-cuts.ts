import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { signpost } from '../crash/strace.ts'
import type { Dice } from '../properties/seed.ts'
import type { Call } from './calls.ts'
import { type CrashState, crashStates, orderedStates, statesAfterDeath } from './crash-states.ts'
import { hashOf } from './disk-state.ts'
import { type Course, type Ground, rebooted, restamp } from './ground.ts'
import type { Operation, Place } from './operations.ts'
import { RecordedDisk } from './recorded-disk.ts'
import { lay, scan } from './scan.ts'
import { traced } from './tracing.ts'
import { judge, type Verdict } from './verdict.ts'

/** What an operation did to the disk, call by call. */
export interface Recording {
  readonly course: Course
  readonly at: string
  readonly initial: ReturnType<typeof scan>
  readonly calls: readonly Call[]
}

export async function record(ground: Ground, course: Course): Promise<Recording> {
  const { at, place } = ground.furnished(course)
  const initial = scan(at)
  const calls = await callsOf(ground, place, course.operation.name)
  const disk = new RecordedDisk(at, initial)
  for (const call of calls) disk.take(call)
  // What the model says has to be what is there.
  if (hashOf(disk.seen) !== hashOf(scan(at)))
    throw new Error(`${course.operation.name}: the model shows something else`)
  rmSync(at, { recursive: true })
  return { course, at, initial, calls }
}

async function callsOf(ground: Ground, place: Place, operation: string): Promise<readonly Call[]> {
  const order = { place, operation, log: join(ground.folder, 'trace') }
  const { calls, ending } = await traced(ground.program, order)
  if (ending?.code !== undefined || ending === undefined) throw new Error(`${operation}: ${ending?.stack ?? 'it died'}`)
  return calls
}

/** One state of a disk that lost power, where it is not one that was there before. */
export interface Cut {
  readonly what: string
  judge(ground: Ground): Promise<Verdict>
}

/** All different states that the disk may be in after the power went at any moment of a recording. */
export function* cuts({ course, at, initial, calls }: Recording, dice: Dice): Iterable<Cut> {
  const disk = new RecordedDisk(at, initial)
  const states = () => crashStates(disk, dice)
  yield* moments({ course, disk, calls, mayBeOld: false, seen: new Set(), states })
  if (!course.operation.needsOrder) return
  const ordered = new RecordedDisk(at, initial)
  const inOrder = () => orderedStates(ordered, dice)
  yield* moments({ course, disk: ordered, calls, mayBeOld: false, seen: new Set(), states: inOrder })
}

/**
 * Two misfortunes: a process dies in the middle of an operation, nothing of which is synced that it had not synced itself, another one
 * does `then`, and then the power goes. `after` chooses among the moments of the death.
 */
export async function* cutsAfterDeath(
  ground: Ground,
  { course, at, initial, calls }: Recording,
  then: Operation,
  after: (moments: readonly number[]) => readonly number[],
  dice: Dice,
): AsyncIterable<Cut> {
  const probe = new RecordedDisk(at, initial)
  const changing = calls.flatMap((call, number) => (probe.take(call) ? [number] : []))
  const seen = new Set<string>()
  for (const last of after(changing)) {
    const disk = new RecordedDisk(at, initial)
    for (const call of calls.slice(0, last + 1)) disk.take(call)
    const { at: next, place } = ground.place()
    lay(disk.seen, next)
    restamp(place.root)
    const following = await callsOf(ground, place, then.name)
    rmSync(next, { recursive: true })
    disk.nextProcess(next)
    const mayBeOld = then !== course.operation
    const left = new Set(disk.pending.map(({ change }) => change))
    const states = () => statesAfterDeath(disk, left, dice)
    for (const cut of moments({ course, disk, calls: following, mayBeOld, seen, states }))
      yield { ...cut, what: `after a death in call ${last}, during ${then.name}: ${cut.what}` }
  }
}

function* moments({
  course,
  disk,
  calls,
  mayBeOld,
  seen,
  states,
}: {
  readonly course: Course
  readonly disk: RecordedDisk
  readonly calls: readonly Call[]
  /** What was done says nothing of the operation. */
  readonly mayBeOld: boolean
  readonly seen: Set<string>
  /** Those that the disk may be in now. */
  readonly states: () => Iterable<CrashState>
}): Iterable<Cut> {
  let isDone = false
  const acted = Buffer.from(signpost('acted')).toString('hex')
  for (const [number, call] of calls.entries()) {
    const says = call.name === 'access' && call.arguments[0]?.replace(/[^0-9a-f]|\\x/g, '') === acted
    if (says) isDone = true
    else if (!disk.take(call)) continue
    const must = isDone && !mayBeOld ? ('new' as const) : undefined
    for (const { state, what, isOrdered } of states()) {
      const mayLose = course.operation.needsOrder && !isOrdered
      const hash = `${must} ${hashOf(state)}`
      if (seen.has(hash)) continue
      const gist = `${must} ${hashOf(state, ['/store/tmp', '/store/locks'])}`
      const isKnown = seen.has(gist)
      seen.add(hash).add(gist)
      yield {
        what: `after call ${number} (${call.name}): ${what}`,
        async judge(ground) {
          const { at: to, place } = ground.place()
          lay(state, to)
          restamp(place.root)
          rebooted(place.root)
          try {
            return await judge(course, place, { isKnown, ...(must && { must }), ...(mayLose && { mayLose }) })
          } finally {
            rmSync(to, { recursive: true, force: true })
          }
        },
      }
    }
  }
}
