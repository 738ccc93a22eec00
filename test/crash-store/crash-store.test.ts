import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Dice, seed } from '../properties/seed.ts'
import { crash, pointsIn } from './crashes.ts'
import { type Course, Ground } from './ground.ts'
import { operations } from './operations.ts'
import { cuts, record } from './power-cuts.ts'
import type { Injection } from './tracing.ts'
import type { Verdict } from './verdict.ts'

/** All of them: `npm run crash`. */
const budget = { seconds: 25, points: 4, cuts: 60 }
const injections: readonly Injection[] = ['kill', 'kill', 'kill', 'EIO', 'ENOSPC', 'EROFS', 'EDQUOT']

const unable = whyNotTraced()
let ground: Ground | undefined
const courses = new Map<string, Promise<Course>>()

beforeAll(async () => {
  // What is looked at is what the harness lets through, not what a disk does.
  if (unable === undefined) ground = await Ground.prepare(existsSync('/dev/shm') ? '/dev/shm' : tmpdir())
  else if (process.env.CI && process.getuid?.() === 0) throw new Error(`no crashes on CI: ${unable}`)
  else console.log(`crashes of a store: skipped, ${unable}`)
})
afterAll(() => ground?.[Symbol.dispose]())

const courseOf = (operation: (typeof operations)[number]): Promise<Course> => {
  const known = courses.get(operation.name) ?? ground!.course(operation)
  courses.set(operation.name, known)
  return known
}

/** Goes on with operations in a random order until the time is up; answers what is wrong. */
async function some(
  act: (course: Course, dice: Dice, note: (verdict: Verdict, what: string) => void) => Promise<void>,
) {
  const dice = new Dice(seed)
  const until = Date.now() + budget.seconds * 1000
  const shown = { old: 0, new: 0, both: 0, between: 0, known: 0, neither: 0 }
  const wrong: string[] = []
  const order = dice.shuffled(operations)
  for (let i = 0; Date.now() < until; i++) {
    const operation = order[i % order.length]!
    await act(await courseOf(operation), dice, (verdict, what) => {
      shown[verdict.shows]++
      if (verdict.wrong.length > 0)
        wrong.push([`${operation.name}: ${what}`, ...verdict.wrong.slice(0, 8)].join('\n  '))
    })
  }
  const total = Object.values(shown).reduce((a, b) => a + b)
  const told = Object.entries(shown).map(([what, count]) => `${count} ${what}`)
  return { wrong, told: `${total}: ${told.join(', ')} (seed ${seed})` }
}

test('a process that dies, or fails, at any system call leaves the old store or the new one', async ({ skip }) => {
  if (!ground) skip(unable)
  const { wrong, told } = await some(async (course, dice, note) => {
    const points = await pointsIn(ground!, course)
    for (const point of dice.shuffled(points).slice(0, budget.points)) {
      const what = dice.pick(injections)
      const result = await crash(ground!, course, point, what)
      note(result, `${what} at ${result.met ?? point.text}`)
    }
  })
  console.log(`crash points of a store: ${told}`)
  expect(wrong).toEqual([])
}, 240_000)

test('a disk that loses whatever was not synced holds the old store or the new one, and the new one once that was said', async ({
  skip,
}) => {
  if (!ground) skip(unable)
  const { wrong, told } = await some(async (course, dice, note) => {
    const all = [...cuts(await record(ground!, course), dice)]
    for (const cut of dice.shuffled(all).slice(0, budget.cuts)) note(await cut.judge(ground!), `power lost ${cut.what}`)
  })
  console.log(`states of a store after a loss of power: ${told}`)
  expect(wrong).toEqual([])
}, 240_000)

function whyNotTraced(): string | undefined {
  if (process.platform !== 'linux') return 'strace needs Linux'
  if (process.getuid?.() !== 0) return 'only root may attach to threads of other processes everywhere'
  const { error, status, stderr } = spawnSync('strace', ['-o', '/dev/null', 'true'], { encoding: 'utf8' })
  if (error) return `no strace: ${error.message}`
  return status === 0 ? undefined : `strace may not trace here: ${stderr}`
}
