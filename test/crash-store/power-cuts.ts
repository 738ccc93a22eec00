import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { signpost } from '../crash/strace.ts'
import type { Dice } from '../properties/seed.ts'
import type { Call } from './calls.ts'
import { crashStates } from './crash-states.ts'
import { hashOf } from './disk-state.ts'
import { type Course, type Ground, restamp } from './ground.ts'
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
  const order = { place, operation: course.operation.name, log: join(ground.folder, 'trace') }
  const { calls, ending } = await traced(ground.program, order)
  if (ending?.code !== undefined || ending === undefined)
    throw new Error(`${course.operation.name}: ${ending?.stack ?? 'it died'}`)
  const disk = new RecordedDisk(at, initial)
  for (const call of calls) disk.take(call)
  // What the model says has to be what is there.
  if (hashOf(disk.seen) !== hashOf(scan(at)))
    throw new Error(`${course.operation.name}: the model shows something else`)
  rmSync(at, { recursive: true })
  return { course, at, initial, calls }
}

/** One state of a disk that lost power, where it is not one that was there before. */
export interface Cut {
  readonly what: string
  /** The operation had answered that it is done: what it did has to be there. */
  readonly isDone: boolean
  judge(ground: Ground): Promise<Verdict>
}

/** All different states that the disk may be in after the power went at any moment of a recording. */
export function* cuts({ course, at, initial, calls }: Recording, dice: Dice): Iterable<Cut> {
  const disk = new RecordedDisk(at, initial)
  const seen = new Set<string>()
  const repeated = new Set<string>()
  let isDone = false
  const acted = Buffer.from(signpost('acted')).toString('hex')
  for (const [number, call] of calls.entries()) {
    const says = call.name === 'access' && call.arguments[0]?.replace(/[^0-9a-f]|\\x/g, '') === acted
    if (says) isDone = true
    else if (!disk.take(call)) continue
    for (const { state, what } of crashStates(disk, dice)) {
      const hash = `${isDone} ${hashOf(state)}`
      if (seen.has(hash)) continue
      seen.add(hash)
      // Temporary files and locks change nothing of what an operation leads to.
      const gist = hashOf(state, ['/store/tmp', '/store/locks'])
      const repeats = !repeated.has(gist)
      repeated.add(gist)
      yield {
        what: `after call ${number} (${call.name}): ${what}`,
        isDone,
        async judge(ground) {
          const { at: to, place } = ground.place()
          lay(state, to)
          restamp(place.root)
          try {
            return await judge(course, place, { repeats, ...(isDone && { must: 'new' }) })
          } finally {
            rmSync(to, { recursive: true, force: true })
          }
        },
      }
    }
  }
}
