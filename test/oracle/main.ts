import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Arena, type Line, lines } from './arena.ts'
import { campaign } from './campaign.ts'
import { type DiskName, diskNames, plainFolder, type TestDisk, testDisk, whyNoDisk } from './disk.ts'
import { Tally } from './engine.ts'
import { shared } from './jobs.ts'
import { failureText, reportOf, type Script, type Summary } from './report.ts'
import { replay } from './run.ts'

const usage = `npm run oracle -- [options]

  --ops N            operations (default 100,000)
  --seed S           the same seed does the same things
  --jobs J           processes at a time (default 1)
  --line NAME        what is compared with what; may be given more than once: ${lines.map(({ name }) => name).join(', ')}
  --system NAME      of a line, compares only this one with the oracle; may be given more than once
  --disk NAME        what everything lies on: ${diskNames.join(', ')} (default tmpfs); may be given more than once
  --stop N           ends after so many failures (default 5)
  --folder DIR       where failures are written (default .oracle/failures)
  --report FILE      writes what was done, as Markdown
  --replay FILE      runs one failure again
`

// Most operations are refused, and a stack trace costs more than the operation.
Error.stackTraceLimit = 0

const { values } = parseArgs({
  options: {
    ops: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    jobs: { type: 'string', default: '1' },
    line: { type: 'string', multiple: true },
    system: { type: 'string', multiple: true },
    disk: { type: 'string', multiple: true, default: ['tmpfs'] },
    stop: { type: 'string', default: '5' },
    folder: { type: 'string', default: '.oracle/failures' },
    report: { type: 'string' },
    replay: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(usage)
else if (values.replay !== undefined) process.exitCode = await again(values.replay)
else if (Number(values.jobs) > 1) process.exitCode = await inProcesses()
else process.exitCode = await here()

async function again(file: string): Promise<number> {
  const { line: name, disk, sequences } = JSON.parse(readFileSync(file, 'utf8')) as Script
  const line = chosen([name])[0]!
  const on = disk === 'here' ? plainFolder() : testDisk(disk as DiskName)
  try {
    const difference = await replay(new Arena(on), line, sequences, new Tally())
    console.log(difference === undefined ? 'no difference' : failureText({ line, sequences, difference }))
    return difference === undefined ? 0 : 1
  } finally {
    on.close()
  }
}

function chosen(names: readonly string[] | undefined): Line[] {
  const known = names?.map((name) => {
    const line = lines.find((one) => one.name === name)
    if (line === undefined) throw new Error(`no line is named ${name}`)
    return line
  })
  const only = values.system
  return (known ?? lines).map((line) => {
    const [oracle, ...others] = line.systems
    return only === undefined
      ? line
      : { ...line, systems: [oracle!, ...others.filter((name) => name === 'model' || only.includes(name))] }
  })
}

async function here(): Promise<number> {
  const disks: TestDisk[] = []
  try {
    const names = values.disk as DiskName[]
    const reasons = names.map(whyNoDisk)
    reasons.forEach((reason, i) => {
      if (reason === undefined) disks.push(testDisk(names[i]!))
      else console.log(`not on ${names[i]}: ${reason}`)
    })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        for (const disk of disks) disk.close()
        process.exit(130)
      })
    }
    const privileged = disks.length > 0
    if (!privileged) disks.push(plainFolder())
    const lines = chosen(values.line).filter(({ root }) => privileged || !root)
    const started = performance.now()
    let said = started
    console.log(
      `seed ${values.seed}: ${lines.map(({ name }) => name).join(', ')} on ${disks.map(({ name }) => name).join(', ')}`,
    )
    const { tally, failures } = await campaign({
      operations: Number(values.ops),
      seed: values.seed,
      lines,
      disks,
      stop: Number(values.stop),
      folder: values.folder,
      found: (text, file) => console.log(`\nFOUND ${file}\n${text}\n`),
      progress({ operations }) {
        if (performance.now() - said < 30_000) return
        said = performance.now()
        console.log(`${operations} operations`)
      },
    })
    const { user, system } = process.cpuUsage()
    const summary: Summary = {
      operations: tally.operations,
      kinds: [...tally.kinds],
      errors: [...tally.errors],
      forgiven: [...tally.forgiven],
      systems: lines.map(({ name, systems }) => [name, systems]),
      disks: disks.map(({ name }) => name),
      cpu: (user + system) / 1e6,
      failures,
    }
    if (process.send) process.send(summary)
    else tell(summary, (performance.now() - started) / 1000)
    return failures.length === 0 ? 0 : 1
  } finally {
    for (const disk of disks) disk.close()
  }
}

/** The same work shared out, each process with a seed of its own. */
async function inProcesses(): Promise<number> {
  const started = performance.now()
  const jobs = Number(values.jobs)
  const places = (['line', 'system', 'disk'] as const).flatMap((name) =>
    (values[name] ?? []).flatMap((one) => [`--${name}`, one]),
  )
  const summary = await shared(jobs, (job) => [
    ...['--ops', String(Math.ceil(Number(values.ops) / jobs)), '--seed', `${values.seed}.${job}`],
    ...['--stop', values.stop, '--folder', values.folder],
    ...places,
  ])
  tell(summary, (performance.now() - started) / 1000)
  return summary.failures.length === 0 ? 0 : 1
}

function tell(summary: Summary, clock: number): void {
  const report = reportOf(summary, values.seed, Number(values.jobs), clock)
  console.log(report)
  if (values.report !== undefined) writeFileSync(values.report, report)
}
