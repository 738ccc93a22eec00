import { execFileSync } from 'node:child_process'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { diff, patchOf, withRenames } from '../../src/diff/index.ts'
import { extractTree } from '../../src/extract/index.ts'
import { holds } from '../properties/seed.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { type PlainSpec, plainTree } from '../support/plain-tree.ts'

const work = mkdtempSync(join(tmpdir(), 'ply-test-patch-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

async function patchBetween(one: PlainSpec, other: PlainSpec, renames = false): Promise<string> {
  const [before, after] = [plainTree(one), plainTree(other)]
  const plain = diff(before, after)
  let all = ''
  for await (const change of renames ? withRenames(plain, before, after) : plain)
    all += await patchOf(change, before, after)
  return all
}

test('a changed line is shown with three around it', async () => {
  const text = (line: string) => ['a', 'b', 'c', 'd', line, 'e', 'f', 'g', 'h', ''].join('\n')
  expect(await patchBetween({ 'etc/x': text('old') }, { 'etc/x': text('new') })).toBe(
    `diff --git a/etc/x b/etc/x\n--- a/etc/x\n+++ b/etc/x\n@@ -2,7 +2,7 @@\n b\n c\n d\n-old\n+new\n e\n f\n g\n`,
  )
})

test('what is added and what is gone, modes, symlinks, renames, binary files and odd names', async () => {
  expect(await patchBetween({}, { 'new file': 'x' })).toBe(
    'diff --git a/new file b/new file\nnew file mode 100644\n--- /dev/null\n+++ b/new file\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n',
  )
  expect(await patchBetween({ d: { kind: 'directory' }, 'd/a': 'x\n', 'd/b': '' }, {})).toBe(
    'diff --git a/d/a b/d/a\ndeleted file mode 100644\n--- a/d/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\ndiff --git a/d/b b/d/b\ndeleted file mode 100644\n',
  )
  expect(await patchBetween({ s: { content: 'x', mode: 0o755 } }, { s: { content: 'x', mode: 0o4755 } })).toBe(
    'diff --git a/s b/s\nold mode 100755\nnew mode 104755\n',
  )
  expect(await patchBetween({ l: { target: 'a' } }, { l: { target: 'b' } })).toContain(
    '@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n',
  )
  expect(await patchBetween({ one: 'x\0y' }, { one: 'x\0z' })).toBe(
    'diff --git a/one b/one\nBinary files a/one and b/one differ\n',
  )
  expect(await patchBetween({ one: 'moved\n' }, { 'caf\xc3\xa9': 'moved\n' }, true)).toBe(
    'diff --git a/one "b/caf\\303\\251"\nsimilarity index 100%\nrename from one\nrename to "caf\\303\\251"\n',
  )
  expect(await patchBetween({ a: { content: 'x', uid: 1 } }, { a: { content: 'x', uid: 2 } })).toBe('')
})

test('texts that have nothing to do with each other are soon told, one in the place of the other', async () => {
  const lines = (word: string) => Array.from({ length: 40_000 }, (_, line) => `${word} ${line}\n`).join('')
  const patch = await patchBetween({ big: lines('one') }, { big: lines('other') })
  expect(patch.split('\n').slice(3, 5)).toEqual(['@@ -1,40000 +1,40000 @@', '-one 0'])
})

const line = fc.constantFrom('a', 'b', 'c', '', 'caf\xe9', 'with\r', ' x', '-y', '\\z')
const text = fc
  .tuple(fc.array(line, { maxLength: 30 }), fc.boolean())
  .map(([lines, ended]) => lines.join('\n') + (ended && lines.length > 0 ? '\n' : ''))
const node = fc.oneof(
  text.map((content) => ({ kind: 'file' as const, content, mode: 0o644 })),
  text.map((content) => ({ kind: 'file' as const, content, mode: 0o755 })),
  fc.constantFrom('a', '../x').map((target) => ({ kind: 'symlink' as const, target, mode: 0o777 })),
)
const specs = fc.dictionary(fc.constantFrom('a', 'b', 'd/a', 'd/e/b', 'sp ace', 'q"uote', 'ni\xc3\xb1o'), node)

/** Files and symlinks: git knows no directories, and no more of modes than whether a file may be run. */
function shown(directory: string): string[] {
  return (readdirSync(directory, { recursive: true, encoding: 'latin1' }) as string[])
    .map((path) => {
      const at = Buffer.from(`${directory}/${path}`, 'latin1')
      const stat = lstatSync(at)
      if (stat.isDirectory()) return ''
      if (stat.isSymbolicLink()) return `${path} -> ${readlinkSync(at, 'latin1')}`
      return `${path} ${(stat.mode & 0o111) > 0} ${readFileSync(at, 'latin1')}`
    })
    .filter((one) => one !== '')
    .sort()
}

testIf(hasProgram('git'), 'git is not installed')('git applies it to one tree and gets the other', async () => {
  let number = 0
  await holds('git apply gives the other tree', 40, fc.tuple(specs, specs), async ([one, other]) => {
    const at = join(work, String(number++))
    await extractTree(plainTree(one), `${at}-a`)
    await extractTree(plainTree(other), `${at}-b`)
    const patch = await patchBetween(one, other)
    if (patch !== '') {
      const git = ['-c', 'core.autocrlf=false', 'apply', '--whitespace=nowarn', '-p1', '-']
      execFileSync('git', git, { cwd: `${at}-a`, input: Buffer.from(patch, 'latin1'), stdio: ['pipe', 'pipe', 'pipe'] })
    }
    expect(shown(`${at}-a`)).toEqual(shown(`${at}-b`))
  })
})
