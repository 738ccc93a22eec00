import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { filesByKind, randomFrom, specimen } from './rotten-store.ts'
import { everything, type Outcome, trialsOf, tried, whyNoMounts } from './trial.ts'

const usage = `npm run rot -- [options]

Turns one byte over in a store with a file of every kind, again and again: it has to be found by the level of fsck that
claims to, nothing that is served may show it, and a repair has to bring everything back.

  --times N   how often (default 1000)
  --seed N    the same seed turns the same bytes over
`

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(usage)
else process.exitCode = (await run(Number(values.times), Number(values.seed))) === 0 ? 0 : 1

async function run(times: number, seed: number): Promise<number> {
  console.log(`seed ${seed}, ${times} times`)
  if (whyNoMounts() !== undefined) console.log(`without mounts: ${whyNoMounts()}`)
  const random = randomFrom(seed)
  const home = mkdtempSync(join(tmpdir(), 'ply-rot-'))
  try {
    const whole = await specimen(home, random)
    const answers = await everything(whole)
    const counts = new Map<string, number>()
    const failures: Outcome[] = []
    let done = 0
    for (const trial of trialsOf(whole, filesByKind(whole.root), times, random)) {
      if (++done % 50 === 0) console.log(`${done} …`)
      const outcome = await tried(whole, answers, trial)
      counts.set(trial.kind, (counts.get(trial.kind) ?? 0) + 1)
      if (outcome.failure === undefined) continue
      failures.push(outcome)
      console.log(JSON.stringify(outcome))
    }
    for (const [kind, count] of [...counts].sort()) console.log(`${String(count).padStart(6)}  ${kind}`)
    console.log(`${times} bytes turned over, ${failures.length} not found, served or not healed`)
    return failures.length
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}
