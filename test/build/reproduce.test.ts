import { describe, expect, test } from 'vitest'
import { restatedTree } from '../../src/build/copy/restated-tree.ts'
import { memoryUpper, openStore, plainLayer, reproduce, type Tree, union } from '../../src/index.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { temporary } from '../support/temporary.ts'

const treeOf = (files: Parameters<typeof plainLayer>[0]) =>
  union([plainLayer({ '/': { directory: true }, ...files })], memoryUpper())

/** A tree in which a file says something else each time somebody opens it after a second build has begun. */
function changing(tree: Tree, texts: readonly string[]): Tree {
  let opened = 0
  return {
    ...restatedTree(tree, (stat) => stat),
    open: () => memoryBytes(Buffer.from(texts[Math.min(Math.floor(opened++ / 2), texts.length - 1)]!)),
  }
}

const dockerfile = 'FROM scratch AS a\nCOPY . /x/\nFROM scratch\nCOPY --from=more . /m/\nCOPY --from=a /x /y\nENV A=1\n'

describe('building twice', () => {
  test.each<readonly [string, () => string]>([
    ['in memory', () => ':memory:'],
    ['on a disk', temporary],
  ] as const)('gives the same, whoever checks the files out and whenever: with a store %s', async (_, place) => {
    await using store = await openStore(place())
    const before = [process.umask(), process.env.TMPDIR, process.env.TZ]
    const found = await reproduce(store, {
      dockerfile,
      context: treeOf({ a: { content: 'a', uid: 7, mtime: 5n }, 'd/b': 'b' }),
      contexts: { more: treeOf({ c: { content: 'c', gid: 9, mtime: 99n } }) },
      platform: 'linux/amd64',
    })
    expect(found).toEqual({ same: true, digest: expect.stringMatching(/^sha256:/) })
    expect([process.umask(), process.env.TMPDIR, process.env.TZ]).toEqual(before)
    // Nothing of it is in the store.
    expect((await store.collect()).files.filter((path) => path.startsWith('tmp'))).toEqual([])
    expect(await store.images()).toEqual([])
  })

  test('says which step first made something else, in which file, and where in it', async () => {
    await using store = await openStore(':memory:')
    const found = await reproduce(store, {
      dockerfile,
      context: changing(treeOf({ 'd/f': 'eleven byte' }), ['built at 01', 'built at 02']),
      contexts: { more: treeOf({}) },
      platform: 'linux/amd64',
    })
    expect(found).toMatchObject({
      same: false,
      step: {
        stage: 'a',
        step: 1,
        text: 'COPY . /x/',
        causes: ['content'],
        changes: [{ path: '/x/d/f', changed: ['content'], content: { at: 10, before: '1', after: '2' } }],
        more: false,
      },
      configuration: [],
    })
  })

  test('says what the images say differently of themselves where all files are the same', async () => {
    await using store = await openStore(':memory:')
    let asked = 0
    const { configure, scratch } = await import('../../src/index.ts')
    const found = await reproduce(store, {
      dockerfile: 'FROM base\nCOPY . /x/\n',
      context: treeOf({ a: 'a' }),
      resolve: async () => configure(scratch, { labels: { made: String(Math.min(asked++, 1)) } }),
    })
    expect(found).toMatchObject({
      same: false,
      configuration: [{ at: 'config.Labels.made', before: '0', after: '1' }],
    })
    expect(found).not.toHaveProperty('step')
  })
})
