import { parseArgs } from 'node:util'
import { Dice, seed } from '../properties/seed.ts'
import { crash, type Point, pointsIn } from './crashes.ts'
import { type Course, Ground } from './ground.ts'
import { operations, sequels } from './operations.ts'
import { cuts, cutsAfterDeath, type Recording, record } from './power-cuts.ts'
import type { Injection } from './tracing.ts'
import type { Verdict } from './verdict.ts'

const { values } = parseArgs({
  options: {
    operation: { type: 'string', default: '' },
    inject: { type: 'string', multiple: true, default: ['kill', 'EIO', 'ENOSPC', 'EROFS', 'EDQUOT', 'power', 'both'] },
    every: { type: 'string', default: '1' },
    on: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
})
const every = Number(values.every)
/** How often a point is tried that was not met. */
const turns = 4
const counts = {
  points: 0,
  listed: 0,
  met: 0,
  states: 0,
  old: 0,
  new: 0,
  both: 0,
  between: 0,
  known: 0,
  neither: 0,
  wrong: 0,
}

function count({ shows, wrong }: Verdict, what: string): void {
  counts[shows]++
  if (values.verbose) console.log(`  ${what} → ${shows}`)
  if (wrong.length === 0) return
  counts.wrong++
  console.log([what, ...wrong.slice(0, 12)].join('\n    '))
}

async function crashes(ground: Ground, course: Course, injections: readonly Injection[]): Promise<void> {
  const all = await pointsIn(ground, course)
  const points = all.filter((_, i) => i % every === seed % every)
  if (values.list) for (const { text } of points) console.log(`  ${text}`)
  for (const what of injections) {
    const met = new Set<Point>()
    let tries = 0
    // Where threads took turns in another order, another call was met: that counts, and this one is tried again.
    for (let turn = 0; turn < turns; turn++)
      for (const point of points) {
        if (met.has(point)) continue
        const result = await crash(ground, course, point, what)
        if (result.met === point.text) met.add(point)
        count(result, `${course.operation.name}: ${what} at ${result.met ?? `${point.text}, not met`}`)
        tries++
      }
    counts.points += tries
    counts.met += met.size
    counts.listed += points.length
    console.log(
      `${course.operation.name}: ${what}: ${points.length} of ${all.length} points, ${met.size} met as recorded in ${tries} tries`,
    )
  }
}

async function powerCuts(ground: Ground, course: Course, cut: boolean, sequel: boolean): Promise<void> {
  const recording = await record(ground, course)
  if (sequel) await afterDeaths(ground, recording)
  if (!cut) return
  let states = 0
  for (const cut of cuts(recording, new Dice(seed))) {
    count(await cut.judge(ground), `${course.operation.name}: power lost ${cut.what}`)
    states++
  }
  counts.states += states
  console.log(`${course.operation.name}: ${states} states of a disk that lost power`)
}

/** Every fifth moment: the next process has to run for each. */
const fewer = (all: readonly number[]): readonly number[] =>
  all.filter((_, i) => i % (5 * every) === seed % (5 * every))

async function afterDeaths(ground: Ground, recording: Recording): Promise<void> {
  const { name } = recording.course.operation
  for (const then of sequels.filter(([died]) => died === name).map(([, next]) => next)) {
    const operation = operations.find((each) => each.name === then)!
    let states = 0
    for await (const cut of cutsAfterDeath(ground, recording, operation, fewer, new Dice(seed))) {
      count(await cut.judge(ground), `${name}: power lost ${cut.what}`)
      states++
    }
    counts.states += states
    console.log(`${name}, a death, ${then}: ${states} states of a disk that lost power`)
  }
}

console.log(`seed ${seed}`)
const ground = await Ground.prepare(values.on)
try {
  const pattern = new RegExp(values.operation)
  for (const operation of operations.filter(({ name }) => pattern.test(name))) {
    const course = await ground.course(operation)
    const injections = values.inject.filter((each) => each !== 'power' && each !== 'both') as Injection[]
    if (injections.length > 0) await crashes(ground, course, injections)
    const [power, both] = [values.inject.includes('power'), values.inject.includes('both')]
    if (power || both) await powerCuts(ground, course, power, both)
  }
} finally {
  ground[Symbol.dispose]()
}
const { points, listed, met, states, wrong, neither } = counts
console.log(`${points} crashes (${met} of ${listed} points met as recorded) and ${states} states after a loss of power`)
console.log(`${counts.old} show the old store, ${counts.new} the new one, ${counts.both} what is the same in both`)
console.log(`${counts.known} differ from another one in temporary files and locks alone`)
console.log(`${counts.between} show a container that was being written, ${neither} a mixture, ${wrong} are wrong`)
process.exitCode = wrong > 0 ? 1 : 0
