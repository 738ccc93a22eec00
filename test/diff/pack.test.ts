import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type DiffOptions,
  diff,
  type PackChangesOptions,
  packChanges,
  packTree,
  type Skipped,
} from '../../src/diff/index.ts'
import type { PackItem } from '../../src/layer/pack.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { type PlainSpec, plainTree, treeEntries } from '../support/plain-tree.ts'
import { applyItems } from './apply-items.ts'
import { edited, edits } from './edits.ts'

type Options = PackChangesOptions & DiffOptions

function between(before: Tree, after: Tree, options: Options = {}): AsyncIterable<PackItem> {
  return packChanges(diff(before, after, options), { before, after }, options)
}

async function told(items: AsyncIterable<PackItem>): Promise<string[]> {
  const all: string[] = []
  for await (const item of items) {
    if (item.says !== 'entry') all.push(`${item.says} ${item.path}`)
    else all.push(item.linkTo === undefined ? `${item.stat.kind} ${item.path}` : `link ${item.path} -> ${item.linkTo}`)
  }
  return all
}

const cases: readonly [string, PlainSpec, PlainSpec, string[], Options?][] = [
  ['no change, no items', { 'a/b': '' }, { 'a/b': '' }, []],
  [
    'E-05: ancestors come too, the root only when it changed',
    { 'a/b/c': '1', 'a/d': '' },
    { 'a/b/c': '2', 'a/d': '' },
    ['directory a', 'directory a/b', 'file a/b/c'],
  ],
  ['E-05: the root when it changed', {}, { '': { uid: 7 } }, ['directory ']],
  ['E-06: one whiteout at the top', { 'd/e/f': '', 'd/g': '' }, {}, ['whiteout d']],
  ['E-06: none under what became a file', { 'd/e': '' }, { d: '' }, ['file d']],
  [
    'E-04: markers before other entries, in byte order',
    { 'd/a': '', 'd/m': '', 'd/z': '' },
    { 'd/b': '', 'd/c/x': '', 'd/m': '' },
    ['directory d', 'whiteout d/a', 'whiteout d/z', 'file d/b', 'directory d/c', 'file d/c/x'],
  ],
  [
    'E-07: whiteouts by default',
    { 'd/a': '', 'd/b': '' },
    { 'd/c': '' },
    ['directory d', 'whiteout d/a', 'whiteout d/b', 'file d/c'],
  ],
  [
    'E-07: one opaque marker on request',
    { 'd/a': '', 'd/b': '' },
    { 'd/c': '' },
    ['directory d', 'opaque d', 'file d/c'],
    { opaque: true },
  ],
  [
    'E-07: no opaque marker where something stays',
    { 'd/a': '', 'd/b': '' },
    { 'd/b': '' },
    ['directory d', 'whiteout d/a'],
    { opaque: true },
  ],
  [
    'E-09: the first name carries the data',
    {},
    { 'z/a': 'x', b: { hardlink: 'z/a' }, c: { hardlink: 'z/a' } },
    ['file b', 'link c -> b', 'directory z', 'link z/a -> b'],
  ],
  [
    'E-09: one more name brings all names',
    { a: 'x', 'd/b': { hardlink: 'a' } },
    { a: 'x', 'd/b': { hardlink: 'a' }, 'e/c': { hardlink: 'a' } },
    ['file a', 'directory d', 'link d/b -> a', 'directory e', 'link e/c -> a'],
  ],
  ['E-09: one name less brings nothing', { a: 'x', b: { hardlink: 'a' } }, { b: 'x' }, ['whiteout a']],
  [
    'E-09: a name that leaves its group comes alone',
    { a: 'x', b: { hardlink: 'a' }, c: { hardlink: 'a' } },
    { a: 'x', b: { hardlink: 'a' }, c: 'x' },
    ['file c'],
  ],
]

describe('packChanges', () => {
  for (const [name, before, after, expected, options] of cases) {
    test(name, async () => {
      expect(await told(between(plainTree(before), plainTree(after), options))).toEqual(expected)
    })
  }

  test('E-09: names in directories that the diff skipped are found', async () => {
    const spec: PlainSpec = { 'quiet/a': 'x', 'busy/b': { hardlink: 'quiet/a' }, 'quiet/other': 'y' }
    const before = plainTree(spec)
    const after = plainTree({ ...spec, 'quiet/a': 'changed' })
    const quiet = after.lookup(after.root, 'quiet')
    const untouched = (ino: number) => (ino === quiet ? before.lookup(before.root, 'quiet') : undefined)
    const items = between(before, after, { untouched })
    expect(await told(items)).toEqual(['directory busy', 'file busy/b', 'directory quiet', 'link quiet/a -> busy/b'])
  })

  test('T-09: sockets are skipped and listed, and what they replaced is gone', async () => {
    const skipped: Skipped[] = []
    const before = plainTree({ 'run/s': 'x' })
    const after = plainTree({ 'run/s': { kind: 'socket' }, 'run/t': { kind: 'socket' } })
    const items = between(before, after, { onSkipped: (one) => skipped.push(one) })
    expect(await told(items)).toEqual(['directory run', 'whiteout run/s'])
    expect(skipped).toEqual([
      { path: 'run/s', rule: 'T-09' },
      { path: 'run/t', rule: 'T-09' },
    ])
  })

  test('E-10, W-17: names that would be read as whiteouts are refused by name, or skipped on request', async () => {
    const after = plainTree({ 'd/.wh.x/y': '', 'd/z': '' })
    await expect(told(between(plainTree(), after))).rejects.toMatchObject({
      code: 'PLY_UNREPRESENTABLE',
      details: { path: '/d/.wh.x' },
    })
    await expect(told(packTree(after))).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
    expect(await told(between(plainTree(), after, { skipMarkers: true }))).toEqual(['directory d', 'file d/z'])
    expect(await told(packTree(after, { skipMarkers: true }))).toEqual(['directory d', 'file d/z'])
  })

  test('E-15: base and packed changes give the target, whatever was done', async () => {
    await fc.assert(
      fc.asyncProperty(edits, edits, fc.boolean(), async (first, second, opaque) => {
        const before = edited(first)
        const after = edited(first, second)
        const made = await applyItems(
          before,
          between(before, after, { opaque, directoryTimes: true, nanoseconds: true }),
        )
        expect(treeEntries(made)).toEqual(treeEntries(after))
      }),
      { numRuns: 1000 },
    )
  })

  test('E-15: so it is between trees that have nothing to do with each other', async () => {
    await fc.assert(
      fc.asyncProperty(edits, edits, async (first, second) => {
        const before = edited(first)
        const after = edited(second)
        const made = await applyItems(before, between(before, after, { directoryTimes: true }))
        expect(treeEntries(made)).toEqual(treeEntries(after))
      }),
      { numRuns: 500 },
    )
  })
})

describe('packTree', () => {
  test('gives a whole tree, links to the first name, without a root that is like any root', async () => {
    const tree = plainTree({ 'a/b': 'x', c: { hardlink: 'a/b' }, l: { target: 't' } })
    expect(await told(packTree(tree))).toEqual(['directory a', 'file a/b', 'link c -> a/b', 'symlink l'])
  })

  test('A tree on an empty base is the tree', async () => {
    await fc.assert(
      fc.asyncProperty(edits, async (made) => {
        const tree = edited(made)
        expect(treeEntries(await applyItems(plainTree(), packTree(tree)))).toEqual(treeEntries(tree))
      }),
      { numRuns: 300 },
    )
  })
})
