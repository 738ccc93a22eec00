import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { packCorpus, unpackCorpus } from './corpus-file.ts'
import { fixtures } from './fixtures.ts'
import { textOf } from './run/findings.ts'
import { minimise } from './run/minimise.ts'
import { reportOf } from './run/report.ts'
import { supervise, type Total } from './run/supervise.ts'
import { targetNamed, targetNames } from './targets/named.ts'

const usage = `npm run fuzz -- [options]

  --minutes N        CPU minutes, shared out evenly among the targets (default 1)
  --target NAME      only this one; may be given more than once: ${targetNames.join(', ')}
  --seed N           the same seed tries the same inputs in the same order
  --jobs N           processes at a time (default 1)
  --folder DIR       where corpora and findings go (default .fuzz/run)
  --corpus DIR       more inputs to begin with: the folder of another run
  --report FILE      writes what came of it, as Markdown
  --minimise         fuzzes nothing: keeps the smallest input for everything that the inputs of --folder and the corpus
                     that is checked in reach, and writes that corpus anew
  --keep FILE        adds an input that found something to those that are checked in for good
  --reproduce FILE   runs one input on one target, and shows the error
  --patience N       CPU seconds that one input may take (default 5)
  --stop N           ends after so many different findings
  --megabytes N      memory that a process may take (default 512)
`

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    target: { type: 'string', multiple: true },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    jobs: { type: 'string', default: '1' },
    folder: { type: 'string', default: '.fuzz/run' },
    corpus: { type: 'string', multiple: true, default: [] },
    report: { type: 'string' },
    minimise: { type: 'boolean', default: false },
    keep: { type: 'string' },
    reproduce: { type: 'string' },
    patience: { type: 'string', default: '5' },
    megabytes: { type: 'string', default: '512' },
    stop: { type: 'string', default: 'Infinity' },
    help: { type: 'boolean', default: false },
  },
})
const targets = values.target ?? [...targetNames]
const folder = resolve(values.folder)

if (values.help) process.stdout.write(usage)
else if (values.reproduce !== undefined) await reproduce(values.reproduce)
else if (values.keep !== undefined) keep(values.keep)
else if (values.minimise)
  for (const target of targets) await minimise(target, [folder, ...values.corpus, fixtures()], fixtures())
else await run()

async function reproduce(file: string): Promise<void> {
  const target = await targetNamed(targets[0]!)
  try {
    console.log(await target.run(readFileSync(file)))
  } catch (error) {
    console.error(textOf(error))
    process.exitCode = 1
  }
}

function keep(file: string): void {
  const packed = fixtures(`${targets[0]!}.found.gz`)
  const before = existsSync(packed) ? unpackCorpus(readFileSync(packed)) : []
  const input = readFileSync(file)
  if (before.some((one) => one.equals(input))) return
  writeFileSync(packed, packCorpus([...before, input]))
}

async function run(): Promise<void> {
  // Loads everything once, so that a name that is none is known before anything is started.
  for (const target of targets) await targetNamed(target)
  const seed = Number(values.seed)
  const seconds = (Number(values.minutes) * 60) / targets.length
  console.log(`seed ${seed}, ${targets.length} targets, ${seconds.toFixed(0)} CPU seconds each`)
  for (const target of targets) forget(target)
  mkdirSync(folder, { recursive: true })
  const started = performance.now()
  const findings: string[] = []
  const totals: Total[] = []
  const waiting = targets.map((target) => ({ target, seed, seconds }))
  let said = 0
  const work = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      totals.push(
        await supervise(job, {
          folder,
          corpus: [fixtures(), ...values.corpus],
          patience: Number(values.patience),
          megabytes: Number(values.megabytes),
          found({ target, kind, what, file }) {
            const finding = `${target}: ${kind}: ${what}`
            // Every process that works on a target finds the same things again.
            if (findings.includes(finding)) return
            findings.push(finding)
            console.log(`FOUND ${finding}\n  ${file}`)
          },
          enough: () => findings.length >= Number(values.stop),
          progress(total) {
            if (performance.now() - said < 10_000) return
            said = performance.now()
            console.log(line(total))
          },
        }),
      )
      console.log(`${line(totals.at(-1)!)}; done`)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, work))
  const clock = (performance.now() - started) / 1000
  const report = reportOf({ totals, findings, seed, minutes: values.minutes, jobs: values.jobs, clock })
  console.log(report)
  if (values.report !== undefined) writeFileSync(values.report, report)
  if (findings.length > 0) process.exitCode = 1
}

/** A run begins with what is checked in, not with what the last one left. */
function forget(target: string): void {
  rmSync(join(folder, target), { recursive: true, force: true })
  const findings = join(folder, 'findings')
  if (!existsSync(findings)) return
  for (const name of readdirSync(findings)) if (name.startsWith(`${target}-`)) rmSync(join(findings, name))
}

function line({ target, executions, cpu, kept, coverage, memory, slowest }: Total): string {
  const share = ((100 * coverage.run) / Math.max(1, coverage.all)).toFixed(1)
  const rate = Math.round(executions / Math.max(cpu, 0.1))
  return `${target.padEnd(9)} ${cpu.toFixed(0)} s, ${executions} inputs (${rate}/s), ${kept} kept, ${share} % of the code, ${memory.toFixed(0)} MB, slowest ${slowest.toFixed(0)} ms`
}
