import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { dockerArchive, ply as inProcess, temporaryDirectory } from '../cli/run-ply.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const hook = join(repository, 'test/support/without-koffi.cjs')
const directory = temporaryDirectory()
const built = join(directory, 'built')
const store = join(directory, 'store')
const archive = join(directory, 'image.tar')

const ply = (...argv: string[]) =>
  spawnSync(process.execPath, ['--require', hook, join(built, 'bin/ply.js'), ...argv, '--root', store], {
    encoding: 'utf8',
    env: { ...process.env, PLY_PROGRESS: 'none', XDG_CACHE_HOME: directory },
  })

beforeAll(async () => {
  mkdirSync(built)
  spawnSync(join(repository, 'node_modules/.bin/tsc'), [
    ...['-p', join(repository, 'tsconfig.json'), '--outDir', join(built, '.modules'), '--declaration', 'false'],
  ])
  for (const name of ['bin', 'package.json']) cpSync(join(repository, name), join(built, name), { recursive: true })
  symlinkSync(join(repository, 'node_modules'), join(built, 'node_modules'))
  spawnSync(process.execPath, [join(repository, 'scripts/bundle.mjs'), built])
  await dockerArchive(archive, 'small:1', [{ 'etc/motd': 'hello' }])
  expect((await inProcess(['load', '-q', archive, '--root', store])).code).toBe(0)
})

test('a store is read where no system call can be made that Node has none for', () => {
  const reading: readonly (readonly string[])[] = [
    ['images'],
    ['inspect', 'small:1'],
    ['history', 'small:1'],
    ['ls', 'small:1', '-lR'],
    ['cat', 'small:1', '/etc/motd'],
    ['stat', 'small:1', '/etc/motd'],
    ['find', 'small:1', '/'],
    ['du', 'small:1'],
    ['blame', 'small:1', '/etc/motd'],
    ['diff', 'small:1', 'small:1'],
    ['check', 'small:1'],
    ['validate', 'small:1'],
    ['save', 'small:1', '-o', join(directory, 'saved.tar')],
    ['export', 'small:1', '-o', join(directory, 'files.tar')],
    ['copy', 'small:1', `oci:${join(directory, 'layout')}:latest`],
    ['ls', `oci:${join(directory, 'layout')}:latest`, '/etc'],
    ['ls', `docker-archive:${archive}`, '/etc'],
    ['ps'],
    ['df'],
    ['fsck'],
  ]
  for (const words of reading) {
    const { status, stderr } = ply(...words)
    expect([words.join(' '), status, stderr]).toEqual([words.join(' '), 0, expect.not.stringMatching(/PLY_|koffi/)])
  }
})

test('what needs them says so in one line, and what to do; ply doctor knows', () => {
  for (const words of [
    ['load', archive, '-t', 'other:1'],
    ['create', 'small:1', '--name', 'work'],
    ['rmi', 'small:1'],
  ]) {
    const { status, stderr } = ply(...words)
    expect([words[0], status, stderr]).toEqual([
      words[0],
      5,
      expect.stringMatching(/^ply: .*\(PLY_NO_NATIVE\)\n +.*\n$/),
    ])
  }
  const { status, stdout } = ply('doctor')
  expect([status, stdout]).toEqual([
    0,
    expect.stringMatching(/^system calls \(koffi\) +no +koffi: .*; npm installs it/m),
  ])
  expect(stdout).toMatch(/^an image by FUSE +no/m)
})

test('a store in memory takes images in, and containers, without them', () => {
  const program = join(directory, 'memory.mjs')
  writeFileSync(
    program,
    `import { append, layerFrom, openStore, scratch } from ${JSON.stringify(join(built, 'dist/index.js'))}
    const store = await openStore(':memory:')
    await store.write(await append(scratch, layerFrom({ '/etc/motd': 'hello' })), 'mine:1')
    const work = await store.containers.create('work', 'mine:1')
    await work.fs.promises.writeFile('/etc/motd', 'changed')
    await store.commit(work, 'mine:2')
    console.log((await store.images()).map(({ name }) => name).join(), await work.fs.promises.readFile('/etc/motd', 'utf8'))
    await work[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()`,
  )
  const { stdout, stderr } = spawnSync(process.execPath, ['--require', hook, program], { encoding: 'utf8' })
  expect([stdout, stderr]).toEqual(['mine:1,mine:2 changed\n', ''])
})

test('koffi brings machine code for musl as well, and no other package that is needed brings any', () => {
  const packages = join(repository, 'node_modules')
  const here = join(packages, '@koromix', `koffi-linux-${process.arch}`)
  if (process.platform === 'linux') expect(readdirSync(here)).toContain(`musl_${process.arch}`)
  const { packages: locked } = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, { readonly dev?: boolean }>>
  }
  const native = Object.entries(locked)
    .filter(([path, { dev }]) => path !== '' && dev !== true && existsSync(join(repository, path)))
    .filter(([path]) => !/koffi/.test(path))
    .filter(([path]) =>
      readdirSync(join(repository, path), { recursive: true }).some((name) => /\.node$/.test(String(name))),
    )
  expect(native.map(([path]) => path)).toEqual([])
})
