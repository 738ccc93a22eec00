// The benchmarks. Each compares with a peer, or with what Node alone needs, in the same run.
//
//   npm run bench                       everything: about half an hour, and the images before that
//   npm run bench -- --quick            one run each, smaller numbers
//   npm run bench -- --only import      what has this in its name; the word alone does too
//   --runs N (3)  --dir IMAGES  --scratch DIRECTORY
//
// Needs root (a disk of its own is mounted), 30 GB, and the Debian packages skopeo podman buildah umoci docker-registry time jq fuse-overlayfs gcc.
// The table of a full run goes to bench/RESULTS.md.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { cases } from './cases.mjs'
import { compare, inside, scratchDisk } from './measure.mjs'
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
const images = resolve(values.dir)
const scratch = resolve(values.scratch ?? join(images, 'scratch'))
const only = positionals[0] ?? values.only
const runs = Number(values.runs ?? (values.quick ? 1 : 3))

process.chdir(project)
for (const image of ['distro', 'deep', 'smallfiles']) {
  if (!existsSync(join(images, image, 'info.json')))
    execFileSync(process.execPath, ['bench/gen.mjs', image, '--dir', images], { stdio: 'inherit' })
}
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

let missed = 0
for (const one of cases) {
  if (!one.name.includes(only)) continue
  say()
  say(`## ${one.name}`)
  say()
  for (const line of one.about ?? []) say(line)
  if (one.contenders) {
    const results = compare(one.contenders(context), { runs, environment, scratch })
    say('| | wall, s | CPU, s | peak memory, MB | load |')
    say('| --- | --: | --: | --: | --: |')
    for (const r of results)
      say(
        r.failed
          ? `| ${r.name} | failed: ${r.failed} |`
          : `| ${r.name} | ${r.wall.toFixed(2)} | ${r.cpu.toFixed(2)} | ${r.rss.toFixed(0)} | ${r.load.toFixed(1)} |`,
      )
    say()
    judge(one.ratios(results, context))
  } else {
    judge(
      one.run({
        ...context,
        inside: (script, words, options) => inside(script, words, { runs, environment, ...options }),
        say,
      }),
    )
  }
}
say()
say(missed === 0 ? 'Every target is met.' : `${missed} targets are missed.`)
if (only === '' && !values.quick) writeFileSync('bench/RESULTS.md', `${lines.join('\n')}\n`)

function judge(ratios) {
  for (const { what, value, limit, unit = '' } of ratios) {
    const met = value <= limit
    if (!met) missed++
    say(`- ${what}: **${value.toPrecision(3)}${unit}** (target: at most ${limit}${unit})${met ? '' : ' MISSED'}`)
  }
}

function versions() {
  const of = (command, words) =>
    (spawnSync(command, words, { encoding: 'utf8' }).stdout ?? '').match(/\d+\.\d+(\.\d+)?/)?.[0] ?? '?'
  const umoci = spawnSync('dpkg-query', ['-Wf', '${Version}', 'umoci'], { encoding: 'utf8' }).stdout ?? '?'
  const stream = JSON.parse(readFileSync('node_modules/tar-stream/package.json', 'utf8')).version
  return `skopeo ${of('skopeo', ['-v'])}, podman ${of('podman', ['-v'])}, buildah ${of('buildah', ['-v'])}, umoci ${umoci}, tar-stream ${stream}; load ${loadavg()[0].toFixed(1)} at the start`
}
