import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Change, type DiffOptions, diff } from '../../src/diff/index.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { type PlainSpec, plainTree } from '../support/plain-tree.ts'
import { edited, edits } from './edits.ts'

async function collect(before: Tree, after: Tree, options?: DiffOptions): Promise<Change[]> {
  const all: Change[] = []
  for await (const change of diff(before, after, options)) all.push(change)
  return all
}

async function told(before: PlainSpec, after: PlainSpec, options?: DiffOptions): Promise<string[]> {
  const all = await collect(plainTree(before), plainTree(after), options)
  return all.map((change) => {
    const aspects = change.kind === 'modify' ? ` ${change.changed.join(' ')}` : ''
    return `${change.kind} ${change.path}${aspects}`
  })
}

describe('what is a change', () => {
  const cases: readonly [string, PlainSpec, PlainSpec, string[], DiffOptions?][] = [
    ['E-01: equal trees', { 'a/b': 'x' }, { 'a/b': 'x' }, []],
    ['E-02: content of equal size and time', { a: 'one' }, { a: 'two' }, ['modify /a content']],
    ['E-02: content of another size', { a: 'one' }, { a: 'three' }, ['modify /a content']],
    [
      'E-01: mode, owner and time of a file',
      { a: 'x' },
      { a: { content: 'x', mode: 0o600, gid: 5, mtime: 1_000_000_000n } },
      ['modify /a mode owner mtime'],
    ],
    ['E-01: set-id bits', { a: { mode: 0o755 } }, { a: { mode: 0o4755 } }, ['modify /a mode']],
    ['E-01: xattrs', { a: { xattrs: { 'user.a': '1' } } }, { a: { xattrs: { 'user.a': '2' } } }, ['modify /a xattrs']],
    ['E-01: a removed xattr', { a: { xattrs: { 'user.a': '1' } } }, { a: '' }, ['modify /a xattrs']],
    [
      'X-03, X-04, X-09: xattrs that are never exported make no change',
      { a: '' },
      {
        a: {
          xattrs: {
            'security.selinux': 'x',
            'user.containers.override_stat': '0:0:755',
            'user.rootlesscontainers': 'x',
            'user.empty': '',
          },
        },
      },
      [],
    ],
    [
      'X-07: revision 3 of a capability set equals its revision 2',
      { a: { xattrs: { 'security.capability': `\x01\0\0\x02${'c'.repeat(16)}` } } },
      { a: { xattrs: { 'security.capability': `\x01\0\0\x03${'c'.repeat(16)}\0\0\0\0` } } },
      [],
    ],
    ['E-01: the target of a symlink', { a: { target: 'x' } }, { a: { target: 'y' } }, ['modify /a target']],
    ['O-06: not the mode of a symlink', { a: { target: 'x', mode: 0o777 } }, { a: { target: 'x', mode: 0 } }, []],
    [
      'E-01: device numbers',
      { a: { kind: 'character', major: 1, minor: 3 } },
      { a: { kind: 'character', major: 1, minor: 5 } },
      ['modify /a device'],
    ],
    ['M-07: not a fraction of a second', { a: { mtime: 1n } }, { a: { mtime: 999_999_999n } }, []],
    ['M-07: seconds are floored below zero', { a: { mtime: -1n } }, { a: { mtime: 1n } }, ['modify /a mtime']],
    [
      'M-07: a fraction of a second if asked',
      { a: { mtime: 1n } },
      { a: { mtime: 2n } },
      ['modify /a mtime'],
      { nanoseconds: true },
    ],
    ['E-03: not the time of a directory', { 'd/': {} }, { 'd/': { mtime: 5_000_000_000n } }, []],
    [
      'E-03: the time of a directory if asked',
      { 'd/': {} },
      { 'd/': { mtime: 5_000_000_000n } },
      ['modify /d mtime'],
      { directoryTimes: true },
    ],
    ['E-05: the root, when its attributes change', { '': { mode: 0o755 } }, { '': { mode: 0o700 } }, ['modify / mode']],
    ['E-06: one deletion for a subtree', { 'd/e/f': 'x', 'd/g': '' }, {}, ['delete /d']],
    ['E-06: nothing under a directory that became a file', { 'd/e': 'x' }, { d: 'x' }, ['modify /d kind']],
    [
      'everything in a directory that was a file',
      { d: 'x' },
      { 'd/e': 'x', 'd/f/g': '' },
      ['modify /d kind', 'add /d/e', 'add /d/f', 'add /d/f/g'],
    ],
    [
      'E-07: a directory that was made again loses its old names one by one',
      { 'd/a': '', 'd/b': '' },
      { 'd/c': '' },
      ['delete /d/a', 'delete /d/b', 'add /d/c'],
    ],
    [
      'E-09: names that are linked now and were not',
      { a: 'x', b: 'x' },
      { a: 'x', b: { hardlink: 'a' } },
      ['modify /b links'],
    ],
    [
      'E-09: names that were linked and are not now',
      { a: 'x', b: { hardlink: 'a' } },
      { a: 'x', b: 'x' },
      ['modify /b links'],
    ],
    [
      'H-10: one more or one less link is no change in itself',
      { a: 'x', b: { hardlink: 'a' } },
      { a: 'x' },
      ['delete /b'],
    ],
  ]
  for (const [name, before, after, expected, options] of cases) {
    test(name, async () => {
      expect(await told(before, after, options)).toEqual(expected)
    })
  }
})

