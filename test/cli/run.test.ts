import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { archive, member } from '../tar/raw.ts'
import { ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const run = (...argv: string[]) => ply([...argv, '--root', root])
const containers = async () => (await ply(['ps', '-q', '--root', root])).out

test('where nothing can be run because nothing is said of what, no container stays', async () => {
  writeFileSync(join(directory, 'rootfs.tar'), archive(member({ name: 'file' }, 'x')))
  expect((await run('import', join(directory, 'rootfs.tar'), 'mine')).code).toBe(0)
  for (const flags of [[], ['--name', 'work']]) {
    const { code, err } = await ply(['run', '--root', root, ...flags, 'mine'])
    // Without a runtime that is what is wrong, and it is as little the container's.
    expect([code, err]).toEqual([125, expect.stringMatching(/^ply: .* \((PLY_USAGE|PLY_UNSUPPORTED)\)\n$/)])
    expect(await containers()).toBe('')
  }
})

test('a container that was there stays, whatever is wrong with the command', async () => {
  expect((await run('create', 'mine', '--name', 'kept')).code).toBe(0)
  expect((await ply(['run', '--root', root, 'kept'])).code).toBe(125)
  expect(await containers()).toBe('kept\n')
})

test.each<readonly [string, readonly string[], string]>([
  ['a mount without a place', ['-v', '/etc', 'mine'], '-v /etc: write HOST:PATH or HOST:PATH:ro'],
  ['a mount of what is not there', ['-v', '/nothing/here:/x', 'mine'], 'there is no /nothing/here; make it first'],
  ['a way to mount that nobody knows', ['-v', '/etc:/x:slow', 'mine'], 'slow is not known; there are ro, rw, z, Z'],
  ['a tmpfs that is not from the root', ['--tmpfs', 'tmp', 'mine'], '--tmpfs tmp: write PATH or PATH:OPTIONS'],
  ['a file of variables that is not there', ['--env-file', '/nothing/here', 'mine'], 'ENOENT'],
  ['--json', ['--json', 'mine'], '--json and the output of a command cannot share stdout'],
  ['--rm of a container that was there', ['--rm', 'kept'], '--rm would remove the container kept'],
  ['a platform for a container', ['--platform', 'linux/arm64', 'kept'], '--platform chooses an image, and kept is'],
])('%s is wrong before there is a container, and none is made', async (_, words, said) => {
  const { code, err } = await ply(['run', '--root', root, ...words, 'true'])
  expect([code, err]).toEqual([125, expect.stringContaining(said)])
  expect(await containers()).toBe('kept\n')
})

test('dashes between image and command are nobody’s program', async () => {
  const { code, err } = await ply(['run', '--root', root, 'kept', '--'])
  expect([code, err]).toEqual([125, expect.not.stringContaining('no such program')])
})
