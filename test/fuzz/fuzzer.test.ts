import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { packCorpus, unpackCorpus } from './corpus-file.ts'
import { fixtures } from './fixtures.ts'
import { Random } from './random.ts'
import { planted } from './targets/planted.ts'

const root = join(fixtures(), '..', '..')
// Below the repository, so that what is compiled there finds its packages.
mkdirSync(join(root, '.fuzz'), { recursive: true })
const folder = mkdtempSync(join(root, '.fuzz', 'test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  return { status, text: stdout + stderr }
}

test('the fuzzer finds what was planted: foreign errors, bad rules, lost rejections, hangs of both kinds, memory, crashes', () => {
  const built = join(folder, 'built')
  const compiled = run(process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'test/fuzz', '--outDir', built)
  expect(compiled.text).toBe('')
  const main = join(built, 'test/fuzz/main.js')
  const bounds = [
    '--patience',
    '0.3',
    '--megabytes',
    '300',
    '--minutes',
    '2',
    '--stop',
    '7',
    '--seed',
    '1',
    '--folder',
    folder,
  ]
  const { status, text } = run(process.execPath, main, '--target', 'planted', ...bounds)
  expect(status).toBe(1)
  for (const found of [
    'error: TypeError',
    'error: no rule is named',
    'error: Error nobody waits for this',
    'hang: it takes more than 0.3 CPU seconds',
    'hang: a promise never settles',
    'memory: more than 300 MB',
    'crash: the process ended with SIGSEGV',
  ]) {
    expect(text).toContain(`FOUND planted: ${found}`)
  }
  // What is kept of a finding is enough to have it again.
  const findings = readdirSync(join(folder, 'findings'))
  const type = findings.find(
    (name) => name.endsWith('.txt') && readFileSync(join(folder, 'findings', name), 'utf8').startsWith('TypeError'),
  )!
  const again = run(
    process.execPath,
    main,
    '--target',
    'planted',
    '--reproduce',
    join(folder, 'findings', type.replace(/\.txt$/, '')),
  )
  expect(again).toMatchObject({ status: 1, text: expect.stringContaining('TypeError') })
})

test('the same seed makes the same inputs', () => {
  const made = () => {
    const random = new Random('7')
    return Array.from({ length: 50 }, () => planted.mutate(Buffer.from('abc'), Buffer.from('xyz'), random))
  }
  expect(made()).toEqual(made())
})

test('a corpus comes out of its file as it went in', () => {
  const inputs = [Buffer.alloc(0), Buffer.from('a'), Buffer.alloc(70_000, 'long')]
  expect(unpackCorpus(packCorpus(inputs))).toEqual(inputs)
})
