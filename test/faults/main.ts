/** Kills the server of a FUSE mount while programs work in it, for a given time; see scripts/fuse-faults.mjs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { UpperForm } from '../../src/store/containers/uppers.ts'
import { dice } from './choosing.ts'
import { Rounds, ways } from './rounds.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    on: { type: 'string', default: tmpdir() },
    seed: { type: 'string', default: `${Date.now() % 1e9}` },
    form: { type: 'string', multiple: true, default: ['overlay', 'portable'] },
    programs: { type: 'string', default: '3' },
    keep: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
})
const end = Date.now() + 60_000 * Number(values.minutes)
const chance = dice(Number(values.seed))
const work = mkdtempSync(join(values.on, 'ply-faults-'))
const totals = { rounds: 0, steps: 0, pending: 0, wrong: 0 }
let bad = false
console.log(`seed ${values.seed}`)
try {
  const forms = values.form as UpperForm[]
  const rounds = await Rounds.make(work, forms, Number(values.programs))
  while (Date.now() < end && !bad) {
    const form = forms[totals.rounds % forms.length]!
    const way = ways[chance(10) < 6 ? 0 : 1 + chance(ways.length - 1)]!
    const { steps, pending, wrong } = await rounds.round(form, way, chance, end)
    totals.rounds++
    totals.steps += steps
    totals.pending += pending
    totals.wrong += wrong.length
    bad = wrong.length > 0
    if (bad || values.verbose || totals.rounds % 20 === 0)
      console.log(
        [`round ${totals.rounds}, ${form}, ${way}: ${steps} steps, ${pending} unanswered`, ...wrong.slice(0, 30)].join(
          '\n    ',
        ),
      )
  }
  const findings = await rounds.findings('caches')
  bad ||= findings.length > 0
  console.log(findings.length === 0 ? 'fsck: sound' : JSON.stringify(findings, undefined, 2))
} catch (error) {
  bad = true
  console.error(error)
} finally {
  if (bad && values.keep) console.log(`kept: ${work}`)
  else rmSync(work, { recursive: true, force: true })
}
const { rounds, steps, pending, wrong } = totals
console.log(`${rounds} rounds, ${steps} steps answered, ${pending} unanswered, ${wrong} wrong`)
process.exitCode = bad ? 1 : 0
