// The benchmarks. Each compares with a peer, or with what Node alone needs, in the same run.
//
//   npm run bench                       everything: about half an hour, and the images before that
//   npm run bench -- --quick            in 3 minutes: one run each, of a small image in the place of the large ones
//   npm run bench -- --only import      what has this in its name; the word alone does too
//   --runs N (3)  --dir IMAGES  --scratch DIRECTORY
//
// Needs root (a disk of its own is mounted), 45 GB, and the Debian packages skopeo podman buildah umoci docker-registry time jq fuse-overlayfs gcc.
// Peers that are not installed are left out, by name. The table of a full run goes to bench/RESULTS.md with a picture (results.svg), that of a
// quick one beside the images; both say what has become more than 15 % slower since the one before.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { cases } from './cases.mjs'
import { compare, inside, scratchDisk } from './measure.mjs'
import { comparable, picture, regressions } from './report.mjs'
import { sampleOf } from './sample.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    runs: { type: 'string' },
    dir: { type: 'string', default: process.env.PLY_BENCH_DIR ?? join(tmpdir(), 'ply-bench') },
    scratch: { type: 'string' },
  },
})
const project = resolve(import.meta.dirname, '..')
const kept = resolve(values.dir)
const scratch = resolve(values.scratch ?? join(kept, 'scratch'))
const only = positionals[0] ?? values.only
const runs = Number(values.runs ?? (values.quick ? 1 : 3))

process.chdir(project)
for (const image of values.quick ? ['debian', 'deep'] : ['distro', 'debian', 'deep', 'smallfiles']) {
  if (!existsSync(join(kept, image, 'info.json')))
    execFileSync(process.execPath, ['bench/gen.mjs', image, '--dir', kept], { stdio: 'inherit' })
}
const images = values.quick ? standIns() : kept
execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
const unmount = scratchDisk(scratch)
process.on('exit', unmount)
process.on('SIGINT', () => process.exit(130))
mkdirSync(join(scratch, 'run'), { recursive: true })

const environment = {
  SCRATCH: scratch,
  T: join(scratch, 'run'),
  BENCH: join(project, 'bench'),
  PLY: `${process.execPath} ${join(project, 'bin/ply.js')}`,
  BASH_ENV: join(project, 'bench/peers.sh'),
}
const context = { images, scratch, runs, quick: values.quick, environment, sample: (image) => sampleOf(images, image) }
const told = []
const lines = []
const say = (line = '') => {
  lines.push(line)
  console.log(line)
}

say(`# Results`)
say()
say(
  `\`npm run bench\` on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} cores (${cpus()[0].model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB,`,
)
say(`Linux ${release().split('-')[0]}, Node ${process.version}, ${versions()}.`)
say(`Medians of ${runs}. Stores on a fresh ext4 with a journal; inputs warm in the page cache. Ratios are of this run.`)

const missing = [
  'skopeo',
  'podman',
  'buildah',
  'umoci',
  'docker-registry',
  'fuse-overlayfs',
  'jq',
  'curl',
  'gcc',
].filter((program) => spawnSync('sh', ['-c', 'command -v "$0"', program]).status !== 0)
if (missing.length > 0) say(`Not installed, and left out: ${missing.join(', ')}.`)
if (values.quick)
  say(
    'A quick run: debian stands in for distro and smallfiles, each is run once and cold, beside one peer; the targets are meant for the full one.',
  )

let missed = 0
/** What a quick run leaves out, unless it is asked for: another case says nearly the same, or it takes minutes by itself. */
const omitted = [
  'what durability costs',
  'import distro without SHA instructions',
  'import smallfiles',
  'fs of a container: reading',
  'fuse',
  'many names',
  'large files',
  'look into an image: ls',
  'look into an image: du',
  'look into an image: blame',
  'build: COPY of 50,000 files',
  'build: 1 GB of context with one changed file',
]
const leftOut = values.quick && only === '' ? omitted : []
if (leftOut.length > 0) say(`Left out: ${leftOut.join('; ')}.`)
for (const one of cases) {
  if (!one.name.includes(only) || leftOut.includes(one.name)) continue
  say()
  say(`## ${one.name}`)
  say()
  for (const line of one.about ?? []) say(line)
  const begun = performance.now()
  try {
    measure(one)
  } catch (error) {
    // One that needs what is not here, or is broken: the others are measured all the same.
    missed++
    say(`- failed: ${error.message.split('\n')[0].slice(0, 300)}`)
  }
  console.error(`${one.name}: ${((performance.now() - begun) / 1000).toFixed(1)} s`)
}
say()
say(missed === 0 ? 'Every target is met.' : `${missed} targets are missed.`)

