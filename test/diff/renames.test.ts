import { expect, test } from 'vitest'
import { type DiffOptions, diff, withRenames } from '../../src/diff/index.ts'
import { type PlainSpec, plainTree } from '../support/plain-tree.ts'

async function told(x: PlainSpec, y: PlainSpec, options: DiffOptions = {}): Promise<string[]> {
  const [before, after] = [plainTree(x), plainTree(y)]
  const lines: string[] = []
  for await (const change of withRenames(diff(before, after, options), before, after, options)) {
    const from = change.kind === 'rename' ? ` from ${change.from}` : ''
    const changed = 'changed' in change ? ` ${change.changed.join(' ')}` : ''
    lines.push(`${change.kind} ${change.path}${from}${changed}`.trim())
  }
  return lines
}

test('a file that is elsewhere with the same content was renamed', async () => {
  expect(await told({ a: 'text', b: 'x' }, { c: 'text', b: 'x' })).toEqual(['rename /c from /a'])
})

test('with other attributes it says which', async () => {
  expect(await told({ a: { content: 'text' } }, { c: { content: 'text', mode: 0o600 } })).toEqual([
    'rename /c from /a mode',
  ])
  const options = { ignore: new Set(['mode'] as const) }
  expect(await told({ a: { content: 'text' } }, { c: { content: 'text', mode: 0o600 } }, options)).toEqual([
    'rename /c from /a',
  ])
})

test('with another content of the same size it was not', async () => {
  expect(await told({ a: 'text' }, { c: 'TEXT' })).toEqual(['delete /a', 'add /c'])
})

test('files of a deleted directory are found, and it stays deleted', async () => {
  expect(await told({ 'd/e/a': 'text', 'd/b': 'other' }, { 'n/a': 'text' })).toEqual([
    'delete /d',
    'add /n',
    'rename /n/a from /d/e/a',
  ])
})

test('of several with one content the one of the same name comes first, and each is found once', async () => {
  expect(await told({ 'd/a': 'text', 'd/b': 'text' }, { 'n/b': 'text', 'n/c': 'text', 'n/d': 'text' })).toEqual([
    'delete /d',
    'add /n',
    'rename /n/b from /d/b',
    'rename /n/c from /d/a',
    'add /n/d',
  ])
})

test('empty files are not looked for, and what stands on both sides is not renamed', async () => {
  expect(await told({ a: '' }, { b: '' })).toEqual(['delete /a', 'add /b'])
  expect(await told({ a: 'text' }, { a: 'text', b: 'text' })).toEqual(['add /b'])
})

test('what is ignored makes no difference', async () => {
  const x = { a: { content: 'one', mtime: 1_000_000_000n, uid: 3 } }
  expect(await told(x, { a: 'two' }, { ignore: new Set(['mtime', 'owner', 'content'] as const) })).toEqual([])
  expect(await told(x, { a: 'two' }, { ignore: new Set(['mtime'] as const) })).toEqual(['modify /a owner content'])
})
