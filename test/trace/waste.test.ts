import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { IndexedView } from '../../src/layer/view.ts'
import { squashedView } from '../../src/stack/squash.ts'
import { waste } from '../../src/trace/index.ts'
import { layerModel, modelView } from '../stack/layers.ts'
import { applyLayer, type Visible } from '../stack/oracle.ts'
import { models } from '../stack/random-layers.ts'
import { stackOf } from './stack-of.ts'

const wasteOf = (lines: readonly (readonly string[])[]) =>
  waste(stackOf(lines.map((own, layer) => modelView(layerModel(own, layer), layer))))

describe('waste', () => {
  test('tells what is overwritten, deleted, repeated and there twice, and who did it', async () => {
    const found = await wasteOf([
      ['a:1234', 'b:55555', 'd/', 'd/x:666666', 'same:7777777'],
      ['a:4321', '.wh.b', 'other:7777777'],
      ['a:4321', '.wh.d'],
    ])
    expect(found).toMatchObject({ bytes: 4 + 5 + 6 + 7 + 4 + 7 + 4, wasted: 4 + 4 + 5 + 6 + 7 })
    expect(found.causes).toEqual({ overwritten: 4, deleted: 11, attributes: 0, repeated: 4, duplicate: 7 })
    expect(found.efficiency).toBeCloseTo(11 / 37)
    expect(found.files).toEqual([
      { path: 'other', cause: 'duplicate', bytes: 7, layer: 1, by: 0, like: 'same' },
      { path: 'd/x', cause: 'deleted', bytes: 6, layer: 0, by: 2 },
      { path: 'b', cause: 'deleted', bytes: 5, layer: 0, by: 1 },
      { path: 'a', cause: 'overwritten', bytes: 4, layer: 0, by: 1 },
      { path: 'a', cause: 'repeated', bytes: 4, layer: 1, by: 2 },
    ])
    expect(found.layers).toEqual([
      { layer: 0, bytes: 22, wasted: 15 },
      { layer: 1, bytes: 11, wasted: 11 },
      { layer: 2, bytes: 4, wasted: 0 },
    ])
    expect([found.saving(0, 2), found.saving(0, 1), found.saving(1, 2), found.saving(2, 2)]).toEqual([19, 9, 4, 0])
  })

  test('a hardlinked content lives until its last name goes', async () => {
    const linked = await wasteOf([['a:1234', 'b=a'], ['.wh.a'], ['c=b', '.wh.b']])
    expect(linked).toMatchObject({ bytes: 4, wasted: 0 })
    const gone = await wasteOf([['a:1234', 'b=a'], ['.wh.a'], ['.wh.b']])
    expect(gone.files).toEqual([{ path: 'a', cause: 'deleted', bytes: 4, layer: 0, by: 2 }])
  })

  test('an image without contents is perfectly efficient', async () => {
    expect(await wasteOf([['d/']])).toMatchObject({ bytes: 0, efficiency: 1, diveEfficiency: 1 })
  })
})

describe('the score of dive, worked out by hand from its formula', () => {
  const cases: readonly [string, (readonly string[])[], number, number][] = [
    ['one layer wastes nothing', [['a:1234', 'b:12']], 6, 6],
    // a: sizes 4 and 2, the least 2; b: 3.
    ['a file that is overwritten counts with its least size', [['a:1234', 'b:123'], ['a:12']], 2 + 3, 6 + 3],
    // a: sizes 4 and 0 (the whiteout), the least 0.
    ['the whiteout of a file has size 0', [['a:1234', 'b:123'], ['.wh.a']], 0 + 3, 4 + 3],
    // d itself is a leaf only as a whiteout: what was in it, 4 and 3, least and sum alike; d/x and d/y stay as they are.
    [
      'the whiteout of a directory has the size of all that was in it',
      [['d/', 'd/x:1234', 'd/e/', 'd/e/y:123'], ['.wh.d']],
      14,
      14,
    ],
    // d is a leaf twice: 7, and 0 as an empty directory; the least is 0.
    ['and loses it where the directory comes back empty', [['d/', 'd/x:1234', 'd/y:123'], ['.wh.d'], ['d/']], 7, 14],
    // One name of the inode carries the data: a 4, b 0; then b is a file of its own: least 0.
    ['hardlinks have size 0', [['a:1234', 'b=a'], ['b:12']], 4 + 0, 4 + 2],
  ]
  for (const [name, lines, least, all] of cases) {
    test(name, async () => expect((await wasteOf(lines)).diveEfficiency).toBeCloseTo(least / all, 10))
  }
})

