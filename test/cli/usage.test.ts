import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { describedClass } from '../../src/cli/help.ts'
import { cliReference } from '../../src/cli/reference.ts'
import { wordsOfOthers } from '../../src/cli/words-of-others.ts'
import { ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = `${directory}/store`

describe('a command line that cannot be read is a usage error of one line, with a hint', () => {
  for (const argv of [
    ['lod'],
    ['load', 'a', 'b'],
    ['load', 'a', '-i', 'b'],
    ['load'],
    ['tag', 'only-one'],
    ['images', '--nonsense'],
    ['images', '--progress', 'loud'],
    ['save', 'a', '--format', 'zip'],
    ['save', 'a', '--format', 'oci'],
    ['save', 'a', '-o', 'oci:out', '--format', 'oci'],
    ['inspect', '--raw', '--config', 'a'],
    ['inspect', '--raw', 'a', 'b'],
    ['tree', 'a', '--depth', '0'],
    ['tree', 'a', '--depth', 'many'],
    ['cat', 'a', '/x', '--json'],
    ['cp', 'a', 'b'],
    ['cp', 'work:/a', 'work:/b'],
    ['inspect', 'UPPER CASE'],
    ['create', ''],
  ]) {
    test(`ply ${argv.join(' ')}`, async () => {
      const { code, out, err } = await ply([...argv, '--root', root])
      expect(err).toMatch(/^ply: [^\n]+\n( {5}[^\n]+\n)?$/)
      expect(code, err).toBe(2)
      if (!argv.includes('--json')) expect(out).toBe('')
    })
  }
})

test('a flag with a wrong value is answered with the flag and what it takes', async () => {
  const { err } = await ply(['tree', 'a', '--depth', 'x'])
  expect(err).toMatch(/^ply: --depth: expected an integer but received: x \(PLY_USAGE\)\n/)
})

test('with --json an error is an object on stdout as well', async () => {
  const { code, out, err } = await ply(['images', '--nonsense', '--json'])
  expect(code).toBe(2)
  expect(JSON.parse(out)).toEqual({
    error: {
      code: 'PLY_USAGE',
      message: 'unknown flag: --nonsense',
      details: { reason: 'unknown flag: --nonsense' },
      hint: 'see: ply images --help',
    },
  })
  expect(err).toContain('unknown flag')
})

test('a misspelt command is answered with the ones it may mean', async () => {
  expect((await ply(['imges'])).err).toContain('did you mean: images')
  expect((await ply(['zzzzzz'])).err).toContain('see: ply --help')
})

test('a flag without a command is no misspelt command', async () => {
  expect(await ply(['-v'])).toMatchObject({ code: 2, err: 'ply: unknown flag: -v; see: ply --help (PLY_USAGE)\n' })
})

test('a word that is a command of another tool is answered with what it is here', async () => {
  expect((await ply(['pull', 'debian'])).err).toContain('here it is: ply copy docker://HOST/NAME:TAG NAME:TAG')
  for (const [word, line] of wordsOfOthers) {
    expect(commands.has(word), word).toBe(false)
    const [, id = ''] = line.split(' ')
    expect(commands.has(id) || [...commands.keys()].some((name) => name.startsWith(`${id} `)), line).toBe(true)
  }
})

test('who names a file or a directory where an image is wanted is told how to write it', async () => {
  writeFileSync(`${directory}/image.tar`, '')
  const { code, err } = await ply(['ls', `${directory}/image.tar`, '--root', root])
  expect([code, err]).toEqual([2, expect.stringContaining(`write docker-archive:${directory}/image.tar or`)])
  expect((await ply(['ls', directory, '--root', root])).err).toContain(`write oci:${directory} for an OCI layout`)
  expect((await ply(['ls', `${directory}/none`, '--root', root])).err).toContain('write NAME[:TAG]')
  // Where the tests run there is a directory of that name.
  const relative = await ply(['ls', 'src', '--root', root])
  expect([relative.code, relative.err]).toEqual([3, expect.stringContaining('rootfs:src for the files in it')])
  expect((await ply(['ls', 'none', '--root', root])).err.split('\n')).toHaveLength(2)
})

test('the first word of commands of two lists them', async () => {
  const { out, code } = await ply(['index', '--help'])
  expect(code).toBe(0)
  for (const id of ['create', 'add', 'remove', 'annotate']) expect(out).toMatch(new RegExp(`^  index ${id} +\\S`, 'm'))
  expect((await ply(['help', 'index'])).out).toBe(out)
  expect((await ply(['index'])).out).toBe(out)
  const wrong = await ply(['index', 'craete', 'a', 'b'])
  expect(wrong).toMatchObject({ code: 2, out: '', err: expect.stringContaining('see: ply index --help') })
})

test('ply, ply help and ply --help list every command', async () => {
  const { out, code } = await ply(['--help'])
  expect(code).toBe(0)
  for (const id of commands.keys()) expect(out).toMatch(new RegExp(`^  ${id} `, 'm'))
  expect((await ply([])).out).toBe(out)
  expect((await ply(['help'])).out).toBe(out)
})

describe('every command explains itself', () => {
  for (const id of commands.keys()) {
    test(`ply ${id} --help has a summary, all flags and a real example`, async () => {
      const { code, out, err } = await ply([id, '--help'])
      expect(err).toBe('')
      expect(code).toBe(0)
      const { summary, flags, args, examples } = await describedClass(id)
      expect(out.startsWith(`${summary}\n`)).toBe(true)
      for (const name of Object.keys(flags)) expect(out).toMatch(new RegExp(`--(\\[no-\\])?${name}\\b`))
      for (const name of Object.keys(args)) expect(out).toContain(name.toUpperCase())
      expect(examples.length).toBeGreaterThan(0)
      for (const example of examples as { command: string }[]) {
        expect(example.command).toMatch(new RegExp(`\\bply ${id}\\b`))
        expect(out).toContain(example.command)
      }
      expect((await ply(['help', id])).out).toBe(out)
    })
  }
})

test('one flag has one letter, or takes that of the others too', async () => {
  const letters = new Map<string, Set<string>>()
  for (const id of commands.keys()) {
    const { flags } = await describedClass(id)
    for (const [name, { char, charAliases = [] }] of Object.entries(
      flags as Record<string, { char?: string; charAliases?: string[] }>,
    )) {
      if (char === undefined) continue
      const here = new Set([char, ...charAliases])
      const shared = [...(letters.get(name) ?? here)].filter((letter) => here.has(letter))
      expect(shared, `${id} --${name}`).not.toEqual([])
      letters.set(name, new Set(shared))
    }
  }
})

test('no argument waits for stdin', async () => {
  for (const id of commands.keys()) {
    const { args } = await describedClass(id)
    for (const arg of Object.values(args as Record<string, { ignoreStdin?: boolean }>))
      expect(arg.ignoreStdin).toBe(true)
  }
})

test('docs/cli.md is current (npm run docs:cli writes it)', async () => {
  expect(readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')).toBe(await cliReference())
})

test('shared flags may stand before the command', async () => {
  const { out } = await ply(['--json', '--progress', 'none', 'images', '--nonsense'])
  expect(JSON.parse(out).error.code).toBe('PLY_USAGE')
})
