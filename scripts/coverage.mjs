// Which lines of src/ the tests run: in the processes of the tests, and in those that they start.
//
//   npm run coverage                       the unit tests
//   npm run coverage -- test/store         some of them
//
// Vitest sees what its own processes run. Of others Node writes down itself what they have run, and which line that is say the maps to the
// sources with which programs are built here. Leaves coverage/uncovered.txt: by file, the lines that nothing ran.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('..', import.meta.url))
const report = join(project, 'coverage')
rmSync(report, { recursive: true, force: true })
const children = mkdtempSync(join(tmpdir(), 'plyfs-coverage-'))
process.on('exit', () => rmSync(children, { recursive: true, force: true }))
// Some tests start processes of another user.
chmodSync(children, 0o1777)

run('npm', ['run', '--silent', 'build'])
run('node', ['scripts/mapped-bundle.mjs'])
const programs = new Map()
const tests = run('npx', ['--no-install', 'vitest', 'run', '--coverage', ...suites(process.argv.slice(2))], {
  PLYFS_COVERAGE: children,
})
const coverage = JSON.parse(readFileSync(join(report, 'coverage-final.json'), 'utf8'))
const alone = linesOf(coverage)
addChildren(coverage)
const lines = linesOf(coverage)
writeFileSync(join(report, 'uncovered.txt'), listOf(lines))
// What is there without maps starts sooner.
run('npm', ['run', '--silent', 'build'])

console.log(`lines of src/ that the processes of the tests ran: ${share(totalOf(alone))}`)
console.log(`with the processes that they started: ${share(totalOf(lines))}; the others are in coverage/uncovered.txt`)
process.exitCode = tests

function suites(asked) {
  return asked.some((word) => word === '--project') ? asked : ['--project', 'pure', '--project', 'unit', ...asked]
}

function run(program, words, environment = {}) {
  const { status } = spawnSync(program, words, {
    ...{ cwd: project, stdio: 'inherit', env: { ...process.env, ...environment } },
  })
  return status ?? 1
}

/** A line counts where a statement begins on it, as Vitest counts them. */
function linesOf(files) {
  const found = new Map()
  for (const { path, statementMap, s } of Object.values(files)) {
    const ran = new Map()
    for (const [id, { start }] of Object.entries(statementMap))
      ran.set(start.line, (ran.get(start.line) ?? false) || s[id] > 0)
    found.set(relative(project, path), ran)
  }
  return found
}

function totalOf(files) {
  const all = [...files.values()].flatMap((ran) => [...ran.values()])
  return { all: all.length, ran: all.filter((one) => one).length }
}

function share({ ran, all }) {
  return `${((100 * ran) / all).toFixed(2)} % (${ran} of ${all})`
}

function listOf(files) {
  const folders = new Map()
  for (const entry of files) of(folders, folderOf(entry[0]), () => []).push(entry)
  const rows = []
  for (const [folder, members] of [...folders].sort(([a], [b]) => (a < b ? -1 : 1))) {
    rows.push(`${folder}  ${share(totalOf(new Map(members)))}`)
    for (const [path, ran] of members.sort(([a], [b]) => (a < b ? -1 : 1))) {
      const left = [...ran].filter(([, one]) => !one).map(([line]) => line)
      if (left.length > 0) rows.push(`  ${path}  ${share(totalOf(new Map([[path, ran]])))}  ${rangesOf(left)}`)
    }
  }
  return `${rows.join('\n')}\n`
}

function folderOf(path) {
  return path.split('/').slice(0, 2).join('/')
}

function rangesOf(numbers) {
  const ranges = []
  for (const line of numbers.sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && line <= last[1] + 1) last[1] = line
    else ranges.push([line, line])
  }
  return ranges.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(' ')
}

/** Counts the statements that a process ran which a test started. What such a program has more of than the tests do is no statement of its own. */
function addChildren(files) {
  const ranAt = positionsRun()
  for (const { path, statementMap, s } of Object.values(files)) {
    const positions = ranAt.get(path)
    if (positions === undefined) continue
    for (const [id, { start, end }] of Object.entries(statementMap)) {
      if (s[id] > 0) continue
      // The first position of the statement that the program knows; maps are not equally fine.
      const columns = [...(positions.get(start.line)?.keys() ?? [])].sort((a, b) => a - b)
      const column = columns.find(
        (one) => one >= start.column && (end.line > start.line || one < (end.column ?? Infinity)),
      )
      if (column !== undefined && positions.get(start.line).get(column)) s[id] = 1
    }
  }
}