const name = fc.constantFrom('a', 'b', 'c')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
const text = fc.constantFrom('x', 'yy', 'zz', 'long text', 'long TEXT')
const line = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(path, text).map(([at, content]) => `${at}:${content}`) },
  path.map((at) => `${at}/`),
  fc.tuple(path, path).map(([at, target]) => `${at}=${target}`),
  path.map((at) => at.replace(/[^/]+$/, (last) => `.wh.${last}`)),
  path.map((at) => `${at}/.wh..wh..opq`),
)
const stacks = fc.array(fc.array(line, { maxLength: 7 }), { minLength: 1, maxLength: 5 })

interface Expected {
  bytes: number
  causes: Record<string, number>
  spans: { layer: number; end: number; size: number }[]
}

/** The same worked out from what is visible after each layer. */
function expected(lines: string[][]): Expected {
  const all = models(lines).models
  const shown: Visible[] = []
  for (const model of all) shown.push(applyLayer(model, shown.at(-1) ?? new Map()))
  const causes: Record<string, number> = { overwritten: 0, deleted: 0, attributes: 0, repeated: 0, duplicate: 0 }
  const spans: Expected['spans'] = []
  const alive: { layer: number; text: string }[] = []
  let bytes = 0
  const contents = new Map<string, { layer: number; text: string }>()
  for (const [layer, model] of all.entries()) {
    for (const { kind, below, identity, text: content } of model.entries.values())
      if (kind === 'file' && below === undefined) contents.set(identity, { layer, text: content })
  }
  const namesOf = (visible: Visible, identity: string) =>
    [...visible]
      .filter(([, one]) => one.kind === 'file' && one.identity === identity)
      .map(([at]) => at)
      .sort(byComponents)
  for (const [identity, { layer, text: content }] of contents) {
    bytes += content.length
    let end = layer
    while (end < shown.length && namesOf(shown[end]!, identity).length > 0) end++
    if (end === shown.length) alive.push({ layer, text: content })
    else {
      spans.push({ layer, end, size: content.length })
      const next = shown[end]!.get(namesOf(shown[end - 1]!, identity)[0]!)
      const cause =
        next === undefined ? 'deleted' : next.kind === 'file' && next.text === content ? 'repeated' : 'overwritten'
      causes[cause]! += content.length
    }
  }
  for (const content of new Set(alive.map((one) => one.text))) {
    const layers = alive.filter((one) => one.text === content).map((one) => one.layer)
    const first = Math.min(...layers)
    causes.duplicate! += content.length * layers.filter((layer) => layer !== first).length
  }
  return { bytes, causes, spans }
}

function byComponents(a: string, b: string): number {
  const [x, y] = [a.replaceAll('/', '\0'), b.replaceAll('/', '\0')]
  return x < y ? -1 : x > y ? 1 : 0
}

function contentBytes(view: IndexedView): number {
  const inodes = new Map<number, number>()
  const walk = (directory: number) => {
    for (const { verdict } of view.list(directory)) {
      if (verdict.says === 'ghost' || (verdict.says === 'entry' && verdict.directory)) walk(verdict.ino)
      else if (verdict.says === 'entry' && view.stat(verdict.ino).kind === 'file')
        inodes.set(verdict.ino, view.stat(verdict.ino).size)
    }
  }
  walk(view.root.ino)
  return [...inodes.values()].reduce((sum, size) => sum + size, 0)
}

test('A-03: of random stacks bytes and causes are those that what is visible after each layer tells', async () => {
  await fc.assert(
    fc.asyncProperty(stacks, async (lines) => {
      const views = models(lines).models.map(modelView)
      const found = await waste(stackOf(views))
      const { bytes, causes } = expected(lines)
      expect({ bytes: found.bytes, causes: found.causes }).toEqual({ bytes, causes })
    }),
    { numRuns: 2000 },
  )
})

test('A-02: what squashing a range would save is what the squashed layer holds less', async () => {
  await fc.assert(
    fc.asyncProperty(stacks, fc.nat(4), fc.nat(4), async (lines, a, b) => {
      const views = models(lines).models.map(modelView)
      const [from, to] = [Math.min(a, b, views.length - 1), Math.min(Math.max(a, b), views.length - 1)]
      const found = await waste(stackOf(views))
      const range = views.slice(from, to + 1)
      const before = range.reduce((sum, view) => sum + contentBytes(view), 0)
      expect(found.saving(from, to)).toBe(before - contentBytes(squashedView(range)))
    }),
    { numRuns: 1000 },
  )
})
