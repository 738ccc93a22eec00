import { parseArgs } from 'node:util'
import { seed } from '../properties/seed.ts'
import { crowd } from './crowd.ts'

const { values } = parseArgs({
  options: {
    processes: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '300' },
    'kill-every': { type: 'string', default: '1' },
    on: { type: 'string' },
  },
})
const { counts, killed, wrong } = await crowd({
  processes: Number(values.processes),
  seconds: Number(values.seconds),
  killEvery: Number(values['kill-every']),
  seed,
  on: values.on,
})
for (const [what, count] of [...counts].sort()) console.log(`${String(count).padStart(6)} ${what}`)
for (const each of wrong) console.log(each)
const total = [...counts.values()].reduce((a, b) => a + b, 0)
console.log(
  `${total} operations of ${values.processes} processes in ${values.seconds} s, ${killed} of them killed; ${wrong.length} are wrong (seed ${seed})`,
)
process.exitCode = wrong.length > 0 ? 1 : 0
