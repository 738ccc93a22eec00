import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { changes, changing, signpost } from '../crash/strace.ts'
import type { Call } from './calls.ts'
import type { Course, Ground } from './ground.ts'
import { type Injection, type Role, traced } from './tracing.ts'
import { judge, type Verdict } from './verdict.ts'

/** One call of an operation that changes the store, and how to meet it again: it is the `count`-th of its name in its thread. */
export interface Point {
  readonly role: Role
  readonly name: string
  readonly count: number
  /** As strace shows it, without what is random. */
  readonly text: string
}

export interface Crash extends Verdict {
  /** The call that was met; another one if the threads took turns in another order. */
  readonly met: string | undefined
}

const hexOf = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')

/** The calls of all threads of a log that change something below `at`. */
function pointsOf(
  calls: readonly Call[],
  threads: Readonly<Record<Role, number>>,
  at: string,
): (Point & { call: Call })[] {
  const counts = new Map<string, number>()
  const found: (Point & { call: Call })[] = []
  let begun = false
  for (const call of [...calls].sort((a, b) => a.start - b.start)) {
    const role = (['main', 'pool'] as const).find((each) => threads[each] === call.thread)
    if (role === undefined) continue
    const key = `${role} ${call.name}`
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    const shown = call.arguments.join(', ')
    begun ||= shown.includes(hexOf(signpost('acting')))
    if (!begun || !shown.includes(hexOf(at)) || !changing.includes(call.name) || !changes(call.name, shown)) continue
    found.push({ role, name: call.name, count, text: `${role}: ${readable(call, at)}`, call })
  }
  return found
}

/** A call without bytes, and with names in place of what is random in a path. */
function readable({ name, arguments: given }: Call, at: string): string {
  const text = given
    .map((each) =>
      each.replace(/(?:\\x[0-9a-f]{2})+/g, (hex) => Buffer.from(hex.replaceAll('\\x', ''), 'hex').toString('latin1')),
    )
    .map((each) => (each.includes(at) ? each.replaceAll(at, '') : each.length > 40 ? '…' : each))
    .join(', ')
  return `${name}(${text})`
    .replace(/\b\d+</g, '<')
    .replace(/(record|blob|upper|container|removed|probe|spill|uppers|rep)([-/])[0-9a-f-]{12,}/g, '$1$2*')
}

/** The points of an operation, from a run without any crash. */
export async function pointsIn(ground: Ground, course: Course): Promise<Point[]> {
  const { at, place } = ground.furnished(course)
  const order = { place, operation: course.operation.name, log: join(ground.folder, 'trace') }
  const { calls, threads, ending } = await traced(ground.program, order)
  if (ending?.code !== undefined || ending === undefined)
    throw new Error(`${course.operation.name}: ${ending?.stack ?? 'it died'}`)
  const points = pointsOf(calls, threads, at)
  rmSync(at, { recursive: true })
  return points
}

/** Makes one call fail, or be the last, and judges what is left. */
export async function crash(ground: Ground, course: Course, point: Point, what: Injection): Promise<Crash> {
  const { at, place } = ground.furnished(course)
  try {
    const order = { place, operation: course.operation.name, log: join(ground.folder, 'trace') }
    const { calls, threads, ending, signal } = await traced(ground.program, order, { ...point, what })
    // Without -f strace names no threads.
    const own = calls.map((call) => ({ ...call, thread: threads[point.role] }))
    const hits = pointsOf(own, { main: -1, pool: -1, [point.role]: threads[point.role] }, at)
    const met = (
      what === 'kill' ? hits.filter(({ call }) => Number.isNaN(call.result)) : hits.filter(({ call }) => call.injected)
    )[0]
    // A thread that cannot wake another gives up: what failed then was no call of ours.
    if (signal !== null && what !== 'kill' && met !== undefined)
      return { shows: 'neither', wrong: [`it died of ${signal}`], met: met.text }
    const verdict = await judge(course, place, {
      ...(ending !== undefined && ending.code === undefined && { must: 'new' }),
    })
    const wrong = [...verdict.wrong]
    // When a recursive mkdir fails, Node answers what it finds when it asks what is there.
    const codes: readonly string[] = point.name === 'mkdir' ? [what, 'ENOENT'] : [what]
    if (ending?.code !== undefined && !codes.includes(ending.code))
      wrong.push(`the error is ${ending.code}: ${ending.stack}`)
    return { shows: verdict.shows, wrong, met: met?.text }
  } finally {
    rmSync(at, { recursive: true, force: true })
  }
}
