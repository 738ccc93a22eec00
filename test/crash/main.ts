import { parseArgs } from 'node:util'
import type { Result } from './aftermath.ts'
import { Crashes } from './crashes.ts'
import { cuts } from './cuts.ts'
import { type Form, forms } from './forms.ts'
import { type Scenario, scenarios } from './scenarios.ts'
import type { Injection } from './strace.ts'

const { values } = parseArgs({
  options: {
    form: { type: 'string', multiple: true, default: [...forms] },
    scenario: { type: 'string', default: '' },
    inject: { type: 'string', multiple: true, default: ['kill', 'EIO', 'ENOSPC', 'EROFS'] },
    on: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
})
const injections = values.inject as Injection[]
const counts = { points: 0, old: 0, new: 0, neither: 0, wrong: 0, between: 0, cuts: 0 }

function count({ shows, wrong, between }: Result, what: string): void {
  counts[shows]++
  counts.between += between.length
  if (values.verbose)
    console.log(`  ${what} → ${shows}${between.length > 0 ? ` (times of ${between.join(', ')})` : ''}`)
  if (wrong.length === 0) return
  counts.wrong++
  console.log([what, ...wrong.slice(0, 12)].join('\n    '))
}

/** Cut lengths to try: each costs a copy of the upper and an opening. */
const everyFew = (lengths: readonly number[]): readonly number[] => lengths.filter((_, i) => i % 4 === 0)

function tryAll(crashes: Crashes, form: Form, scenario: Scenario): void {
  const course = crashes.course(form, scenario)
  if (typeof course === 'string') {
    console.log(`${form}: ${scenario.name}: refused with ${course}`)
    return
  }
  const { calls } = course
  if (values.verbose) console.log(`${form}: ${scenario.name}: ${calls.length} points`)
  for (const injection of injections) {
    for (const [number, { text }] of calls.entries()) {
      counts.points++
      const what = `${form}: ${scenario.name}: ${injection} at ${number + 1} of ${calls.length}: ${text}`
      count(crashes.point(course, number, injection), what)
    }
  }
  if (form !== 'portable' || !injections.includes('kill')) return
  for (const result of cuts(crashes.ground, scenario, everyFew)) {
    counts.cuts++
    count(result, `${form}: ${scenario.name}: a log that was cut off`)
  }
}

const crashes = await Crashes.prepare(values.on)
try {
  if (crashes.ground.whyNoKernel) console.log(`the kernel is not asked: ${crashes.ground.whyNoKernel}`)
  const pattern = new RegExp(values.scenario)
  for (const form of forms.filter((each) => values.form.includes(each)))
    for (const scenario of scenarios.filter(({ name }) => pattern.test(name))) tryAll(crashes, form, scenario)
} finally {
  crashes[Symbol.dispose]()
}
console.log(
  `${counts.points} crash points and ${counts.cuts} cuts: ${counts.old} show the old state, ${counts.new} the new one`,
)
console.log(`${counts.between} modify times are those of a moment between`)
console.log(`${counts.wrong} are wrong, ${counts.neither} of them a mixture`)
process.exitCode = counts.wrong > 0 ? 1 : 0
