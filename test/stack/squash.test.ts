import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { IndexedView, Verdict } from '../../src/layer/view.ts'
import { stackedTree } from '../../src/stack/index.ts'
import { squashedView } from '../../src/stack/squash.ts'
import { folded, foldedBytes } from './folding.ts'
import { join, layerModel, modelView } from './layers.ts'
import { layers, models } from './random-layers.ts'
import { treeText } from './tree-text.ts'

/** A range of a stack: two cuts, in any order. */
const range = fc.tuple(fc.nat(5), fc.nat(5))

function cutAt(views: readonly IndexedView[], [a, b]: readonly [number, number]) {
  const from = Math.min(a, b, views.length - 1)
  const to = Math.min(Math.max(a, b), views.length - 1)
  return { from, to, lower: views.slice(0, from), within: views.slice(from, to + 1), upper: views.slice(to + 1) }
}

test('A-02, W-09, H-06: layers squashed and stacked show what they show one by one, at any place of a stack', async () => {
  await fc.assert(
    fc.asyncProperty(layers, range, async (lines, cut) => {
      const views = models(lines).models.map(modelView)
      const { lower, within, upper } = cutAt(views, cut)
      const expected = treeText(stackedTree(views))
      expect(treeText(stackedTree([...lower, squashedView(within), ...upper]))).toEqual(expected)
    }),
    { numRuns: 4000 },
  )
})

