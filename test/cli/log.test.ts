import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { logChoice } from '../../src/cli/log.ts'
import { onPhase, type Phase } from '../../src/index.ts'
import { ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const at = (...argv: string[]) => ply([...argv, '--root', join(directory, 'store'), '--progress', 'none'])
const files = join(directory, 'files')
mkdirSync(files)
writeFileSync(join(files, 'file'), 'content')
writeFileSync(join(directory, 'Dockerfile'), 'FROM files:1\nCOPY file /copy\n')
const objects = (text: string): readonly Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

test('debug says how long each phase of a command took, and the whole of it', async () => {
  const { code, err } = await at('import', files, 'files:1', '--log-level', 'debug')
  expect(code).toBe(0)
  expect(err).toMatch(/^debug: import sha256:[0-9a-f]{64} took \d+\.\d ms$/m)
  expect(err).toMatch(/^debug: ply import took \d+\.\d ms\n$/m)
  const built = await at('build', '--file', join(directory, 'Dockerfile'), '-t', 'built:1', files, '--log-level=debug')
  expect([built.code, built.err]).toEqual([0, expect.stringMatching(/debug: step COPY file \/copy took/)])
  const out = join(directory, 'out')
  mkdirSync(out)
  const unpacked = await at('mount', 'built:1', out, '--via', 'extract', '--log-level', 'debug')
  expect([unpacked.code, unpacked.err]).toEqual([0, expect.stringMatching(/debug: unpack .*out took/)])
  expect((await at('umount', out)).code).toBe(0)
})

test('as JSON it is an object a line, also what failed; its level stands before the command as well as behind it', async () => {
  const made = await ply([
    '--log-format',
    'json',
    '--log-level=debug',
    'import',
    files,
    'files:2',
    '--root',
    join(directory, 'store'),
  ])
  const told = objects(made.err)
  expect(told.at(-1)).toEqual({
    ...{ level: 'debug', time: expect.stringMatching(/^\d{4}-.*Z$/), phase: 'command', what: 'ply import' },
    milliseconds: expect.any(Number),
  })
  const failed = await at('cat', 'missing:1', '/file', '--log-format=json')
  expect(failed.code).toBe(3)
  expect(objects(failed.err)).toEqual([
    expect.objectContaining({
      level: 'error',
      code: 'PLY_IMAGE_NOT_FOUND',
      message: expect.stringContaining('missing:1'),
    }),
  ])
  const [debugged] = objects(
    (await at('cat', 'missing:1', '/file', '--log-format=json', '--log-level=debug')).err,
  ).slice(-1)
  expect(debugged!.stack).toContain('at Images.find')
})

test('a level that there is not is a mistake in the command line, and says what there is', async () => {
  const { code, err } = await at('images', '--log-level', 'loud')
  expect([code, err]).toEqual([2, expect.stringMatching(/error, info, debug/)])
})

test('what is behind -- is another program’s', () => {
  expect(logChoice('log-level', ['run', 'a:1', '--', 'x', '--log-level', 'debug'], {})).toBeUndefined()
  expect(logChoice('log-level', ['images', '--log-level', 'debug'], { PLY_LOG: 'error' })).toBe('debug')
  expect(logChoice('log-format', ['images'], { PLY_LOG_FORMAT: 'json' })).toBe('json')
})

test('a program hears of phases until it has heard enough', async () => {
  const heard: Phase[] = []
  const stop = onPhase((phase) => heard.push(phase))
  writeFileSync(join(files, 'file'), 'other content')
  await at('import', files, 'files:3')
  stop()
  writeFileSync(join(files, 'file'), 'more content')
  await at('import', files, 'files:4')
  expect(heard).toEqual([
    { phase: 'import', what: expect.stringMatching(/^sha256:/), milliseconds: expect.any(Number), ended: true },
  ])
})
