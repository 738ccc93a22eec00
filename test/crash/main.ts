import { parseArgs } from 'node:util'
import { Crashes } from './crashes.ts'
import { forms } from './forms.ts'
import { scenarios } from './scenarios.ts'
import type { Injection } from './strace.ts'

const { values } = parseArgs({
  options: {
    form: { type: 'string', multiple: true, default: [...forms] },
    scenario: { type: 'string', default: '' },
    inject: { type: 'string', multiple: true, default: ['kill', 'EIO', 'ENOSPC', 'EROFS'] },
    verbose: { type: 'boolean', default: false },
  },
})
const crashes = await Crashes.prepare()
process.on('exit', () => crashes[Symbol.dispose]())
if (crashes.whyNoKernel) console.log(`the kernel is not asked: ${crashes.whyNoKernel}`)
const counts = { points: 0, old: 0, new: 0, neither: 0, wrong: 0 }
const between = new Map<string, number>()
const pattern = new RegExp(values.scenario)
for (const form of forms.filter((each) => values.form.includes(each))) {
  for (const scenario of scenarios.filter(({ name }) => pattern.test(name))) {
    const course = crashes.course(form, scenario)
    if (typeof course === 'string') {
      console.log(`${form}: ${scenario.name}: refused with ${course}`)
      continue
    }
    if (values.verbose) console.log(`${form}: ${scenario.name}: ${course.calls.length} points`)
    for (const injection of values.inject as Injection[]) {
      for (const [number, call] of course.calls.entries()) {
        const { shows, wrong, between: times } = crashes.point(course, number, injection)
        counts.points++
        counts[shows]++
        for (const each of times)
          between.set(
            `${form}: ${scenario.name}: ${each}`,
            (between.get(`${form}: ${scenario.name}: ${each}`) ?? 0) + 1,
          )
        if (values.verbose)
          console.log(
            `  ${injection} ${number} ${call.text} → ${shows}${times.length > 0 ? ` (times of ${times.join(', ')})` : ''}`,
          )
        if (wrong.length === 0) continue
        counts.wrong++
        console.log(`${form}: ${scenario.name}: ${injection} at ${number + 1} of ${course.calls.length}: ${call.text}`)
        for (const each of wrong.slice(0, 12)) console.log(`    ${each}`)
      }
    }
  }
}
console.log(
  `${counts.points} crash points: ${counts.old} show the old state, ${counts.new} the new one, ${counts.neither} neither; ${counts.wrong} wrong`,
)
console.log(`modify times of a moment between: ${[...between.values()].reduce((a, b) => a + b, 0)}`)
process.exitCode = counts.wrong > 0 ? 1 : 0
