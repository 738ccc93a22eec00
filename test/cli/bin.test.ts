import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { hasProgram, testIf } from '../support/ability.ts'
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
  cpSync(join(repository, 'bin'), join(installed, 'bin'), { recursive: true })
  cpSync(join(repository, 'package.json'), join(installed, 'package.json'))
  symlinkSync(join(repository, 'node_modules'), join(installed, 'node_modules'))
  execFileSync(process.execPath, [join(repository, 'scripts/bundle.mjs'), installed])
  await dockerArchive(join(directory, 'many.tar'), 'many:1', [many])
  execFileSync(process.execPath, [bin, 'load', '-q', join(directory, 'many.tar'), '--root', root])
})

// What takes more than a second tells how far it has come.
const env: NodeJS.ProcessEnv = { ...process.env, PLY_PROGRESS: 'none' }
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

describe('what it cannot start with is said in one line', () => {
  const bare = join(directory, 'unbuilt')
  const images = (...more: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [...more, join(bare, 'bin', 'ply.js'), 'images'], {
      encoding: 'utf8',
    })
    return { status, stdout, stderr }
  }
  beforeAll(() => {
    mkdirSync(bare)
    cpSync(join(repository, 'bin'), join(bare, 'bin'), { recursive: true })
    cpSync(join(repository, 'package.json'), join(bare, 'package.json'))
  })

  test('a checkout that is not built', () => {
    const stderr = `ply: it is not built: npm ci && npm run build, in ${bare}\n`
    expect(images()).toEqual({ status: 5, stdout: '', stderr })
  })

  test('a Node that is too old', () => {
    const before = join(directory, 'older.cjs')
    for (const node of ['18.20.4', '20.18.3']) {
      writeFileSync(before, `Object.defineProperty(process.versions, 'node', { value: '${node}' })`)
      const stderr = `ply: this is Node.js ${node}, and it takes >=20.19\n`
      expect(images('--require', before)).toEqual({ status: 5, stdout: '', stderr })
    }
    writeFileSync(before, "Object.defineProperty(process.versions, 'node', { value: '21.0.0' })")
    expect(images('--require', before).stderr).toContain('not built')
  })
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
  expect(out.toString()).toBe('/\n└── d/\n1 directory, 0 files\n')
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

describe('what stdout cannot take is told in one line, and is no success', () => {
  const errorLine = 'ply: ENOSPC: no space left on device, write to stdout\n'
  for (const command of [
    'ls many:1 -R',
    'images',
    'images --json',
    'export many:1',
    'ls --help',
    '--help',
    'version',
    '--version',
  ])
    testIf(existsSync('/dev/full'), 'there is no /dev/full')(command, () => {
      const line = `"${process.execPath}" "${bin}" ${command} --root "${root}" > /dev/full`
      const { status, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8', env })
      expect([stderr, status]).toEqual([errorLine, 8])
    })
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
  const seen =
    "process.on('exit', () => console.error(JSON.stringify([...Object.keys(require('node:module')._cache), ...process.moduleLoadList])))"
  writeFileSync(hook, seen)
  const loaded = (...argv: string[]): string =>
    spawnSync(process.execPath, ['-r', hook, bin, ...argv]).stderr.toString()
  const images = loaded('images', '--root', root)
  expect(images).toContain('/bin/compiled.js')
  expect(images).not.toMatch(
    /ply-more|node_modules\/(memfs|tar-stream|koffi)\/|NativeModule (https?|tls|worker_threads|readline|fs\/promises)"/,
  )
  expect(loaded('--version')).not.toMatch(/node_modules|compiled/)
})

describe('what was compiled of the program', () => {
  const listed = (cache: string | undefined, more: NodeJS.ProcessEnv = {}) => {
    const { XDG_CACHE_HOME: _, HOME: __, ...bare } = env
    const environment = { ...bare, ...(cache !== undefined && { XDG_CACHE_HOME: cache }), ...more }
    return execFileSync(process.execPath, [bin, 'images', '-q', '--root', root], { env: environment, encoding: 'utf8' })
  }
  const dist = join(installed, 'dist')
  const built = () => readdirSync(dist).filter((name) => name.endsWith('.compiled'))
  const expected = () => ply('images', '-q').stdout

  test('lies beside it where it was built, and is in no package', () => {
    const programs = readdirSync(dist).filter((name) => name.endsWith('.cjs'))
    expect(programs.sort()).toEqual(['in-mount-more.cjs', 'in-mount.cjs', 'ply-more.cjs', 'ply.cjs'])
    // What mounts for a command needs no more than its first file when it is tried.
    expect(built()).toHaveLength(3)
    expect(built().every((name) => name.includes(process.version))).toBe(true)
    const files: readonly string[] = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')).files
    expect(files).toContain('!dist/*.compiled')
  })

  test('is kept in the user’s cache directory elsewhere, and used only if it is the user’s own and whole', () => {
    for (const name of built()) rmSync(join(dist, name))
    const cache = join(directory, 'cache')
    expect(listed(cache)).toBe(expected())
    const [name] = readdirSync(join(cache, 'plyfs'))
    const kept = join(cache, 'plyfs', name!)
    expect(statSync(kept).mode & 0o777).toBe(0o600)
    expect(listed(cache)).toBe(expected())
    // One that is torn is not believed, and one that others may write is not even read.
    const whole = readFileSync(kept)
    writeFileSync(kept, whole.subarray(0, whole.length / 2))
    expect(listed(cache)).toBe(expected())
    writeFileSync(kept, 'not for V8')
    chmodSync(kept, 0o666)
    expect(listed(cache)).toBe(expected())
    expect(readFileSync(kept).equals(whole)).toBe(false)
    rmSync(kept)
    symlinkSync('/dev/null', kept)
    expect(listed(cache)).toBe(expected())
  })

  test('is not missed where there is no place for it', () => {
    writeFileSync(join(directory, 'file'), '')
    expect(listed(join(directory, 'file'))).toBe(expected())
    expect(listed(undefined)).toBe(expected())
    expect(listed('relative')).toBe(expected())
    expect(readdirSync('.').includes('relative')).toBe(false)
  })
})

describe('shells complete command lines by what ply completion prints', () => {
  const shells = join(directory, 'shells')
  const asked = (shell: string, script: string) =>
    spawnSync(shell, script === '' ? [] : ['-c', script], {
      encoding: 'utf8',
      env: { ...env, HOME: shells, PATH: `${shells}:${process.env.PATH}`, PLY_ROOT: root, LC_ALL: 'C.UTF-8' },
      timeout: 60_000,
    })

  beforeAll(() => {
    mkdirSync(shells)
    writeFileSync(join(shells, 'ply'), `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`, { mode: 0o755 })
    for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(shells, shell), ply('completion', shell).stdout)
  })

  const lines: readonly [string, string, string][] = [
    ['ply cat many:1 /d/file-with-a-long-name-1999', '/d/file-with-a-long-name-1999', '11'],
    ['ply history many:', '1', '1'],
    ['ply blam', 'blame', '1'],
  ]
  testIf(hasProgram('bash'), 'bash is not installed')('bash', () => {
    for (const [line, first, count] of lines) {
      const script = `source '${shells}/bash'
        complete -p ply >/dev/null || exit 1
        COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}
        _ply ply; echo "\${COMPREPLY[0]} \${#COMPREPLY[@]}"`
      expect(asked('bash', script)).toMatchObject({ status: 0, stdout: `${first} ${count}\n` })
    }
  })

  testIf(hasProgram('fish'), 'fish is not installed')('fish', () => {
    for (const [line, first, count] of lines) {
      const { stdout } = asked('fish', `source '${shells}/fish'; complete -C '${line}'`)
      const offered = stdout.trimEnd().split('\n')
      const whole = first === '1' ? 'many:1' : first
      expect([offered[0]?.trim(), String(offered.length)]).toEqual([whole, count])
    }
  })

  testIf(hasProgram('zsh'), 'zsh is not installed')('zsh', () => {
    for (const [line, first, count] of lines) {
      // What compadd is given, in a shell that completes nothing itself.
      const script = `compdef() { : }; source '${shells}/zsh'
        got=(); compadd() { got+=("\${(@P)@[-1]}") }
        words=(\${=:-${line}}) CURRENT=\${#words} PREFIX=\${words[-1]}; _ply; print -r -- "\${got[1]} \${#got}"`
      const whole = first === '1' ? 'many:1' : first
      expect(asked('zsh', script)).toMatchObject({ status: 0, stdout: `${whole} ${count}\n` })
    }
  })
})
