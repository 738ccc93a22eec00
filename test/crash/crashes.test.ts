import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { whyNoOverlay } from '../overlay/able.ts'
import { Dice, seed } from '../properties/seed.ts'
import { type Course, Crashes } from './crashes.ts'
import { cuts } from './cuts.ts'
import { type Form, forms, isPortable } from './forms.ts'
import { type Scenario, scenarios } from './scenarios.ts'
import type { Injection } from './strace.ts'

/** All points of these are tried each time: what a crash may hurt most. */
const always: readonly (readonly [Form, string])[] = [
  ['trusted', 'copy-up of a hardlinked file with xattrs'],
  ['trusted', 'rename of a lower directory'],
  ['trusted', 'exchange of lower files'],
  ['portable', 'copy-up of a file with holes'],
  ['portable', 'rename of a file over the copied-up name of a group'],
]
const injections: readonly Injection[] = ['kill', 'kill', 'kill', 'EIO', 'ENOSPC', 'EROFS']
/** All of them: `node scripts/crash-upper.mjs`. */
const budget = { seconds: 30, pointsOfOne: 6, cutsOfOne: 2 }

const unable = whyNotTraced()
const noOverlay = whyNoOverlay()
let crashes: Crashes | undefined

beforeAll(async () => {
  if (unable === undefined) crashes = await Crashes.prepare()
  else if (process.env.CI && process.getuid?.() === 0) throw new Error(`no crashes on CI: ${unable}`)
  else console.log(`crashes at system calls: skipped, ${unable}`)
  if (noOverlay !== undefined) console.log(`crashes in overlayfs's form: skipped, ${noOverlay}`)
  if (crashes?.ground.whyNoKernel)
    console.log(`what the kernel shows after a crash: skipped, ${crashes.ground.whyNoKernel}`)
})
afterAll(() => crashes?.[Symbol.dispose]())

test('a process that dies, or fails, at any system call leaves the old state or the new one', ({ skip }) => {
  if (!crashes) skip(unable)
  const dice = new Dice(seed)
  const until = Date.now() + budget.seconds * 1000
  const shown = { old: 0, new: 0, neither: 0 }
  const wrong: string[] = []
  const attempt = (course: Course, number: number, injection: Injection): void => {
    const result = crashes!.point(course, number, injection)
    shown[result.shows]++
    const where = `${course.form}: ${course.scenario.name}: ${injection} at ${course.calls[number]!.text}`
    if (result.wrong.length > 0) wrong.push([where, ...result.wrong.slice(0, 8)].join('\n  '))
  }
  const courseOf = (form: Form, scenario: Scenario): Course | undefined => {
    const course = noOverlay !== undefined && !isPortable(form) ? '' : crashes!.course(form, scenario)
    return typeof course === 'string' ? undefined : course
  }
  for (const [form, name] of always) {
    const course = courseOf(form, scenarios.find((each) => each.name === name)!)
    for (const number of course?.calls.keys() ?? []) attempt(course!, number, 'kill')
  }
  while (Date.now() < until) {
    const course = courseOf(dice.pick(forms), dice.pick(scenarios))
    if (!course) continue
    for (let i = 0; i < budget.pointsOfOne && course.calls.length > 0; i++)
      attempt(course, dice.below(course.calls.length), dice.pick(injections))
  }
  const points = shown.old + shown.new + shown.neither
  console.log(`${points} crash points: ${shown.old} old, ${shown.new} new, ${shown.neither} neither (seed ${seed})`)
  expect(wrong).toEqual([])
}, 300_000)

test('a log that was cut off in the middle of a record says what was before it, or all of it', ({ skip }) => {
  if (!crashes) skip(unable)
  const dice = new Dice(seed)
  const choose = (lengths: readonly number[]) => dice.shuffled(lengths).slice(0, budget.cutsOfOne)
  const results = scenarios.flatMap((scenario) => cuts(crashes!.ground, scenario, choose))
  console.log(`${results.length} cuts (seed ${seed})`)
  expect(results.flatMap(({ wrong }) => wrong)).toEqual([])
})

function whyNotTraced(): string | undefined {
  if (process.platform !== 'linux') return 'strace needs Linux'
  const { error, status, stderr } = spawnSync('strace', ['-o', '/dev/null', 'true'], { encoding: 'utf8' })
  if (error) return `no strace: ${error.message}`
  return status === 0 ? undefined : `strace may not trace here: ${stderr}`
}
