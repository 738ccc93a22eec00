import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { completions } from '../../src/cli/completing.ts'
import { completedArguments, shellWords } from '../../src/cli/completion-words.ts'
import { dockerArchive, ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const environment = { PLY_ROOT: root }

beforeAll(async () => {
  const archive = join(directory, 'three.tar')
  await dockerArchive(archive, 'three:1', [
    {
      'etc/': '',
      'etc/os-release': 'x',
      'etc/odd name': 'x',
      'etc/opt/': '',
      'usr/bin/sh': 'x',
      bin: { to: 'usr/bin' },
      up: { to: 'nowhere' },
    },
  ])
  await ply(['load', archive, '--root', root])
  await ply(['tag', 'three:1', 'team/other:2', '--root', root])
  await ply(['create', 'three:1', '--name', 'work', '--root', root])
})

/** What is offered, after a line that ends in the cursor: `F` for files. */
async function offered(line: string): Promise<string[]> {
  const [kind, ...words] = (await completions(['words', ...shellWords(line).slice(1)], environment))
    .trimEnd()
    .split('\n')
  return kind === 'files' ? ['F'] : words.filter((word) => word !== '')
}

const cases: readonly [string, readonly string[]][] = [
  ['ply bla', ['blame']],
  ['ply index ', ['create', 'add', 'remove', 'annotate']],
  ['ply nothing ', []],
  ['ply completion z', ['zsh']],
  ['ply history t', ['team/other:2', 'three:1', 'tar:']],
  ['ply cat three:1 /etc/o', ['/etc/odd name', '/etc/opt/', '/etc/os-release']],
  ['ply cat three:1 /etc/os-release /u', ['/up', '/usr/']],
  ['ply ls three:1 /b', ['/bin/']],
  ['ply ls three:1 /bin/', ['/bin/sh']],
  ['ply ls three:1 etc/os', ['etc/os-release']],
  ['ply cat work:/etc/os', ['work:/etc/os-release']],
  ['ply cp ./a work:/us', ['work:/usr/']],
  ['ply cp w', ['work:/']],
  ['ply cp ./', ['F']],
  ['ply cat container:work /etc/os', ['/etc/os-release']],
  ['ply diff three:1 c', ['container:work']],
  ['ply rm ', ['work']],
  ['ply inspect three:1 te', ['team/other:2']],
  ['ply history three:1 ', []],
  ['ply check three:1 --format s', ['sarif']],
  ['ply check --rules ', ['F']],
  ['ply check --rules x.toml th', ['three:1']],
  ['ply check three:1 --ru', ['--rules']],
  ['ply load ', ['F']],
  ['ply run three:1 -- ', ['F']],
  ['ply cat none:1 /e', []],
  ['ply cat docker://registry.example.com/a:1 /e', []],
  ['echo x; ply --root /nowhere history t', []],
]
for (const [line, expected] of cases)
  test(`offers what comes next: ${line}`, async () => expect(await offered(line)).toEqual(expected))

test('offers archives and layouts by their files', async () => {
  mkdirSync(join(directory, 'layouts/one'), { recursive: true })
  writeFileSync(join(directory, 'layouts/two.tar'), '')
  expect(await offered(`ply ls oci:${directory}/layouts/`)).toEqual([
    `oci:${directory}/layouts/one/`,
    `oci:${directory}/layouts/two.tar`,
  ])
})

test('readline gets what is behind its last break, escaped as a shell wants it', async () => {
  const bash = (line: string) => completions(['bash', line, ' \t\n"\'><=;|&(:'], environment)
  expect(await bash('ply cat work:/etc/od')).toBe('words\n/etc/odd\\ name\n')
  expect(await bash('ply history three:')).toBe('words\n1\n')
  expect(await completions(['bash', 'ply history three:', ' '], environment)).toBe('words\nthree:1\n')
  expect(await bash('ply cat three:1 "/etc/od')).toBe('words\n/etc/odd\\ name\n')
})

test('words are read as a shell reads them', () => {
  expect(shellWords(`a 'b c' "d\\"e" f\\ g `)).toEqual(['a', 'b c', 'd"e', 'f g', ''])
  expect(shellWords("true && ply cat 'un")).toEqual(['ply', 'cat', 'un'])
})

test('arguments are known of commands that there are', () => {
  expect(Object.keys(completedArguments).filter((name) => !commands.has(name))).toEqual([])
})

test('nothing of oclif is loaded to answer', () => {
  const seen = new Set<string>()
  const visit = (file: string) => {
    if (seen.has(file)) return
    seen.add(file)
    const text = readFileSync(file, 'utf8')
    expect(text, file).not.toMatch(/^import (?!type).*from '@oclif/m)
    for (const [, path] of text.matchAll(/^(?:import|export) (?!type)[^'"]*?from '(\.[^']+)'/gm))
      visit(resolve(dirname(file), path!))
  }
  visit(fileURLToPath(new URL('../../src/cli/completing.ts', import.meta.url)))
  visit(fileURLToPath(new URL('../../src/index.ts', import.meta.url)))
  expect(seen.size).toBeGreaterThan(100)
})