const place = values.quick ? join(kept, 'RESULTS-quick.md') : 'bench/RESULTS.md'
const slower = regressions(existsSync(place) ? readFileSync(place, 'utf8') : undefined, lines.join('\n'))
if (slower !== undefined) {
  console.log(`\nMore than 15 % slower than in the results before: ${slower.length === 0 ? 'nothing' : slower.length}`)
  for (const line of slower) console.log(line)
}
if (only === '') {
  const drawing = values.quick ? join(kept, 'results-quick.svg') : 'bench/results.svg'
  writeFileSync(drawing, picture(told))
  writeFileSync(
    place,
    `${lines.join('\n')}\n\n![CPU time of each, and ratios beside their targets](${basename(drawing)})\n`,
  )
  console.log(`\nwritten: ${place}, ${drawing}`)
}

function measure(one) {
  if (!one.contenders) {
    judge(
      one.name,
      one.run({
        ...context,
        inside: (script, words, options) => inside(script, words, { runs, environment, ...options }),
        say,
      }),
    )
    return
  }
  const contenders = one.contenders(context)
  const lacking = new Map(contenders.map((contender) => [contender.name, lackedBy(contender)]))
  // A quick run has one peer to compare with.
  const peers = contenders.filter((one) => isPeer(one) && lacking.get(one.name) === undefined)
  for (const { name } of values.quick ? peers.slice(1) : []) lacking.set(name, 'left out of a quick run')
  const able = contenders.filter(({ name }) => lacking.get(name) === undefined)
  const measured = compare(able, { runs, environment, scratch, cold: values.quick })
  const results = contenders.map(
    ({ name }) => measured.find((result) => result.name === name) ?? { name, leftOut: lacking.get(name) },
  )
  say('| | wall, s | CPU, s | peak memory, MB | load |')
  say('| --- | --: | --: | --: | --: |')
  for (const r of results)
    say(
      r.failed || r.leftOut
        ? `| ${r.name} | ${r.leftOut ?? `failed: ${r.failed}`} |`
        : `| ${r.name} | ${r.wall.toFixed(2)} | ${r.cpu.toFixed(2)} | ${r.rss.toFixed(0)} | ${r.load.toFixed(1)} |`,
    )
  say()
  judge(one.name, one.ratios(results, context), results)
}

function isPeer({ command }) {
  return /(?<![\w/-])(sko|pod|bld|umoci)(?![\w-])/.test(command)
}

/** Why a contender cannot run: the first program that it starts and that is not here. */
function lackedBy({ setup = '', command }) {
  const short = { skopeo: 'sko|skopeo', podman: 'pod|podman', buildah: 'bld|buildah' }
  const lacked = missing.find((program) =>
    new RegExp(`(?<![\\w/-])(${short[program] ?? program})(?![\\w-])`).test(`${setup};${command}`),
  )
  return lacked === undefined ? undefined : `${lacked} is not installed`
}

function judge(name, ratios, results) {
  told.push({ name, results, ratios })
  for (const { what, value, limit, unit = '' } of ratios) {
    if (!comparable(value)) {
      say(`- ${what}: not compared`)
      continue
    }
    const met = value <= limit
    if (!met) missed++
    say(`- ${what}: **${value.toPrecision(3)}${unit}** (target: at most ${limit}${unit})${met ? '' : ' MISSED'}`)
  }
}

/** The images of a quick run, by the names of those that they stand in for. */
function standIns() {
  const directory = join(kept, 'quick')
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory)
  for (const [name, image] of Object.entries({
    distro: 'debian',
    smallfiles: 'debian',
    debian: 'debian',
    deep: 'deep',
  }))
    symlinkSync(join(kept, image), join(directory, name))
  return directory
}

function versions() {
  const of = (command, words) =>
    (spawnSync(command, words, { encoding: 'utf8' }).stdout ?? '').match(/\d+\.\d+(\.\d+)?/)?.[0] ?? '?'
  const umoci = spawnSync('dpkg-query', ['-Wf', '${Version}', 'umoci'], { encoding: 'utf8' }).stdout ?? '?'
  const stream = JSON.parse(readFileSync('node_modules/tar-stream/package.json', 'utf8')).version
  return `skopeo ${of('skopeo', ['-v'])}, podman ${of('podman', ['-v'])}, buildah ${of('buildah', ['-v'])}, umoci ${umoci}, tar-stream ${stream}; load ${loadavg()[0].toFixed(1)} at the start`
}
