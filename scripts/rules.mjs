// Which tests hold which rule of docs/layer-semantics.md.
//
//   npm run rules                     every rule with the tests that name it; fails if one has none
//   npm run rules -- --mutate 20      and switches 20 random rules off in the code, one after the other: each time a test
//                                     that names the rule must fail (test/rules says how a rule is switched off)
//   npm run rules -- --mutate all     all of them
//   npm run rules -- --rule N-02      the ones given
//   --seed N repeats a choice, --quiet leaves the list out; --report FILE takes the tests from what vitest's JSON reporter has just said of
//   them (those that ran) instead of listing them once more, which takes most of a minute
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    mutate: { type: 'string' },
    rule: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    quiet: { type: 'boolean', default: false },
    report: { type: 'string' },
  },
})
const scratch = mkdtempSync(join(tmpdir(), 'plyfs-rules-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))

const ranges = /\b([A-Z])-(\d\d) to \1-(\d\d)\b/g
const rules = rulesOfPage(readFileSync('docs/layer-semantics.md', 'utf8'))
// The tests of the switches name rules too, and hold none.
const tests = (values.report === undefined ? listed() : reported(values.report)).filter(
  ({ file }) => !relative('.', file).startsWith('test/rules/'),
)
/** Rules of a test's name; `P-01 to P-04` names four. */
const naming = new Map(rules.map(({ id }) => [id, []]))
for (const one of tests) for (const id of rulesIn(one.name)) naming.get(id)?.push(one)

const uncovered = []
for (const { id, text } of rules) {
  const own = naming.get(id)
  if (own.length === 0) uncovered.push(id)
  if (values.quiet) continue
  console.log(`${id}  ${text}`)
  for (const { name, file } of own.slice(0, 4)) console.log(`      ${relative('.', file)}: ${name}`)
  if (own.length > 4) console.log(`      and ${own.length - 4} more`)
  if (own.length === 0) console.log('      NO TEST')
}
console.log(`${rules.length - uncovered.length} of ${rules.length} rules have tests`)
if (uncovered.length > 0) console.log(`no test names ${uncovered.join(', ')}`)

const survivors = chosen().filter((id) => !isNoticed(id))
if (survivors.length > 0) console.log(`no test noticed the absence of ${survivors.join(', ')}`)
process.exitCode = uncovered.length > 0 || survivors.length > 0 ? 1 : 0

function rulesOfPage(page) {
  const found = []
  for (const line of page.split('\n')) {
    const rule = /^- \[.\] \*\*([A-Z]-\d\d)\*\* (.*)/.exec(line)
    if (rule) found.push({ id: rule[1], text: rule[2] })
  }
  return found
}

function rulesIn(name) {
  const ids = new Set(name.match(/\b[A-Z]-\d\d\b/g))
  for (const [, letter, from, last] of name.matchAll(ranges)) {
    for (let number = Number(from); number <= Number(last); number++)
      ids.add(`${letter}-${String(number).padStart(2, '0')}`)
  }
  return ids
}

function reported(file) {
  return JSON.parse(readFileSync(file, 'utf8')).testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'passed' || status === 'failed')
      .map(({ ancestorTitles, title }) => ({ name: [...ancestorTitles, title].join(' > '), file: name })),
  )
}

function listed() {
  const list = join(scratch, 'list.json')
  const { status, stderr } = vitest([
    'list',
    '--project',
    'pure',
    '--project',
    'unit',
    '--no-isolate',
    `--json=${list}`,
  ])
  if (status !== 0) throw new Error(`the tests cannot be listed: ${stderr}`)
  return JSON.parse(readFileSync(list, 'utf8'))
}

function chosen() {
  if (values.rule.length > 0) return values.rule
  if (values.mutate === undefined) return []
  const ids = rules.map(({ id }) => id)
  if (values.mutate === 'all') return ids
  console.log(`seed ${values.seed}`)
  let state = Number(values.seed) >>> 0
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const picked = []
  while (picked.length < Number(values.mutate) && ids.length > 0)
    picked.push(...ids.splice(Math.floor(random() * ids.length), 1))
  return picked
}

/** Whether a test that names the rule fails without it. Those that try everything that there is come last. */
function isNoticed(id) {
  const started = Date.now()
  const own = naming.get(id) ?? []
  const atRandom = own.filter(
    ({ name, file }) => name.match(ranges) || /^test\/(properties|fuzz)\//.test(relative('.', file)),
  )
  let verdict = { text: 'NOT NOTICED', noticed: false, final: false }
  for (const tests of [own.filter((one) => !atRandom.includes(one)), atRandom]) {
    if (tests.length > 0 && !verdict.final) verdict = without(id, tests)
  }
  console.log(`without ${id}: ${verdict.text} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  return verdict.noticed
}

/**
 * Stops at the first test that fails. Where tests of two files fail at once, Vitest ends their processes before it has heard which, and all
 * that is known is that something failed: once more then, to the end.
 */
function without(id, tests, toTheEnd = false) {
  const files = [...new Set(tests.map(({ file }) => relative('.', file)))]
  // What else fails must not end the run before these tests had their turn.
  const pattern = [...new Set(tests.map(({ name }) => (name.includes(id) ? id : rangeWith(id, name))))].join('|')
  const report = join(scratch, `${id}.json`)
  rmSync(report, { force: true })
  const { status } = vitest(
    [
      'run',
      '--project',
      'pure',
      '--project',
      'unit',
      '--no-isolate',
      ...(toTheEnd ? [] : ['--bail=1']),
      ...files,
      '-t',
      pattern,
      '--reporter=json',
      `--outputFile=${report}`,
    ],
    {
      PLYFS_WITHOUT_RULE: id,
    },
  )
  let testResults
  try {
    ;({ testResults } = JSON.parse(readFileSync(report, 'utf8')))
  } catch {
    if (!toTheEnd) return without(id, tests, true)
    return { text: 'BROKEN: vitest gave no report', noticed: false, final: true }
  }
  // A switch that keeps the code from loading shows nothing.
  const broken = testResults.find(
    ({ status, message, assertionResults }) => status === 'failed' && message && assertionResults.length === 0,
  )
  if (broken && !toTheEnd) return without(id, tests, true)
  if (broken) return { text: `BROKEN: ${broken.message.split('\n')[0]}`, noticed: false, final: true }
  const own = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ fullName }) => rulesIn(fullName).has(id))
  const failed = own.find(({ status }) => status === 'failed')
  if (!failed && status !== 0 && !toTheEnd) return without(id, tests, true)
  if (!failed && !own.some(({ status }) => status === 'passed') && !process.env.CI) {
    return { text: 'not shown: what its tests need is not here', noticed: true, final: false }
  }
  if (!failed) return { text: 'NOT NOTICED', noticed: false, final: false }
  const [reason = ''] = failed.failureMessages
  if (/^(Reference|Syntax)Error\b/.test(reason)) {
    return { text: `BROKEN: ${reason.split('\n')[0]}`, noticed: false, final: true }
  }
  return { text: `noticed by: ${failed.fullName}`, noticed: true, final: true }
}

/** The words in a name that stand for this rule among others. */
function rangeWith(id, name) {
  return name.match(ranges)?.find((range) => rulesIn(range).has(id)) ?? id
}

function vitest(words, environment = {}) {
  return spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', ...words], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: { ...process.env, ...environment, VITEST_MAX_WORKERS: String(availableParallelism()) },
  })
}
