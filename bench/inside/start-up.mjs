// start-up.mjs PLY STORE RUNS: what commands take beside `node -e 0`, all in turn. Medians of wall and CPU time, milliseconds.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [ply, store, runs] = process.argv.slice(2)
const environment = { ...process.env, PLY_ROOT: join(store, 'store'), XDG_CACHE_HOME: join(store, 'cache') }
const files = join(store, 'files')
mkdirSync(join(files, 'etc'), { recursive: true })
writeFileSync(join(files, 'etc/hosts'), '127.0.0.1 localhost\n')
const made = spawnSync(process.execPath, [ply, 'import', '-q', files, 'small:1'], {
  env: environment,
  encoding: 'utf8',
})
if (made.status !== 0) throw new Error(made.stderr)

const commands = {
  'node -e 0': ['-e', '0'],
  'ply --version': [ply, '--version'],
  'ply images': [ply, 'images'],
  'ply ls': [ply, 'ls', 'small:1'],
  'a Tab after ply ls': [ply, '__complete', 'words', 'ls', ''],
  'ply --help': [ply, '--help'],
}
const samples = Object.fromEntries(Object.keys(commands).map((name) => [name, []]))
for (let round = 0; round <= Number(runs); round++) {
  for (const [name, words] of Object.entries(commands)) {
    // bash says milliseconds, GNU time hundredths.
    const timed = ['-c', 'TIMEFORMAT="%3R %3U %3S"; time "$@" >/dev/null', 'bash', process.execPath, ...words]
    const { stderr } = spawnSync('bash', timed, { env: environment, encoding: 'utf8' })
    const [wall, user, system] = stderr.trim().split('\n').at(-1).split(' ').map(Number)
    if (round > 0) samples[name].push({ wall: wall * 1000, cpu: (user + system) * 1000 })
  }
}
rmSync(store, { recursive: true, force: true })
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1]
const medians = Object.entries(samples).map(([name, all]) => [
  name,
  { wall: median(all.map(({ wall }) => wall)), cpu: median(all.map(({ cpu }) => cpu)) },
])
console.log(JSON.stringify(Object.fromEntries(medians)))
