import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Change, diff, packChanges, packTree } from '../../src/diff/index.ts'
import { Index } from '../../src/erofs/index.ts'
import { type PackItem, packLayer } from '../../src/layer/index.ts'
import type { IndexedView } from '../../src/layer/view.ts'
import type { ChainId } from '../../src/model/digest.ts'
import { digestOf } from '../../src/model/digest.ts'
import { foldedTree, sharedInodes, stackedTree, type Tree, writeTree } from '../../src/stack/index.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { layerOf } from '../layer/layer.ts'
import { holds } from '../properties/seed.ts'
import { bytesIn, valuesOf } from '../support/collect.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { applyItems } from './apply-items.ts'
import { type Edit, edited, edits } from './edits.ts'

interface MadeLayer {
  readonly tar: Buffer
  readonly view: () => Promise<IndexedView>
}

async function layer(items: AsyncIterable<PackItem>): Promise<MadeLayer> {
  const tar = await bytesIn(packLayer(items))
  return { tar, view: async () => (await layerOf(tar)).view }
}

/** A layer of what changed, or of all that is there once more. */
async function upon(before: readonly Edit[][], batch: Edit[], whole: boolean): Promise<MadeLayer> {
  const [was, is] = [edited(...before), edited(...before, batch)]
  if (whole) return layer(packTree(is))
  return layer(packChanges(diff(was, is, { directoryTimes: true }), { before: was, after: is }))
}

/** The tree of these layers; with `folded` the lowest are one index, as a store has them. */
async function treeOf(layers: readonly MadeLayer[], folded: number): Promise<Tree> {
  const views = await Promise.all(layers.map(({ view }) => view()))
  if (folded === 0) return stackedTree(views)
  const lowest = views.slice(0, folded)
  const chunks: Uint8Array[] = []
  const chainId = digestOf(Buffer.concat(layers.slice(0, folded).map(({ tar }) => tar))) as unknown as ChainId
  await writeTree({ write: (chunk) => void chunks.push(Buffer.from(chunk)) }, { chainId, views: lowest })
  const base = foldedTree(Index.open(memoryBytes(Buffer.concat(chunks))), ({ diffId }) =>
    memoryBytes(layers.find(({ tar }) => digestOf(tar) === diffId)!.tar),
  )
  return folded === views.length ? base : stackedTree(views.slice(folded), base)
}

/** The same tree, of which nobody can tell what it is made of. */
function opaquely(tree: Tree): Tree {
  return {
    root: tree.root,
    lookup: (directory, name) => tree.lookup(directory, name),
    list: (directory) => tree.list(directory),
    parent: (directory) => tree.parent(directory),
    stat: (ino) => tree.stat(ino),
    readlink: (ino) => tree.readlink(ino),
    xattrs: (ino) => tree.xattrs(ino),
    open: (ino) => tree.open(ino),
    close: () => tree.close(),
  }
}

const lines = (changes: readonly Change[]) =>
  changes
    .map((change) => `${change.kind} ${change.bytes}${change.kind === 'modify' ? ` ${change.changed.join(',')}` : ''}`)
    // Of a group of names that was torn apart it says so at another one of them.
    .filter((line) => !line.endsWith(' links'))

const tellsOfLinks = (changes: readonly Change[]) =>
  changes.some((change) => change.kind === 'modify' && change.changed.join() === 'links')

describe('trees that share layers', () => {
  test('E-01, E-09, E-15: their diff says what it says of trees that nothing is known of, and packed it gives the other one', async () => {
    const batch = edits
    let shared = 0
    await holds(
      'diffs of shared layers',
      250,
      fc.record({
        below: fc.array(batch, { minLength: 1, maxLength: 2 }),
        left: fc.array(fc.tuple(batch, fc.boolean()), { maxLength: 2 }),
        right: fc.array(fc.tuple(batch, fc.boolean()), { maxLength: 2 }),
        folded: fc.nat(2),
      }),
      async ({ below, left, right, folded }) => {
        const base: MadeLayer[] = []
        for (const [at, one] of below.entries()) base.push(await upon(below.slice(0, at), one, at === 0))
        const above = async (side: readonly (readonly [Edit[], boolean])[]) => {
          const layers = [...base]
          for (const [at, [one, whole]] of side.entries())
            layers.push(await upon([...below, ...side.slice(0, at).map(([done]) => done)], one, whole))
          return treeOf(layers, Math.min(folded, base.length))
        }
        const [before, after] = [await above(left), await above(right)]
        if (sharedInodes(before, after) !== undefined) shared++
        const options = { directoryTimes: true }
        const plainly = await valuesOf(diff(opaquely(before), opaquely(after), options))
        const cleverly = await valuesOf(diff(before, after, options))
        expect(lines(cleverly)).toEqual(lines(plainly))
        expect(tellsOfLinks(cleverly)).toBe(tellsOfLinks(plainly))
        const packed = packChanges(diff(before, after, options), { before, after })
        expect(treeEntries(await applyItems(before, packed))).toEqual(treeEntries(after))
      },
    )
    expect(shared).toBeGreaterThan(100)
  })

  test('what is under a directory that is the same in both is not looked at', async () => {
    const put = (path: string, content?: string): Edit => ({
      does: 'put',
      path,
      node: content === undefined ? { kind: 'directory' } : { kind: 'file', content },
    })
    const below = [[put('a'), put('a/b', '1'), put('a/c', '2'), put('z'), put('z/y', '3')]]
    const base = [await upon([], below[0]!, true)]
    const before = await treeOf(base, 1)
    const after = await treeOf([...base, await upon(below, [put('z/y', '4')], false)], 1)
    const listed: number[] = []
    const { list } = before
    before.list = (directory) => {
      listed.push(directory)
      return list.call(before, directory)
    }
    const changes = await valuesOf(diff(before, after))
    expect(changes.map(({ bytes }) => bytes)).toEqual(['z/y'])
    expect(listed).toEqual([before.root, before.lookup(before.root, 'z')])
  })
})
