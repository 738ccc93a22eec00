import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { prompt } from '../support/prompt.ts'
import { until } from '../support/until.ts'
import { dockerArchive, temporaryDirectory } from './run-ply.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const directory = temporaryDirectory()
const installed = join(directory, 'package')
const bin = join(installed, 'bin', 'ply.js')
const root = join(directory, 'store')
const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`d/file-with-a-long-name-${index}`, 'x']))

/** The package as it is installed: built here and now, so that no old build is tested. */
beforeAll(async () => {
  mkdirSync(installed)
  const tsc = join(repository, 'node_modules', '.bin', 'tsc')
  const places = ['--outDir', join(installed, '.modules'), '--declarationDir', join(installed, 'dist/types')]
  spawnSync(tsc, ['-p', join(repository, 'tsconfig.json'), ...places])
  execFileSync(process.execPath, [join(repository, 'scripts/bundle.mjs'), installed])
  cpSync(join(repository, 'bin'), join(installed, 'bin'), { recursive: true })
  cpSync(join(repository, 'package.json'), join(installed, 'package.json'))
  symlinkSync(join(repository, 'node_modules'), join(installed, 'node_modules'))
  await dockerArchive(join(directory, 'many.tar'), 'many:1', [many])
  execFileSync(process.execPath, [bin, 'load', '-q', join(directory, 'many.tar'), '--root', root])
})

// What takes more than a second tells how far it has come.
const env = { ...process.env, PLY_PROGRESS: 'none' }
const ply = (...argv: string[]) =>
  spawnSync(process.execPath, [bin, ...argv, '--root', root], { encoding: 'utf8', env })

test('--version is answered before anything is loaded', () => {
  const bare = join(directory, 'bare')
  mkdirSync(join(bare, 'bin'), { recursive: true })
  cpSync(join(repository, 'bin'), join(bare, 'bin'), { recursive: true })
  cpSync(join(repository, 'package.json'), join(bare, 'package.json'))
  const version = execFileSync(process.execPath, [join(bare, 'bin', 'ply.js'), '--version'], { encoding: 'utf8' })
  expect(version).toMatch(/^plyfs \d+\.\d+\.\d+\n$/)
})

test('exit codes and streams are those of the process', () => {
  const listed = ply('images', '-q')
  expect([listed.status, listed.stderr]).toEqual([0, ''])
  const missing = ply('inspect', 'missing:1')
  expect([missing.status, missing.stdout]).toEqual([3, ''])
  expect(ply('images', '--nonsense').status).toBe(2)
})

test('tree prints what it counted after the tree, where both go to one place', () => {
  const out = execFileSync('bash', ['-c', `"${process.execPath}" "${bin}" tree many:1 -L 1 --root "${root}" 2>&1`], {
    env,
  })
  expect(out.toString()).toBe('/\n└── d/\n1 directories, 0 files\n')
})

test('PLY_ROOT names the store, and --root overrides it', () => {
  const run = (root: string, ...argv: string[]) =>
    execFileSync(process.execPath, [bin, 'images', '-q', ...argv], {
      encoding: 'utf8',
      env: { ...process.env, PLY_ROOT: root },
    })
  expect(run(root)).toMatch(/^[0-9a-f]{12}\n$/)
  expect(run(join(directory, 'other'))).toBe('')
  expect(run(join(directory, 'other'), '--root', root)).toMatch(/^[0-9a-f]{12}\n$/)
})

test('the default store is XDG_DATA_HOME/ply, and nothing in it is taken for a plugin', () => {
  const data = join(directory, 'data')
  mkdirSync(data)
  const environment: NodeJS.ProcessEnv = { ...process.env, XDG_DATA_HOME: data, HOME: data }
  delete environment.PLY_ROOT
  const run = () => spawnSync(process.execPath, [bin, 'images', '-q'], { encoding: 'utf8', env: environment })
  expect(run().status).toBe(0)
  expect(readdirSync(join(data, 'ply'))).toContain('ply.json')
  writeFileSync(join(data, 'ply', 'package.json'), 'not JSON')
  expect([run().status, run().stdout, run().stderr]).toEqual([0, '', ''])
})

test('a reader that goes away ends the command quietly', () => {
  for (const command of ['ls many:1 -R', 'ls many:1 d -l', 'export many:1', 'ls many:1 -R --json']) {
    const line = `set -o pipefail; "${process.execPath}" "${bin}" ${command} --root "${root}" | head -c 10 >/dev/null`
    const { status, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8', env })
    expect([command, status, stderr]).toEqual([command, 0, ''])
  }
})

describe('a signal stops the command, which cleans up', () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    test(`${signal} gives ${code}`, async () => {
      const temporary = join(directory, `tmp-${signal}`)
      mkdirSync(temporary)
      const child = spawn(process.execPath, [bin, 'load', '-', '--root', root], {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...env, TMPDIR: temporary },
      })
      child.stdin.on('error', () => {})
      let err = ''
      child.stderr.on('data', (chunk: Buffer) => {
        err += chunk.toString()
      })
      // Bytes that never end: the command is in the middle of reading them.
      const feeding = setInterval(() => child.stdin.write(Buffer.alloc(1 << 16)), 5)
      const ended = new Promise((resolve) => child.on('close', resolve))
      await Promise.race([ended, until(() => readdirSync(temporary, { recursive: true }).length > 1)])
      const from = performance.now()
      child.kill(signal)
      const exit = await ended
      clearInterval(feeding)
      expect([exit, err]).toEqual([code, 'ply: stopped on request (PLY_ABORTED)\n'])
      expect(performance.now() - from).toBeLessThan(10 * prompt)
      expect(readdirSync(temporary)).toEqual([])
      expect(readdirSync(join(root, 'tmp'))).toEqual([])
    })
  }
})

test('starting loads nothing heavy that the command does not need', () => {
  const hook = join(directory, 'hook.cjs')
  const seen = "process.on('exit', () => console.error(JSON.stringify(Object.keys(require('node:module')._cache))))"
  writeFileSync(hook, seen)
  const loaded = (...argv: string[]): string =>
    spawnSync(process.execPath, ['-r', hook, bin, ...argv]).stderr.toString()
  expect(loaded('images', '--root', root)).toContain('/@oclif/core/')
  expect(loaded('images', '--root', root)).not.toMatch(/node_modules\/(memfs|tar-stream)\//)
  expect(loaded('--version')).not.toContain('node_modules')
})