/** By path, line and column of the sources, whether a process has run what came of it. */
function positionsRun() {
  const found = new Map()
  for (const [url, skipped] of skippedByProgram()) {
    const path = fileURLToPath(url)
    const { code, map } = programOf(path)
    const starts = [0]
    for (let at = code.indexOf('\n'); at >= 0; at = code.indexOf('\n', at + 1)) starts.push(at + 1)
    const sources = map.sources.map((source) => join(dirname(path), source))
    for (const { line, column, source, sourceLine, sourceColumn } of segments(map.mappings)) {
      const own = sources[source]
      if (!own?.startsWith(join(project, 'src/'))) continue
      const lines = of(found, own, () => new Map())
      const columns = of(lines, sourceLine + 1, () => new Map())
      const ran = !isIn(skipped, starts[line] + column)
      columns.set(sourceColumn, ran || (columns.get(sourceColumn) ?? false))
    }
  }
  return found
}

function of(map, key, make) {
  if (!map.has(key)) map.set(key, make())
  return map.get(key)
}

/** What no process has run of each program, as ranges of offsets in order. */
function skippedByProgram() {
  const found = new Map()
  for (const name of existsSync(children) ? readdirSync(children) : []) {
    if (!name.endsWith('.json')) continue
    let written
    try {
      written = JSON.parse(readFileSync(join(children, name), 'utf8'))
    } catch {
      // Its process was killed while it wrote.
      continue
    }
    for (const { url, functions } of written.result) {
      if (!url.startsWith('file://') || programOf(fileURLToPath(url)) === undefined) continue
      const skipped = skippedOf(functions)
      found.set(url, found.has(url) ? common(found.get(url), skipped) : skipped)
    }
  }
  return found
}

/** Inner ranges count, not what is around them. */
function skippedOf(functions) {
  const ranges = functions.flatMap((one) => one.ranges)
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
  const skipped = []
  const around = []
  let from = 0
  const to = (end) => {
    if (around.at(-1)?.count === 0 && end > from) {
      if (skipped.at(-1)?.[1] === from) skipped.at(-1)[1] = end
      else skipped.push([from, end])
    }
    from = end
  }
  const closeUntil = (offset) => {
    for (let inner = around.at(-1); inner !== undefined && inner.endOffset <= offset; inner = around.at(-1)) {
      to(inner.endOffset)
      around.pop()
    }
  }
  for (const range of ranges) {
    closeUntil(range.startOffset)
    to(range.startOffset)
    around.push(range)
  }
  closeUntil(Infinity)
  return skipped
}

function common(a, b) {
  const both = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const from = Math.max(a[i][0], b[j][0])
    const to = Math.min(a[i][1], b[j][1])
    if (from < to) both.push([from, to])
    if (a[i][1] < b[j][1]) i++
    else j++
  }
  return both
}

function isIn(ranges, offset) {
  let [low, high] = [0, ranges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (ranges[middle][1] <= offset) low = middle + 1
    else high = middle
  }
  return low < ranges.length && ranges[low][0] <= offset
}

/** A program that was built with a map: in dist/, or one of a test, which has kept it. */
function programOf(path) {
  return of(programs, path, () => readProgram(path))
}

function readProgram(path) {
  const kept = join(children, 'programs', encodeURIComponent(path))
  const file = existsSync(kept) ? kept : path.startsWith(join(project, 'dist/')) ? path : undefined
  if (file === undefined || !existsSync(`${file}.map`)) return undefined
  return { code: readFileSync(file, 'utf8'), map: JSON.parse(readFileSync(`${file}.map`, 'utf8')) }
}

/** The mappings of a source map (ECMA-426): groups of numbers in base 64, each the difference to the one before. */
function* segments(mappings) {
  let [source, sourceLine, sourceColumn] = [0, 0, 0]
  for (const [line, groups] of mappings.split(';').entries()) {
    let column = 0
    for (const group of groups.split(',')) {
      const numbers = numbersOf(group)
      if (numbers.length === 0) continue
      column += numbers[0]
      if (numbers.length < 4) continue
      source += numbers[1]
      sourceLine += numbers[2]
      sourceColumn += numbers[3]
      yield { line, column, source, sourceLine, sourceColumn }
    }
  }
}

function numbersOf(group) {
  const numbers = []
  let [value, shift] = [0, 0]
  for (const character of group) {
    const digit = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.indexOf(character)
    value |= (digit & 31) << shift
    shift += 5
    if (digit < 32) {
      numbers.push(value & 1 ? -(value >> 1) : value >> 1)
      ;[value, shift] = [0, 0]
    }
  }
  return numbers
}
