import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { dockerArchive, ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const run = (...argv: string[]) => ply([...argv, '--root', root])
const lines = (text: string) => text.trimEnd().split('\n')

const content = 'the same in both'.repeat(8192)

beforeAll(async () => {
  for (const name of ['one', 'two']) {
    const archive = join(directory, `${name}.tar`)
    await dockerArchive(archive, `${name}:1`, [{ shared: content }, { shared: content, [name]: content }])
    expect((await run('load', archive)).code).toBe(0)
  }
  expect((await run('create', 'one:1', '--name', 'work')).code).toBe(0)
  writeFileSync(join(directory, 'file'), 'x'.repeat(10_000))
  expect((await run('cp', join(directory, 'file'), 'work:/written')).code).toBe(0)
})

describe('ply df', () => {
  test('adds up: what each needs alone, what is shared, and what is free to go are the total', async () => {
    const found = JSON.parse((await run('df', '--json')).out)
    const exclusive = [...found.images, ...found.containers].reduce((sum, row) => sum + row.exclusive, 0)
    const { shared, reclaimable } = found.store
    expect(exclusive + shared + reclaimable + found.overhead).toBe(found.total.bytes)
    expect((await run('df', '-q')).out).toMatch(/^\d+\n$/)
  })

  test('-v says it of each image, layer and container, and what they show', async () => {
    const { out } = await run('df', '-v')
    const rows = (header: string) => {
      const all = lines(out)
      const from = all.findIndex((line) => line.startsWith(header))
      const to = all.indexOf('', from)
      return all.slice(from, to < 0 ? undefined : to)
    }
    const images = rows('IMAGE')
    expect(images[0]).toMatch(/^IMAGE +NAMES +DIGEST +LOGICAL +STORED +SHARED +EXCLUSIVE$/)
    expect(images.slice(1).map((line) => line.split(/ +/).slice(0, 2))).toEqual([
      ['one:1', '1'],
      ['two:1', '1'],
    ])
    // The layer with the file alone is in both images.
    const layers = rows('LAYER').slice(1)
    expect(layers.map((line) => line.split(/ +/)[1]).sort()).toEqual(['1', '1', '2'])
    expect(rows('CONTAINER')[1]).toMatch(/^work +0 +/)
    expect(lines((await run('df')).out).some((line) => line.startsWith('CONTAINER'))).toBe(false)
  })
})

test('ply dedupe says what is equal, and on a disk that shares blocks, what it shares', async () => {
  const { code, out } = await run('dedupe', '--dry-run')
  expect(code).toBe(0)
  const [equal, , able] = lines(out)
  expect(equal).toMatch(/^\d+ files, [\d.]+[KM]i?B?, are equal to others$/i)
  const shares = execFileSync('stat', ['-f', '-c', '%T', root], { encoding: 'utf8' })
  if (!/btrfs|xfs/.test(shares)) expect(able).toBe('this disk shares no blocks between files: Btrfs and XFS do')
  else expect(out).toMatch(/would share /)
  const found = JSON.parse((await run('dedupe', '--dry-run', '--json')).out)
  expect(found.files).toBe(Number(equal!.split(' ')[0]))
  expect((await run('dedupe', '--dry-run', '-q')).out).toBe(`${found.shared}\n`)
})

test('ply materialize says that all files of a container are whole', async () => {
  expect(await run('materialize', 'work')).toMatchObject({ code: 0, out: '', err: 'all files are whole\n' })
  expect(JSON.parse((await run('materialize', 'work', '--json')).out)).toEqual({
    container: 'work',
    files: 0,
    bytes: 0,
  })
  expect((await run('materialize', 'nobody')).code).toBe(3)
})

test.each([
  ['bash', 'complete -F'],
  ['zsh', 'compdef'],
  ['fish', 'complete -c ply'],
] as const)('ply completion prints what %s takes', async (shell, takes) => {
  const { code, out } = await run('completion', shell)
  expect([code, out]).toEqual([0, expect.stringContaining(takes)])
  expect(out).toContain('__complete ')
  expect(JSON.parse((await run('completion', shell, '--json')).out)).toEqual({
    shell,
    script: expect.stringContaining(out.trimEnd()),
  })
})

test.each<readonly [string, readonly string[], number, string]>([
  ['umount of nothing', ['umount'], 2, 'missing: MOUNTS, or --all'],
  ['block sizes that are none', ['images', '--block-copy-up', 'much'], 2, 'is no size: write a number such as 64Mi'],
  ['a container that is not there', ['inspect', 'container:nobody'], 3, 'nobody'],
])('%s is refused, with what to write', async (_, words, status, said) => {
  expect(await run(...words)).toMatchObject({ code: status, out: '', err: expect.stringContaining(said) })
})
