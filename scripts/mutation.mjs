// Changes the code in small ways, one at a time, and sees whether a test notices (docs/mutation.md).
//
//   npm run mutation                      tar, layer, stack and union, one after the other; fails where fewer than 75 % are noticed
//   npm run mutation -- tar layer         only these
//   npm run mutation -- union --sample 400 --seed 7
//                                         so many lines of a folder, in runs of 20 drawn by a seed
//   npm run mutation -- tar --only src/tar/pax.ts
//                                         a file, or some of its lines (src/tar/pax.ts:10-20)
//   --again forgets what earlier runs found: .mutation/ keeps it, so that only what has changed is tried again
//   --survivors lists what nobody noticed
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { Stryker } from '@stryker-mutator/core'
import { folders } from '../test/mutation/folders.mjs'

const least = 75

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string' },
    seed: { type: 'string', default: '7' },
    only: { type: 'string', multiple: true },
    again: { type: 'boolean', default: false },
    survivors: { type: 'boolean', default: false },
  },
})
const chosen = positionals.length > 0 ? positionals : Object.keys(folders)
const unknown = chosen.find((folder) => !(folder in folders))
if (unknown) throw new Error(`no tests are known for ${unknown}: test/mutation/folders.mjs`)

mkdirSync('.mutation', { recursive: true })
const rows = []
for (const folder of chosen) rows.push(await mutate(folder))
if (rows.length > 1) {
  rows.push(rows.reduce((a, b) => Object.fromEntries(Object.keys(a).map((key) => [key, a[key] + b[key]]))))
  rows.at(-1).folder = 'all'
}
console.log(table(rows))
// Where nothing was found there is no score, and nothing was shown.
for (const row of rows.filter((row) => !(score(row) >= least))) {
  console.log(`${row.folder}: fewer than ${least} % were noticed`)
  process.exitCode = 1
}

async function mutate(folder) {
  const kept = `.mutation/${folder}.json`
  if (values.again) rmSync(kept, { force: true })
  const started = Date.now()
  // The processes that run the tests read it.
  process.env.PLYFS_MUTATED = folder
  const found = await new Stryker({
    mutate:
      values.only ??
      (values.sample ? lines(folder, Number(values.sample), Number(values.seed)) : [`src/${folder}/**/*.ts`]),
    testRunner: 'plyfs',
    plugins: ['./test/mutation/runner.mjs'],
    coverageAnalysis: 'perTest',
    // What runs when a module is loaded would need a process for each mutant.
    ignoreStatic: true,
    concurrency: 2,
    maxTestRunnerReuse: 500,
    // Nothing here needs it, and TypeScript 7 has none of the functions that Stryker would call.
    tsconfigFile: '.mutation/none',
    disableTypeChecks: false,
    tempDirName: '.mutation/work',
    // What is kept is of a whole folder: a part of it would be told together with the rest.
    incremental: !values.only && !values.sample,
    incrementalFile: kept,
    ignorePatterns: ['/*', '!/src', '!/test', '!/package.json', '/test/e2e'],
    reporters: ['json', 'progress-append-only'],
    jsonReporter: { fileName: `.mutation/report-${folder}.json` },
    // A busy machine is no proof of a loop.
    timeoutMS: 10_000,
    timeoutFactor: 4,
    dryRunTimeoutMinutes: 15,
    allowConsoleColors: false,
  }).runMutationTest()
  const count = (status) => found.filter((one) => one.status === status).length
  const row = {
    folder,
    mutants: found.length,
    killed: count('Killed'),
    timeout: count('Timeout'),
    survived: count('Survived'),
    uncovered: count('NoCoverage'),
    static: count('Ignored'),
    failed: count('RuntimeError') + count('CompileError'),
  }
  const seconds = Math.round((Date.now() - started) / 1000)
  console.log(`${folder}: ${seconds} s`)
  const left = found
    .filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
    .map(tell)
    .sort()
  writeFileSync(`.mutation/survivors-${folder}.txt`, `${left.join('\n')}\n`)
  if (values.survivors) console.log(left.join('\n'))
  return row
}

function tell({ fileName, location: { start, end }, mutatorName, replacement, status }) {
  const lines = readFileSync(fileName, 'utf8')
    .split('\n')
    .slice(start.line - 1, end.line)
  lines[lines.length - 1] = lines.at(-1).slice(0, end.column - 1)
  lines[0] = lines[0].slice(start.column - 1)
  const was = lines.map((line) => line.trim()).join(' ')
  const place = `${relative('.', fileName)}:${start.line}:${start.column}`
  const put = replacement.replace(/\s+/g, ' ')
  return `${place} ${status === 'NoCoverage' ? 'not run ' : ''}${mutatorName}: ${was.slice(0, 120)} -> ${put.slice(0, 120)}`
}

/** Only what a test failed on was noticed: what ran out of time may have met a busy machine. What cannot be tried counts for nothing. */
function score({ killed, timeout, survived, uncovered }) {
  return (100 * killed) / (killed + timeout + survived + uncovered)
}

function table(rows) {
  const body = rows.map((row) => [
    row.folder,
    row.mutants - row.static - row.failed,
    row.killed,
    row.timeout,
    row.survived,
    row.uncovered,
    `${score(row).toFixed(1)} %`,
    row.static,
    row.failed,
  ])
  return [
    ['folder', 'mutants', 'killed', 'timeout', 'survived', 'no coverage', 'score', 'at loading', 'failed'],
    Array(9).fill('---'),
    ...body,
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

/** Runs of 20 lines, drawn by a seed (mulberry32) from all lines of a folder. */
function lines(folder, many, seed) {
  const long = 20
  const runs = []
  for (const name of readdirSync(`src/${folder}`, { recursive: true }).sort()) {
    if (!name.endsWith('.ts')) continue
    const file = join('src', folder, name)
    const last = readFileSync(file, 'utf8').split('\n').length
    for (let from = 1; from < last; from += long) runs.push(`${file}:${from}-${Math.min(from + long, last)}`)
  }
  let state = seed | 0
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const drawn = []
  while (drawn.length * long < many && runs.length > 0)
    drawn.push(...runs.splice(Math.floor(random() * runs.length), 1))
  console.log(`${folder}: ${drawn.length} runs of ${long} lines, seed ${seed}`)
  return drawn.sort()
}
