import { parseArgs } from 'node:util'
import { Arena, lines } from './arena.ts'
import { Tally } from './engine.ts'
import { operationText } from './operations.ts'
import { runBatch } from './run.ts'

Error.stackTraceLimit = 0
const { values } = parseArgs({
  options: {
    ops: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    line: { type: 'string', multiple: true },
    show: { type: 'string', default: '0' },
    stop: { type: 'string', default: '1' },
  },
})
console.log(`seed ${values.seed}`)
const abilities = { unnamed: false, allocate: false, orphans: false }
const arena = new Arena(abilities)
const tally = new Tally()
const chosen = lines.filter(({ name }) => (values.line ?? ['redirect,index']).includes(name))
let failures = 0
try {
  for (let batch = 0; tally.operations < Number(values.ops); batch++) {
    const line = chosen[batch % chosen.length]!
    const failure = await runBatch(
      arena,
      line,
      `${values.seed}/${batch}`,
      { sequences: 50, operations: 60 },
      abilities,
      tally,
    )
    if (failure === undefined) continue
    const { difference, sequences } = failure
    const last = sequences[difference.sequence]!
    console.log(JSON.stringify(difference, undefined, 1))
    const upTo = typeof difference.at === 'number' ? difference.at : last.operations.length - 1
    for (const operation of last.operations.slice(Math.max(0, upTo - Number(values.show)), upTo + 1))
      console.log(operationText(operation))
    if (++failures >= Number(values.stop)) break
  }
} finally {
  arena.close()
}
console.log(tally.operations, process.cpuUsage().user / 1e6, tally.forgiven)
