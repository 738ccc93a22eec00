import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { file, named } from '../layer/parts.ts'
import { archive as rawArchive } from '../tar/raw.ts'
import { dockerArchive, ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const archive = join(directory, 'base.tar')

async function run(...argv: string[]): Promise<string> {
  const { code, out, err } = await ply([...argv, '--root', root])
  expect(code, err).toBe(0)
  return out
}

async function fails(code: number, text: string | RegExp, ...argv: string[]): Promise<void> {
  const answer = await ply([...argv, '--root', root])
  expect(answer.err).toMatch(text)
  expect(answer.code).toBe(code)
}

const layersOf = async (image: string) => JSON.parse(await run('inspect', image, '--json'))[0].layers.length as number
const same = (a: string, b: string) => run('diff', a, b, '--directory-times')

beforeAll(async () => {
  const layers = [
    { 'etc/': '', 'etc/motd': 'welcome\n', 'etc/issue': 'issue\n', 'bin/sh': 'shell' },
    { 'etc/.wh.motd': '', 'opt/data/a': 'a'.repeat(3000), 'opt/data/b': 'b' },
    { 'etc/issue': 'newer\n', 'opt/': '', 'opt/data/.wh.b': '' },
  ]
  await dockerArchive(archive, 'app:1', layers)
  await run('load', archive)
  await dockerArchive(join(directory, 'old.tar'), 'base:1', layers.slice(0, 1))
  await run('load', join(directory, 'old.tar'))
  await dockerArchive(join(directory, 'new.tar'), 'base:2', [{ 'etc/': '', 'etc/new': 'yes', opt: { to: 'srv' } }])
  await run('load', join(directory, 'new.tar'))
})

describe('images made from images', () => {
  test('squash prints the digest, takes a range or the last layers, and shows the same', async () => {
    const digest = (await run('squash', 'app:1', '--from', '1', '-t', 'app:small')).trim()
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(await layersOf('app:small')).toBe(2)
    expect(await same('app:1', 'app:small')).toBe('')
    expect((await run('squash', 'app:1', '--last', '2')).trim()).toBe(digest)
    expect((await run('squash', 'app:1', '--from', '1', '--to', '2', '-q')).trim()).toBe(digest)
    expect(JSON.parse(await run('squash', 'app:1', '--last', '2', '--json'))).toMatchObject({ digest })
    expect(await run('history', 'app:small')).toContain('ply squash')
  })

  test('squash says which layers there are', async () => {
    await fails(2, 'the image has layers 0 (the base) to 2', 'squash', 'app:1', '--from', '3')
    await fails(2, '--last 4: the image has 3 layers', 'squash', 'app:1', '--last', '4')
    await fails(2, 'say the range once', 'squash', 'app:1', '--last', '2', '--from', '1')
    await fails(3, 'no image named', 'squash', 'nothing:1')
  })

  test('flatten makes one layer that shows the same, also of an image from elsewhere', async () => {
    await run('flatten', 'app:1', '-t', 'app:flat', '-m', 'as one')
    expect(await layersOf('app:flat')).toBe(1)
    expect(await same('app:1', 'app:flat')).toBe('')
    expect(await run('history', 'app:flat')).toContain('as one')
    const digest = (await run('flatten', `docker-archive:${archive}`)).trim()
    expect(digest).toBe((await run('flatten', 'app:1')).trim())
  })

  test('split cuts a layer by size and by paths', async () => {
    await run('split', 'app:1', '--layer', '1', '--size', '2kB', '-t', 'app:cut')
    expect(await layersOf('app:cut')).toBe(4)
    expect(await same('app:1', 'app:cut')).toBe('')
    await run('split', 'app:1', '--layer', '0', '--path', 'etc', '--path', '/bin/', '-t', 'app:cut')
    expect(await layersOf('app:cut')).toBe(4)
    expect(await same('app:1', 'app:cut')).toBe('')
    await fails(2, 'not a size', 'split', 'app:1', '--layer', '0', '--size', 'large')
    await fails(2, 'say how to cut the layer', 'split', 'app:1', '--layer', '0')
  })

  test('rebase puts the layers on another base, and warns of directories in the place of symlinks', async () => {
    const { code, out, err } = await ply([
      'rebase',
      'app:1',
      '--old-base',
      'base:1',
      '--new-base',
      'base:2',
      '-t',
      'app:2',
      '--root',
      root,
    ])
    expect(code, err).toBe(0)
    expect(out).toMatch(/^sha256:[0-9a-f]{64}\n$/)
    expect(err).toMatch(/^warning: layer 1: opt: .*\(N-13\)$/m)
    expect(await run('cat', 'app:2', '/etc/new')).toBe('yes')
    expect(await run('ls', '-q', 'app:2', '/opt/data')).toContain('a')
    await fails(2, 'was not built on this base', 'rebase', 'app:1', '--old-base', 'base:2', '--new-base', 'base:1')
  })

  test('what was accepted with raised limits is rewritten and committed without saying them again', async () => {
    const path = `${'d/'.repeat(1100)}f`
    const tar = join(directory, 'deep.tar')
    writeFileSync(tar, rawArchive(named(path, file('-', 'x')), file('y', 'y')))
    await run('import', tar, 'deep', '--limit', 'depth=2k')
    for (const rewrite of [['squash'], ['flatten'], ['split', '--layer', '0', '--size', '1']]) {
      await run(...rewrite, 'deep', '-t', 'deep:again')
      expect(await same('deep', 'deep:again')).toBe('')
    }
    await run('create', 'deep:again', '--name', 'diver')
    writeFileSync(join(directory, 'new'), 'new')
    await run('cp', join(directory, 'new'), `diver:/${path}`)
    await run('commit', 'diver', 'deep:new')
    rmSync(join(root, 'cache'), { recursive: true })
    expect(await run('cat', 'deep:new', path)).toBe('new')
  })
})