test('A-02: a squashed range folds to the same index, byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(layers, range, async (lines, cut) => {
      const views = models(lines).models.map(modelView)
      const { lower, within, upper } = cutAt(views, cut)
      const squashed = [...lower, squashedView(within), ...upper]
      expect((await foldedBytes(squashed)).equals(await foldedBytes(views))).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('A-02: squashing may be done in any order, and comes to the same words', () => {
  fc.assert(
    fc.property(layers, range, (lines, cut) => {
      const views = models(lines).models.map(modelView)
      const { lower, within, upper } = cutAt(views, cut)
      expect(words(squashedView([...lower, squashedView(within), ...upper]))).toEqual(words(squashedView(views)))
    }),
    { numRuns: 1000 },
  )
})

test('W-07: over nothing no whiteouts, opaque marks and ghosts are left, and the view is the same', () => {
  fc.assert(
    fc.property(layers, (lines) => {
      const views = models(lines).models.map(modelView)
      const squashed = squashedView(views, { bottom: true })
      expect(words(squashed).filter((word) => /whiteout|opaque|ghost|link to/.test(word))).toEqual([])
      expect(treeText(stackedTree([squashed]))).toEqual(treeText(stackedTree(views)))
    }),
    { numRuns: 1000 },
  )
})

/** What two layers say together, whatever is below. `w` are the words of the upper, then of the lower. */
const cells: [rule: string, above: string[], below: string[], together: string[]][] = [
  ['nothing over anything', [], ['a', '.wh.b'], ['a file', 'b whiteout']],
  ['W-03: an entry over a whiteout', ['a'], ['.wh.a'], ['a file']],
  ['W-01: a whiteout over an entry', ['.wh.a'], ['a'], ['a whiteout']],
  ['R-01: directory over directory', ['d/@2', 'd/x'], ['d/@1', 'd/y'], ['d/ 2', 'd/x file', 'd/y file']],
  ['R-02: directory over file', ['d/@2'], ['d'], ['d/ opaque 2']],
  ['R-03: directory over whiteout', ['d/@2', 'd/x'], ['.wh.d'], ['d/ opaque 2', 'd/x file']],
  ['W-12: opaque over directory', ['d/@2', 'd/.wh..wh..opq'], ['d/@1', 'd/y'], ['d/ opaque 2']],
  ['W-12: directory over opaque', ['d/@2', 'd/x'], ['d/y', 'd/.wh..wh..opq'], ['d/ opaque 2', 'd/x file', 'd/y file']],
  ['implied over explicit', ['d/x'], ['d/@1'], ['d/ 1', 'd/x file']],
  ['implied over implied', ['d/x'], ['d/y'], ['d/ implied 0', 'd/x file', 'd/y file']],
  ['implied opaque over implied', ['d/x', 'd/.wh..wh..opq'], ['d/y'], ['d/ implied opaque 0', 'd/x file']],
  ['implied opaque over explicit', ['d/x', 'd/.wh..wh..opq'], ['d/@1', 'd/y'], ['d/ opaque 1', 'd/x file']],
  ['W-06: implied over whiteout', ['d/x'], ['.wh.d'], ['d/ opaque 0', 'd/x file']],
  ['N-13: implied over symlink', ['l/x'], ['l->t'], ['l/ opaque 0', 'l/x file']],
  ['implied over ghost', ['d/x'], ['d/.wh.y'], ['d/ implied 0', 'd/x file', 'd/y whiteout']],
  ['directory over ghost', ['d/@2'], ['d/.wh.y'], ['d/ 2', 'd/y whiteout']],
  ['ghost over directory', ['d/.wh.y'], ['d/@1', 'd/y', 'd/z'], ['d/ 1', 'd/y whiteout', 'd/z file']],
  ['W-09: ghost over opaque', ['d/.wh.y'], ['d/.wh..wh..opq', 'd/y', 'd/z'], ['d/ implied opaque 0', 'd/z file']],
  ['ghost over ghost', ['d/.wh.x'], ['d/.wh.y'], ['d/ ghost', 'd/x whiteout', 'd/y whiteout']],
  ['ghost over file', ['d/.wh.x'], ['d'], ['d file']],
  ['ghost over whiteout', ['d/.wh.x'], ['.wh.d'], ['d whiteout']],
  ['an implied directory that lost all it held', ['d/.wh.x'], ['d/x'], ['d/ implied 0', 'd/x whiteout']],
  ['H-06: a link to what the range has', ['b=a', '.wh.a'], ['a'], ['a whiteout', 'b file']],
  ['H-06: a link to what is only below', ['b=a'], ['d/'], ['b link to a', 'd/ 0']],
  ['H-06: a link to what is a ghost here', ['b=d'], ['d/.wh.x'], ['b link to d', 'd/ ghost', 'd/x whiteout']],
  ['H-06: a link to a link', ['b=a', '.wh.a'], ['a=z'], ['a whiteout', 'b link to z']],
  ['W-14: an opaque root', ['.wh..wh..opq', 'b'], ['a'], ['/ implied opaque 0', 'b file']],
]

for (const [rule, above, below, together] of cells) {
  test(`A-02: ${rule}`, () => {
    const views = [below, above].map((lines, layer) => modelView(layerModel(lines, layer), layer))
    expect(words(squashedView(views))).toEqual(together)
  })
}

test('H-10: names that layers of the range gave one file are one file', async () => {
  const views = [['a'], ['b=a', 'x'], ['c=b', '.wh.a']].map((lines, layer) =>
    modelView(layerModel(lines, layer), layer),
  )
  const tree = stackedTree([squashedView(views)])
  expect(tree.stat(tree.lookup(tree.root, 'b')!).links).toBe(2)
  expect(tree.lookup(tree.root, 'c')).toBe(tree.lookup(tree.root, 'b'))
  expect(treeText(await folded([squashedView(views)], undefined, views))).toEqual(treeText(stackedTree(views)))
})

for (const [rule, below, lines] of [
  ['H-06', '.wh.a', 'b=a'],
  ['H-06', '.wh..wh..opq', 'b=a'],
  ['H-06', 'd', 'b=d/a'],
  ['H-03', 'd/', 'b=d'],
] as const) {
  test(`${rule}: a hardlink whose target the range has taken away is an error when its name is read: ${below}`, () => {
    const views = [[below], [lines]].map((own, layer) => modelView(layerModel(own, layer), layer))
    const view = squashedView(views)
    const bad = expect.objectContaining({ code: 'PLY_BAD_LAYER', details: expect.objectContaining({ rule }) })
    expect(() => view.lookup(view.root.ino, 'b')).toThrow(bad)
    expect(() => words(view)).toThrow(bad)
  })
}

/** All that a view says, a line a path; also checks that looking up and listing agree. */
function words(view: IndexedView): string[] {
  const said: string[] = []
  const tell = (path: string, verdict: Verdict) => {
    if (verdict.says === 'whiteout' || verdict.says === 'nothing') said.push(`${path} ${verdict.says}`)
    else if (verdict.says === 'link') said.push(`${path} link to ${verdict.path}`)
    else if (verdict.says === 'entry' && !verdict.directory) said.push(`${path} ${view.stat(verdict.ino).kind}`)
    else {
      const marks =
        verdict.says === 'ghost'
          ? ' ghost'
          : `${verdict.implied ? ' implied' : ''}${verdict.opaque ? ' opaque' : ''} ${view.stat(verdict.ino).uid}`
      if (path !== '' || marks !== ' implied 0') said.push(`${path}/${marks}`)
      for (const { name, verdict: child } of view.list(verdict.ino)) {
        expect(view.lookup(verdict.ino, name)).toEqual(child)
        tell(join(path, name), child)
      }
    }
  }
  tell('', view.root)
  return said
}
