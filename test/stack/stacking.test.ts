import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stackedTree } from '../../src/stack/index.ts'
import { folded, foldedBytes } from './folding.ts'
import { layerModel, modelView } from './layers.ts'
import { visibleText } from './oracle.ts'
import { layers, models } from './random-layers.ts'
import { treeText } from './tree-text.ts'

test('A-01, A-03: lookup, listing, stacking and folding all show what a plain model shows', async () => {
  await fc.assert(
    fc.asyncProperty(layers, async (lines) => {
      const { models: accepted, visible } = models(lines)
      const views = accepted.map(modelView)
      const expected = visibleText(visible)
      expect(treeText(stackedTree(views))).toEqual(expected)
      expect(treeText(await folded(views))).toEqual(expected)
    }),
    { numRuns: 400 },
  )
})

test('A-02: folding at once, one by one, or stacked over a folded prefix comes to the same, byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(layers, fc.nat(4), async (lines, cut) => {
      const views = models(lines).models.map(modelView)
      const at = Math.min(cut, views.length - 1)
      const whole = await foldedBytes(views)
      const tree = treeText(await folded(views))
      if (at > 0) {
        const base = await folded(views.slice(0, at))
        expect((await foldedBytes(views.slice(at), base)).equals(whole)).toBe(true)
        expect(treeText(stackedTree(views.slice(at), base))).toEqual(tree)
      }
    }),
    { numRuns: 200 },
  )
})

test('A-01: the order in which a layer was written down does not matter', async () => {
  await fc.assert(
    fc.asyncProperty(layers, fc.infiniteStream(fc.nat()), async (lines, random) => {
      const noLinks = lines.map((own) => own.filter((one) => !one.includes('=')))
      const shuffled = noLinks.map((own) => {
        const unique = own.filter((one, i) => own.findIndex((other) => pathOf(other) === pathOf(one)) === i)
        const keyed = unique.map((one) => [random.next().value as number, one] as const)
        return { unique, mixed: keyed.sort(([a], [b]) => a - b).map(([, one]) => one) }
      })
      const first = models(shuffled.map(({ unique }) => unique)).models.map(modelView)
      const second = models(shuffled.map(({ mixed }) => mixed)).models.map(modelView)
      expect(treeText(await folded(second))).toEqual(treeText(await folded(first)))
    }),
    { numRuns: 100 },
  )
})

test('A-05: a stack of 300 layers folds, and its tree reads as the stack does', async () => {
  const models = Array.from({ length: 300 }, (_, layer) =>
    layerModel(
      [`d/f${layer}`, `d/.wh.f${layer - 2}`, `d${layer}/x`, `l${layer}=d/f${layer - 1}`].slice(0, layer === 0 ? 1 : 4),
      layer,
    ),
  )
  const views = models.map(modelView)
  const stacked = treeText(stackedTree(views))
  expect(treeText(await folded(views))).toEqual(stacked)
  expect(stacked).toHaveLength(1 + 2 + 2 * 299 + 299)
})

test('H-06: a hardlink to nothing is an error when its name is looked up, listed or folded', async () => {
  const views = [layerModel(['a'], 0), layerModel(['b=z', 'c'], 1)].map(modelView)
  const tree = stackedTree(views)
  const broken = expect.objectContaining({ code: 'PLY_BAD_LAYER', details: expect.objectContaining({ rule: 'H-06' }) })
  expect(() => tree.lookup(tree.root, 'b')).toThrow(broken)
  expect(() => [...tree.list(tree.root)]).toThrow(broken)
  await expect(folded(views)).rejects.toEqual(broken)
  expect(tree.lookup(tree.root, 'c')).toBeDefined()
})

test('U-02: a redirected directory shows what stood at its old path, and the old name is gone', async () => {
  const below = modelView(layerModel(['a/x', 'a/s/y', 'k'], 0), 0)
  const above = modelView(layerModel(['.wh.a', 'n/@4', 'n/z'], 1), 1)
  const moved = {
    ...above,
    lookup(directory: number, name: string) {
      const verdict = above.lookup(directory, name)
      return name === 'n' && verdict.says === 'entry' ? { ...verdict, redirect: 'a' } : verdict
    },
    *list(directory: number) {
      for (const { name } of above.list(directory)) yield { name, verdict: this.lookup(directory, name) }
    },
  }
  const expected = [
    'k file 0 layer 0 k 1',
    'n/ 4',
    'n/s/ 0',
    'n/s/y file 0 layer 0 n/s/y 1',
    'n/x file 0 layer 0 n/x 1',
    'n/z file 0 layer 1 n/z 1',
  ]
  expect(treeText(stackedTree([below, moved]))).toEqual(expected)
  expect(treeText(await folded([below, moved]))).toEqual(expected)
})

test('inode numbers of a stack are k * 2^32 and those of the base stay', async () => {
  const [first, second] = [layerModel(['a'], 0), layerModel(['b'], 1)].map(modelView)
  const base = await folded([first!])
  const tree = stackedTree([second!], base)
  expect(tree.lookup(tree.root, 'a')).toBe(base.lookup(base.root, 'a'))
  const b = tree.lookup(tree.root, 'b')!
  expect(tree.source(b)).toEqual({ side: 1, ino: b - 2 ** 32 })
  expect(() => tree.list(b)[Symbol.iterator]().next()).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
})

test('a folded tree keeps the layer and the header that everything comes from', async () => {
  const views = [layerModel(['d/a'], 0), layerModel(['d/b', 'c'], 1)].map(modelView)
  const tree = await folded(views)
  const at = (path: string) => path.split('/').reduce((ino, part) => tree.lookup(ino, part)!, tree.root)
  const verdict = views[1]!.lookup(views[1]!.root.ino, 'c')
  expect(tree.provenance(at('c'))).toEqual(views[1]!.provenance(verdict.says === 'entry' ? verdict.ino : 0))
  expect(tree.provenance(at('d/b')).layer).toBe(views[1]!.devices[0]!.diffId)
  expect(tree.provenance(at('d'))).toEqual({ layer: views[0]!.devices[0]!.diffId, header: undefined })
  expect(tree.place(at('c'))?.layer).toBe(views[1]!.devices[0]!.diffId)
})

test('folding stops when asked to', async () => {
  const views = [
    modelView(
      layerModel(
        Array.from({ length: 500 }, (_, i) => `d/f${i}`),
        0,
      ),
      0,
    ),
  ]
  const { fold } = await import('../../src/stack/index.ts')
  await expect(fold(views, undefined, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'PLY_ABORTED' })
})

function pathOf(line: string): string {
  return line.replace(/\/?(?:(?:=|->|@|:).*)?$/, '')
}
