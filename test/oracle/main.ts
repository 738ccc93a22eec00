import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Arena, lines } from './arena.ts'
import { type DiskName, testDisk } from './disk.ts'
import { Tally } from './engine.ts'
import { failureText, type Script } from './report.ts'
import { replay, runBatch } from './run.ts'
import { shrink } from './shrink.ts'

Error.stackTraceLimit = 0
const { values } = parseArgs({
  options: {
    ops: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    line: { type: 'string', multiple: true },
    stop: { type: 'string', default: '1' },
    disk: { type: 'string', default: 'tmpfs' },
    replay: { type: 'string' },
    folder: { type: 'string', default: '.oracle/failures' },
  },
})
const arena = new Arena(testDisk(values.disk as DiskName))
try {
  process.exitCode = values.replay !== undefined ? await again(values.replay) : await run()
} finally {
  arena.close()
}

async function again(file: string): Promise<number> {
  const { line: name, sequences } = JSON.parse(readFileSync(file, 'utf8')) as Script
  const line = lines.find((one) => one.name === name)!
  const difference = await replay(arena, line, sequences, new Tally())
  console.log(difference === undefined ? 'no difference' : failureText({ line, sequences, difference }))
  return difference === undefined ? 0 : 1
}

async function run(): Promise<number> {
  console.log(`seed ${values.seed}`)
  const tally = new Tally()
  const chosen = lines.filter(({ name }) => (values.line ?? ['redirect,index']).includes(name))
  const failures: string[] = []
  const size = { sequences: 50, operations: 60 }
  for (let batch = 0; tally.operations < Number(values.ops) && failures.length < Number(values.stop); batch++) {
    const line = chosen[batch % chosen.length]!
    const failure = await runBatch(arena, line, `${values.seed}/${batch}`, size, tally)
    if (failure === undefined) continue
    const small = await shrink(arena, failure)
    mkdirSync(values.folder, { recursive: true })
    const file = join(values.folder, `${values.seed}-${batch}.json`)
    writeFileSync(file, JSON.stringify({ line: line.name, sequences: small.sequences } satisfies Script))
    console.log(`\nFOUND ${file}\n${failureText(small)}`)
    failures.push(file)
  }
  const cpu = process.cpuUsage()
  const seconds = (cpu.user + cpu.system) / 1e6
  console.log(`${tally.operations} operations, ${seconds.toFixed(1)} CPU seconds, ${failures.length} failures`)
  console.log(tally.forgiven)
  console.table(Object.fromEntries([...tally.kinds].sort()))
  console.log(tally.errors)
  return failures.length === 0 ? 0 : 1
}