test('E-04: a directory comes before its content, deletions before the rest, siblings in byte order', async () => {
  const before = { 'a/z': '', b: '', z: '' }
  const after = { 'a/': { mode: 0o700 }, 'a/y': '', 'a.b': '', 'a-': '', '\xc3\xa9': '' }
  expect(await told(before, after)).toEqual([
    'delete /b',
    'delete /z',
    'modify /a mode',
    'delete /a/z',
    'add /a/y',
    'add /a-',
    'add /a.b',
    'add /é',
  ])
})

test('a change says both texts: the path for people and its exact bytes', async () => {
  const [change] = await collect(plainTree(), plainTree({ '\xff\xc3': '' }))
  expect(change).toMatchObject({ kind: 'add', path: '/\ufffd\ufffd', bytes: '\xff\xc3' })
})

test('what untouched proves shared is never looked into', async () => {
  const spec = { 'big/a': 'x', 'big/b': 'y', 'small/c': '1' }
  const before = plainTree(spec)
  const after = plainTree({ ...spec, 'small/c': '2' })
  const big = after.lookup(after.root, 'big')!
  const asked: number[] = []
  const watched: Tree = {
    ...after,
    list(ino) {
      asked.push(ino)
      return after.list(ino)
    },
  }
  const changes = await collect(before, watched, {
    untouched: (ino) => (ino === big ? before.lookup(before.root, 'big') : undefined),
  })
  expect(changes.map(({ path }) => path)).toEqual(['/small/c'])
  expect(asked).not.toContain(big)
})

test('a subtree that is shared but stands elsewhere is not skipped', async () => {
  const before = plainTree({ 'x/a': '1', 'y/b': '2' })
  const after = plainTree({ 'x/b': '2' })
  const moved = after.lookup(after.root, 'x')!
  const untouched = (ino: number) => (ino === moved ? before.lookup(before.root, 'y') : undefined)
  const changes = await collect(before, after, { untouched })
  expect(changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual(['delete /y', 'delete /x/a', 'add /x/b'])
})

test('E-02: content that lies at the same place in the same layer is not read', async () => {
  const place = () => ({ layer: `sha256:${'0'.repeat(64)}`, offset: 512 })
  const unread = (tree: Tree) => ({ ...tree, place, open: () => expect.fail('read') }) as unknown as Tree
  expect(await collect(unread(plainTree({ a: 'x' })), unread(plainTree({ a: 'x' })))).toEqual([])
})

test('a content that is shorter than its size says is an EIO, not a difference', async () => {
  const tree = plainTree({ a: 'xyz' })
  const short = { ...tree, open: (ino: number) => ({ ...tree.open(ino), read: () => 0 }) }
  await expect(collect(tree, short)).rejects.toMatchObject({ code: 'EIO', path: '/a' })
})

test('a diff stops when asked to', async () => {
  const spec = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`n${i}`, '']))
  const stop = new AbortController()
  const walk = (async () => {
    for await (const change of diff(plainTree(), plainTree(spec), { signal: stop.signal })) {
      if (change.path === '/n1000') stop.abort(new Error('enough'))
    }
  })()
  await expect(walk).rejects.toMatchObject({ code: 'PLY_ABORTED' })
})

test('a tree compared with itself has no changes, and a diff turned round swaps add and delete', async () => {
  await fc.assert(
    fc.asyncProperty(edits, edits, async (first, second) => {
      const before = edited(first)
      const after = edited(first, second)
      expect(await collect(after, edited(first, second), { directoryTimes: true, nanoseconds: true })).toEqual([])
      const there = await collect(before, after)
      const back = await collect(after, before)
      const paths = (changes: Change[], kind: Change['kind']) =>
        changes.filter((change) => change.kind === kind).map(({ bytes }) => bytes)
      for (const path of paths(there, 'delete')) expect(paths(back, 'add')).toContain(path)
      expect(paths(there, 'modify').filter((path) => !paths(back, 'modify').includes(path))).toEqual([])
    }),
    { numRuns: 200 },
  )
})
