// Measuring: whole processes by GNU time, several contenders in turn so that they see the same machine.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'

/**
 * A fresh ext4 with a journal in a file, mounted on a loop device. On an ext4 without one, the disk of some virtual
 * machines, making a file steps over every inode that was freed in the last 35 seconds, and what is measured is that.
 * The loop device goes around the page cache: a second copy of every byte there is nothing that a disk has, and it made
 * writing and syncing one file take between 3.8 and 7.7 s, where it is 0.8 to 1.6 s without.
 */
export function scratchDisk(directory) {
  const image = `${directory}.img`
  if (existsSync(image)) {
    spawnSync('umount', ['--recursive', directory])
    rmSync(image)
  }
  mkdirSync(directory, { recursive: true })
  execFileSync('truncate', ['-s', '40G', image])
  execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard', image])
  const device = execFileSync('losetup', ['--find', '--show', '--direct-io=on', image], { encoding: 'utf8' }).trim()
  execFileSync('mount', ['-o', 'noatime', device, directory])
  // Gone with the last mount.
  spawnSync('losetup', ['--detach', device])
  return () => {
    // podman leaves a mount of its own in it.
    spawnSync('umount', ['--recursive', directory])
    rmSync(image, { force: true })
  }
}

/**
 * Runs each contender `runs` times after a run to warm up, one after the other in every round, and answers the medians:
 * wall and CPU (user + system) in seconds, peak memory in MB, load average. A contender is bash text: `setup` and
 * `cleanup` are not timed. One that fails in the first round is reported and left out; `cold`: there is no run to warm up.
 */
export function compare(contenders, { runs = 3, environment = {}, scratch, cold = false }) {
  const samples = new Map(contenders.map(({ name }) => [name, []]))
  const failed = new Map()
  for (let round = cold ? 1 : 0; round <= runs; round++) {
    for (const { name, setup, command, cleanup } of contenders) {
      if (failed.has(name)) continue
      const shell = (text) => spawnSync('bash', ['-c', text], processOptions(environment))
      if (setup) shell(setup)
      execFileSync('sync')
      const times = join(scratch, 'times')
      const done = spawnSync(
        '/usr/bin/time',
        ['-q', '-f', '%e %U %S %M', '-o', times, 'bash', '-c', `set -eo pipefail; ${command}`],
        processOptions(environment),
      )
      if (cleanup) shell(cleanup)
      if (done.status !== 0) {
        failed.set(name, (done.stderr || done.stdout || String(done.error)).trim().split('\n').at(-1))
        continue
      }
      if (round === 0 && runs > 0) continue
      const [wall, user, system, kib] = readFileSync(times, 'utf8').trim().split('\n').at(-1).split(' ').map(Number)
      samples.get(name).push({ wall, cpu: user + system, user, system, rss: (kib * 1024) / 1e6, load: loadavg()[0] })
    }
  }
  return contenders.map(({ name }) => {
    const reason = failed.get(name)
    return reason === undefined ? { name, ...medians(samples.get(name)) } : { name, failed: reason }
  })
}

/** Runs a script of bench/inside in a process of its own; it prints one JSON object of numbers. Medians of each. */
export function inside(script, words, { runs = 3, environment = {}, deep = false } = {}) {
  const samples = []
  for (let round = 0; round < runs; round++) {
    const done = spawnSync(
      process.execPath,
      ['--expose-gc', join(import.meta.dirname, 'inside', script), ...words.map(String)],
      processOptions(environment),
    )
    if (done.status !== 0) throw new Error(`${script} ${words.join(' ')}: ${done.stderr}`)
    samples.push(JSON.parse(done.stdout.trim().split('\n').at(-1)))
    // It made its own medians.
    if (deep) return samples[0]
  }
  return medians(samples)
}

/** A socket for stdin, which is what a pipe from Node is, can make bash believe that it came over the network, and skip `BASH_ENV`. */
function processOptions(environment) {
  return {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'pipe'],
  }
}

function medians(samples) {
  const keys = Object.keys(samples[0] ?? {})
  return {
    runs: samples.length,
    ...Object.fromEntries(
      keys.map((key) => {
        const sorted = samples.map((sample) => sample[key]).sort((a, b) => a - b)
        return [key, sorted[Math.floor((sorted.length - 1) / 2)]]
      }),
    ),
  }
}
