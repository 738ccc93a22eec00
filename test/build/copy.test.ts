import { describe, expect, test } from 'vitest'
import { type CopyRules, copyInto, copyParents } from '../../src/build/copy/copy.ts'
import { findSources, pathPatterns } from '../../src/build/copy/copy-sources.ts'
import { Draft } from '../../src/build/copy/draft.ts'
import { modeChange } from '../../src/build/copy/mode-change.ts'
import { memoryUpper, plainLayer, type Tree, union } from '../../src/index.ts'
import type { PackItem } from '../../src/layer/index.ts'

const plain: CopyRules = { owner: { uid: 0, gid: 0 }, time: { at: 1_000_000_000n, always: true } }

type Plain = Parameters<typeof plainLayer>[0]

function tree(entries: Plain): Tree {
  return union([plainLayer(entries)], memoryUpper())
}

/** What an item says, short: kind, mode, owner, and where it leads. */
function said(item: PackItem): string {
  if (item.says !== 'entry') return `${item.says} ${item.path}`
  const { kind, mode, uid, gid } = item.stat
  const more = item.linkTo !== undefined ? ` = ${item.linkTo}` : item.target !== undefined ? ` -> ${item.target}` : ''
  return `${item.path} ${kind} ${mode.toString(8)} ${uid}:${gid}${more}`
}

async function copied(
  below: Plain,
  context: Plain,
  sources: readonly string[],
  target: string,
  rules: Partial<CopyRules> = {},
): Promise<string[]> {
  const draft = new Draft(tree(below))
  const from = tree(context)
  const isDirectory = target.endsWith('/') || sources.length > 1
  const found = sources.flatMap((source) => findSources(from, source))
  await copyInto(draft, from, found, { path: target, isDirectory }, { ...plain, ...rules })
  return [...draft.items()].map(said)
}

const bare = { '/': { directory: true } } as const

