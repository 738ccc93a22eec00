import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect } from 'vitest'
import { image, layersOf, realTest, run } from './tools.ts'
import { workspace } from './workspace.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
const ply = join(project, 'bin', 'ply.js')

/** Every file of a store with its size: what must be the same before and after. */
function contents(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[])
    .filter((path) => !path.startsWith('locks/') && !path.includes('%.index-seen'))
    .map(
      (path) =>
        `${path} ${statSync(join(directory, path)).isFile() ? readFileSync(join(directory, path)).length : 'directory'}`,
    )
    .sort()
}

interface Wrong {
  readonly what: string
  /** Prepares the wrong thing and answers what to load. */
  readonly make: (work: string) => string
  readonly code: string
  readonly exit: number
}

const wrong: readonly Wrong[] = [
  {
    what: 'a truncated archive',
    make(work) {
      copyFileSync(join(image(), 'docker.tar'), join(work, 'cut.tar'))
      truncateSync(join(work, 'cut.tar'), 50_000_000)
      return `docker-archive:${join(work, 'cut.tar')}`
    },
    code: 'PLY_BAD_ARCHIVE',
    exit: 4,
  },
  {
    what: 'a wrong digest',
    make(work) {
      cpSync(join(image(), 'oci'), join(work, 'oci'), { recursive: true })
      const blob = layersOf(join(work, 'oci')).at(-1)!
      const bytes = readFileSync(blob)
      bytes[bytes.length >> 1]! ^= 1
      writeFileSync(blob, bytes)
      return `oci:${join(work, 'oci')}:latest`
    },
    code: 'PLY_DIGEST_MISMATCH',
    exit: 4,
  },
  {
    what: 'a missing blob',
    make(work) {
      cpSync(join(image(), 'oci'), join(work, 'oci'), { recursive: true })
      rmSync(layersOf(join(work, 'oci')).at(-1)!)
      return `oci:${join(work, 'oci')}:latest`
    },
    code: 'PLY_BLOB_NOT_FOUND',
    exit: 3,
  },
  {
    what: 'a text file',
    make(work) {
      writeFileSync(join(work, 'text'), 'this is no archive\n'.repeat(1000))
      return `docker-archive:${join(work, 'text')}`
    },
    code: 'PLY_BAD_ARCHIVE',
    exit: 4,
  },
  { what: 'a directory', make: (work) => `docker-archive:${work}`, code: 'PLY_BAD_ARCHIVE', exit: 4 },
  { what: 'an unknown transport', make: () => 'carrier-pigeon:/coop', code: 'PLY_UNKNOWN_TRANSPORT', exit: 2 },
]

describe('wrong input', () => {
  for (const { what, make, code, exit } of wrong) {
    realTest(`${what} gives one message, ${code} and exit code ${exit}, and leaves the store as it was`, async () => {
      await using work = workspace()
      const store = join(work.path, 'store')
      const temporary = join(work.path, 'tmp')
      mkdirSync(temporary)
      mkdirSync(join(work.path, 'in'))
      run(process.execPath, ply, 'images', '--root', store)
      const reference = make(join(work.path, 'in'))
      const before = contents(store)
      const load = (...more: string[]) =>
        spawnSync(process.execPath, [ply, 'load', reference, '-t', 'wrong', '--root', store, ...more], {
          env: { ...process.env, TMPDIR: temporary },
        })
      const plain = load('-q')
      const [message, hint, ...rest] = plain.stderr.toString().trimEnd().split('\n')
      expect(message).toMatch(/^ply: /)
      expect(message).toContain(code)
      expect([hint?.replace(/^ {5}\S.*/, ''), rest]).toEqual([hint === undefined ? undefined : '', []])
      expect(plain.status).toBe(exit)
      const told = load('--json')
      expect(JSON.parse(told.stdout.toString()).error.code).toBe(code)
      expect(contents(store)).toEqual(before)
      expect(readdirSync(temporary)).toEqual([])
    })
  }

  realTest('no permission to write the store: EACCES with the path, and nothing left', async () => {
    await using work = workspace()
    chmodSync(work.path, 0o755)
    mkdirSync(join(work.path, 'theirs'), { mode: 0o755 })
    // The checkout may be closed to other users: they get a copy (of links, where the file system is the same).
    const installed = join(work.path, 'ply')
    mkdirSync(installed)
    const parts = ['bin', 'dist', 'package.json', 'node_modules'].map((name) => join(project, name))
    run('sh', '-c', 'cp -al "$@" || cp -a "$@"', 'sh', ...parts, installed)
    const command = [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      process.execPath,
      join(installed, 'bin', 'ply.js'),
      'images',
      '--json',
      '--root',
      join(work.path, 'theirs', 'store'),
    ]
    const temporary = join(work.path, 'tmp')
    mkdirSync(temporary)
    chmodSync(temporary, 0o777)
    const told = spawnSync('setpriv', command, { env: { PATH: process.env.PATH ?? '', TMPDIR: temporary } })
    expect(told.status, told.stderr.toString()).toBe(7)
    const { error } = JSON.parse(told.stdout.toString())
    expect(error.code).toBe('EACCES')
    expect(error.message).toContain(join(work.path, 'theirs'))
    expect(readdirSync(join(work.path, 'theirs'))).toEqual([])
    expect(readdirSync(temporary)).toEqual([])
  })

  realTest('a full disk: ENOSPC, and the store as it was', async () => {
    await using work = workspace()
    const small = join(work.path, 'small')
    mkdirSync(small)
    run('mount', '-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', small)
    try {
      run(process.execPath, ply, 'images', '--root', join(small, 'store'))
      const before = contents(join(small, 'store'))
      const temporary = join(work.path, 'tmp')
      mkdirSync(temporary)
      const load = [
        'load',
        `oci:${join(image(), 'oci')}:latest`,
        '-t',
        'real',
        '--json',
        '--root',
        join(small, 'store'),
      ]
      const told = spawnSync(process.execPath, [ply, ...load], { env: { ...process.env, TMPDIR: temporary } })
      expect(JSON.parse(told.stdout.toString()).error.code).toBe('ENOSPC')
      expect(told.status).toBe(8)
      expect(contents(join(small, 'store'))).toEqual(before)
      expect(readdirSync(temporary)).toEqual([])
    } finally {
      execFileSync('umount', [small])
    }
  })

  realTest('words of the command line: told in one line by the command as it is shipped', () => {
    const told = (...words: string[]) => spawnSync(process.execPath, [ply, ...words], { encoding: 'utf8' }).stderr
    expect(told('blame')).toBe('ply: missing: IMAGE PATH (PLY_USAGE)\n     see: ply blame --help\n')
    expect(told('images', 'more', 'words')).toMatch(/^ply: unexpected: .*words \(PLY_USAGE\)\n/)
    expect(told('ls', '--nope', 'x')).toBe('ply: unknown flag: --nope (PLY_USAGE)\n     see: ply ls --help\n')
    expect(told('ls', '--depth')).toMatch(/^ply: .*--depth.* \(PLY_USAGE\)\n/)
  })
})