describe('COPY', () => {
  for (const [what, below, context, sources, target, expected] of [
    ['puts a file under the name of the target', bare, { a: 'x' }, ['a'], '/b', ['b file 644 0:0']],
    [
      'puts a file into a target that ends in a slash',
      bare,
      { a: 'x' },
      ['a'],
      '/d/',
      ['d directory 755 0:0', 'd/a file 644 0:0'],
    ],
    [
      'puts a file into a directory that is there',
      { d: { directory: true, mode: 0o700 } },
      { a: 'x' },
      ['a'],
      '/d',
      ['d directory 700 0:0', 'd/a file 644 0:0'],
    ],
    [
      'makes what is on the way',
      bare,
      { a: 'x' },
      ['a'],
      '/1/2/b',
      ['1 directory 755 0:0', '1/2 directory 755 0:0', '1/2/b file 644 0:0'],
    ],
    [
      'puts what is in a directory, and not the directory',
      bare,
      { 'd/a': 'x', 'd/e/b': 'y' },
      ['d'],
      '/t',
      ['t directory 755 0:0', 't/a file 644 0:0', 't/e directory 755 0:0', 't/e/b file 644 0:0'],
    ],
    [
      'gives a target that it makes the usual mode, whatever the source has',
      bare,
      { d: { directory: true, mode: 0o700 }, 'd/a': 'x' },
      ['d'],
      '/t',
      ['t directory 755 0:0', 't/a file 644 0:0'],
    ],
    [
      'copies the whole context',
      bare,
      { a: 'x', 'd/b': 'y' },
      ['.'],
      '/',
      ['a file 644 0:0', 'd directory 755 0:0', 'd/b file 644 0:0'],
    ],
    [
      'copies several things into a directory',
      bare,
      { a: 'x', 'd/b': 'y' },
      ['a', 'd'],
      '/t/',
      ['t directory 755 0:0', 't/a file 644 0:0', 't/b file 644 0:0'],
    ],
    [
      'copies what a pattern matches',
      bare,
      { 'a.c': 'x', 'b.c': 'y', 'c.h': 'z', 'd/e.c': '' },
      ['*.c'],
      '/t/',
      ['t directory 755 0:0', 't/a.c file 644 0:0', 't/b.c file 644 0:0'],
    ],
    [
      'takes a ! in brackets for what it is',
      bare,
      { 'a/x': '1', 'b/x': '2', 'b/y': '3' },
      ['[!a]/?'],
      '/t/',
      ['t directory 755 0:0', 't/x file 644 0:0'],
    ],
    [
      'copies what a pattern in a directory matches',
      bare,
      { 'a/x': '1', 'b/x': '2', 'b/yy': '3' },
      ['[^a]/?'],
      '/t/',
      ['t directory 755 0:0', 't/x file 644 0:0'],
    ],
    [
      'takes a name for what it is behind a backslash',
      bare,
      { '*': '1', a: '2' },
      ['\\*'],
      '/t/',
      ['t directory 755 0:0', 't/* file 644 0:0'],
    ],
    ['copies nothing where a pattern matches nothing', bare, { a: 'x' }, ['b*'], '/t/', []],
    [
      'follows a symlink that it is told to copy',
      bare,
      { a: 'x', l: { symlink: 'a' } },
      ['l'],
      '/t/',
      ['t directory 755 0:0', 't/l file 644 0:0'],
    ],
    [
      'follows a symlink to a directory that it is told to copy',
      bare,
      { 'd/a': 'x', l: { symlink: '/d' } },
      ['l'],
      '/t',
      ['t directory 755 0:0', 't/a file 644 0:0'],
    ],
    [
      'keeps symlinks in what it copies, wherever they lead',
      bare,
      { 'd/l': { symlink: '../../etc/passwd' } },
      ['d'],
      '/t',
      ['t directory 755 0:0', 't/l symlink 777 0:0 -> ../../etc/passwd'],
    ],
    [
      'keeps hardlinks in what it copies',
      bare,
      { 'd/a': 'x', 'd/b': { hardlink: 'd/a' } },
      ['d'],
      '/t',
      ['t directory 755 0:0', 't/a file 644 0:0', 't/b file 644 0:0 = t/a'],
    ],
    [
      'follows symlinks of the image on the way to the target, inside of the image',
      { real: { directory: true }, lib: { symlink: '/../../real' } },
      { a: 'x' },
      ['a'],
      '/lib/',
      ['real directory 755 0:0', 'real/a file 644 0:0'],
    ],
    [
      'follows a symlink of the image in the place of the target',
      { real: { directory: true }, lib: { symlink: 'real' } },
      { 'd/a': 'x' },
      ['d'],
      '/lib',
      ['real directory 755 0:0', 'real/a file 644 0:0'],
    ],
    [
      'makes what a symlink of the image leads to',
      { l: { symlink: 'not/there' } },
      { a: 'x' },
      ['a'],
      '/l',
      ['not directory 755 0:0', 'not/there file 644 0:0'],
    ],
    [
      'follows symlinks that it has copied itself',
      bare,
      { 'd/l': { symlink: '/real' }, 'e/l/a': 'x' },
      ['d'],
      '/t',
      ['t directory 755 0:0', 't/l symlink 777 0:0 -> /real'],
    ],
    [
      'replaces a symlink by a file inside of a directory',
      { 'd/a': { symlink: '/etc/passwd' } },
      { 's/a': 'x' },
      ['s'],
      '/d',
      ['d directory 755 0:0', 'd/a file 644 0:0'],
    ],
    [
      'says the attributes of directories above that are there',
      { 'd/e/f': 'x', d: { directory: true, mode: 0o1777, uid: 3 } },
      { a: 'x' },
      ['a'],
      '/d/e/',
      ['d directory 1777 3:0', 'd/e directory 755 0:0', 'd/e/a file 644 0:0'],
    ],
    ['keeps modes', bare, { a: { content: '', mode: 0o4755 } }, ['a'], '/a', ['a file 4755 0:0']],
    ['takes owners away', bare, { a: { content: '', uid: 5, gid: 6 } }, ['a'], '/a', ['a file 644 0:0']],
    [
      'lets a later source replace an earlier one',
      bare,
      { 'a/x': { content: '1', mode: 0o600 }, 'b/x': '2' },
      ['a', 'b'],
      '/t/',
      ['t directory 755 0:0', 't/x file 644 0:0'],
    ],
  ] as const) {
    test(what, async () => {
      expect(await copied(below, context, sources, target)).toEqual(expected)
    })
  }

  for (const [what, below, context, source, target, code] of [
    ['a file in the place of a directory', { 't/a/b': '' }, { 's/a': '' }, 's', '/t', 'EISDIR'],
    ['a directory in the place of a file', { 't/a': '' }, { 's/a/b': '' }, 's', '/t', 'ENOTDIR'],
    ['anything below a file', { t: '' }, { a: '' }, 'a', '/t/x', 'ENOTDIR'],
    ['a directory where a file is', { t: '' }, { 'd/a': '' }, 'd', '/t', 'ENOTDIR'],
    ['what is not there', {}, { a: '' }, 'b', '/t', 'ENOENT'],
    ['what leads in circles', {}, { a: { symlink: 'a' } }, 'a', '/t', 'ENOENT'],
    ['into what leads in circles', { l: { symlink: 'l' } }, { a: '' }, 'a', '/l/', 'ELOOP'],
    ['a socket', {}, { 'd/s': { kind: 'socket' } }, 'd', '/t', 'PLY_UNREPRESENTABLE'],
  ] as const) {
    test(`does not copy ${what}`, async () => {
      await expect(copied(below, context, [source], target)).rejects.toMatchObject({ code })
    })
  }

  test('takes nothing from outside of the context', async () => {
    await expect(copied(bare, { a: 'x' }, ['../a'], '/t')).rejects.toThrow(/from outside of the context/)
    expect(
      await copied(bare, { 'd/a': { symlink: '/../../../x' }, x: { content: '', mode: 0o600 } }, ['d/a'], '/t'),
    ).toEqual(['t file 600 0:0'])
  })

  test('gives everything that it makes the owner that is wanted', async () => {
    expect(
      await copied(bare, { 'd/a': 'x', 'd/l': { symlink: 'a' } }, ['d'], '/1/t', { owner: { uid: 7, gid: 8 } }),
    ).toEqual(['1 directory 755 7:8', '1/t directory 755 7:8', '1/t/a file 644 7:8', '1/t/l symlink 777 7:8 -> a'])
  })

  test('keeps owners where none is wanted', async () => {
    expect(await copied(bare, { a: { content: '', uid: 5, gid: 6 } }, ['a'], '/a', { owner: undefined })).toEqual([
      'a file 644 5:6',
    ])
  })

  for (const [mode, expected] of [
    ['600', ['t directory 755 0:0', 't/d directory 600 0:0', 't/d/x file 600 0:0', 't/f file 600 0:0']],
    ['u=rwX,go=rX', ['t directory 755 0:0', 't/d directory 755 0:0', 't/d/x file 755 0:0', 't/f file 644 0:0']],
    ['go-rwx', ['t directory 755 0:0', 't/d directory 700 0:0', 't/d/x file 700 0:0', 't/f file 600 0:0']],
    ['a+t,u+s', ['t directory 755 0:0', 't/d directory 5755 0:0', 't/d/x file 5755 0:0', 't/f file 5644 0:0']],
    ['g=u,o=', ['t directory 755 0:0', 't/d directory 770 0:0', 't/d/x file 770 0:0', 't/f file 660 0:0']],
  ] as const) {
    test(`changes modes by ${mode}`, async () => {
      const context = { 's/f': 'x', 's/d/x': { content: '', mode: 0o755 } }
      expect(await copied(bare, context, ['s'], '/t', { mode: modeChange(mode) })).toEqual(expected)
    })
  }

  test('takes no mode that is none', () => {
    for (const wrong of ['', '8', '99999', 'u', 'x=r', 'u=q', 'u=rw,'])
      expect(() => modeChange(wrong)).toThrow(/no mode/)
  })

  test('leaves out what is excluded, and what is in it', async () => {
    const context = { 's/a.txt': '', 's/b.md': '', 's/n/c.txt': '', 's/n/m/d': '', 's/keep/x': '' }
    const left = async (...patterns: string[]) =>
      copied(bare, context, ['s'], '/t', { excluded: pathPatterns(patterns) })
    expect((await left('*.txt')).map((one) => one.split(' ')[0])).toEqual([
      't',
      't/b.md',
      't/keep',
      't/keep/x',
      't/n',
      't/n/c.txt',
      't/n/m',
      't/n/m/d',
    ])
    expect((await left('**/*.txt', 'keep')).map((one) => one.split(' ')[0])).toEqual([
      't',
      't/b.md',
      't/n',
      't/n/m',
      't/n/m/d',
    ])
    expect((await left('n', '!n/m')).map((one) => one.split(' ')[0])).toEqual([
      't',
      't/a.txt',
      't/b.md',
      't/keep',
      't/keep/x',
      't/n',
      't/n/m',
      't/n/m/d',
    ])
    expect((await left('*', '!keep')).map((one) => one.split(' ')[0])).toEqual(['t', 't/keep', 't/keep/x'])
  })

  test('leaves out a file that it is told to copy, by its name or by its path', async () => {
    for (const pattern of ['a.txt', '*.txt', 's/a.txt'])
      expect(await copied(bare, { 's/a.txt': '' }, ['s/a.txt'], '/t/', { excluded: pathPatterns([pattern]) })).toEqual(
        [],
      )
  })

  test('copies paths with the directories above them', async () => {
    const draft = new Draft(tree(bare))
    const from = tree({ 'x/a.txt': '', 'x/y/b.txt': '', 'x/y/c.md': '', z: '', x: { directory: true, mode: 0o700 } })
    await copyParents(
      draft,
      from,
      { ino: from.root },
      { path: '/t', isDirectory: true },
      pathPatterns(['x/**/*.txt'])!,
      plain,
    )
    expect([...draft.items()].map(said)).toEqual([
      't directory 755 0:0',
      't/x directory 700 0:0',
      't/x/a.txt file 644 0:0',
      't/x/y directory 755 0:0',
      't/x/y/b.txt file 644 0:0',
    ])
  })

  test('lowers times, or gives one to everything', async () => {
    const from = tree({ old: { content: '', mtime: 5n }, young: { content: '', mtime: 9_000_000_000n } })
    for (const [always, expected] of [
      [true, [7n, 7n]],
      [false, [5n, 7n]],
    ] as const) {
      const draft = new Draft(tree(bare))
      await copyInto(
        draft,
        from,
        [{ path: '', ino: from.root }],
        { path: '/', isDirectory: true },
        { time: { at: 7n, always } },
      )
      expect([...draft.items()].map((item) => item.says === 'entry' && item.stat.mtime)).toEqual(expected)
    }
  })

  test('takes a hundred thousand files in one go, in the order of an archive', async () => {
    const from = tree(Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`d${at % 100}/f${at}`, ''])))
    const draft = new Draft(tree(bare))
    await copyInto(draft, from, [{ path: '', ino: from.root }], { path: '/', isDirectory: true }, plain)
    expect([...draft.items()]).toHaveLength(100_100)
  })
})
