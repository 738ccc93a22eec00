import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blame, blameBelow } from '../../src/trace/index.ts'
import { type LayerModel, layerModel, modelView, split } from '../stack/layers.ts'
import { applyLayer, type Visible } from '../stack/oracle.ts'
import { layers, models } from '../stack/random-layers.ts'
import { stackOf } from './stack-of.ts'

const stackOfLines = (lines: readonly (readonly string[])[]) =>
  stackOf(lines.map((own, layer) => modelView(layerModel(own, layer), layer)))

async function told(lines: readonly (readonly string[])[], path: string): Promise<string[]> {
  const { steps } = await blame(stackOfLines(lines), path)
  return steps.map(({ layer, did, says, at, changed }) =>
    [layer, did, says, at === `/${path}` ? '' : at, ...changed].filter((word) => word !== '').join(' '),
  )
}

describe('blame tells what each layer did at a path', () => {
  const cases: readonly [string, (readonly string[])[], string, string[]][] = [
    [
      'a file that is added and overwritten',
      [['a:x'], ['b'], ['a:yy']],
      'a',
      ['0 add entry', '2 modify entry content'],
    ],
    ['R-02: a file where a directory was', [['d/', 'd/x'], ['d']], 'd', ['0 add entry', '1 modify entry kind']],
    ['R-02: what was in it is covered', [['d/', 'd/x'], ['d']], 'd/x', ['0 add entry', '1 delete covered /d']],
    ['W-01: a whiteout', [['a'], ['.wh.a']], 'a', ['0 add entry', '1 delete whiteout']],
    ['W-01: a whiteout above', [['d/', 'd/x'], ['.wh.d']], 'd/x', ['0 add entry', '1 delete whiteout /d']],
    ['W-07: a whiteout of nothing', [['b'], ['.wh.a']], 'a', ['1 nothing whiteout']],
    [
      'W-12: an opaque directory above',
      [['d/', 'd/x'], ['d/.wh..wh..opq']],
      'd/x',
      ['0 add entry', '1 delete opaque /d'],
    ],
    [
      'W-12: hidden by an opaque directory, and there again',
      [['d/', 'd/x:one'], ['d/.wh..wh..opq', 'd/x:one'], ['d/x:two']],
      'd/x',
      ['0 add entry', '1 repeat entry', '2 modify entry content'],
    ],
    [
      'an implied directory and one that only holds whiteouts',
      [['d/@1', 'd/x'], ['d/y'], ['d/.wh.x'], ['d/@2']],
      'd',
      ['0 add entry', '1 inside implied', '2 inside implied', '3 attributes entry owner'],
    ],
    ['the same once more', [['a:x'], ['a:x']], 'a', ['0 add entry', '1 repeat entry']],
    ['H-06: a hardlink to what is below', [['a:x'], ['b=a']], 'b', ['1 add link']],
    ['a symlink to elsewhere', [['l->a'], ['l->b']], 'l', ['0 add entry', '1 modify entry target']],
    ['what no layer knows', [['a']], 'z', []],
  ]
  for (const [name, lines, path, expected] of cases) {
    test(name, async () => expect(await told(lines, path)).toEqual(expected))
  }

  test('with the instruction of the history, and what stands there now', async () => {
    const blamed = await blame(stackOfLines([['a:x'], ['a:yy']]), '/a')
    expect(blamed).toMatchObject({ path: '/a', bytes: 'a', kind: 'file' })
    expect(blamed.steps[1]).toMatchObject({ createdBy: 'step 1', before: { size: 1 }, after: { size: 2 } })
  })

  test('below a directory every path in order, and those that are gone only if asked', async () => {
    const stack = stackOfLines([
      ['d/', 'd/a', 'd/b'],
      ['d/.wh.a', 'd/c'],
    ])
    const paths = async (deleted: boolean) => {
      const all: string[] = []
      for await (const { path } of blameBelow(stack, 'd', { deleted })) all.push(path)
      return all
    }
    expect(await paths(false)).toEqual(['/d', '/d/b', '/d/c'])
    expect(await paths(true)).toEqual(['/d', '/d/a', '/d/b', '/d/c'])
  })
})

/** What each layer did, worked out from what is visible before and after it: a line a layer and path. */
function expectedDeeds(all: readonly LayerModel[]): Map<string, string[]> {
  const deeds = new Map<string, string[]>()
  let before: Visible = new Map()
  for (const [layer, model] of all.entries()) {
    const after = applyLayer(model, before)
    for (const path of new Set([...before.keys(), ...after.keys()])) {
      if (path === '') continue
      const was = before.get(path)
      const is = after.get(path)
      const did = deedOf(model, path, was, is, before)
      if (did !== undefined) deeds.set(path, [...(deeds.get(path) ?? []), `${layer} ${did}`])
    }
    before = after
  }
  return deeds
}

type Shown = Visible extends Map<string, infer One> ? One : never

function deedOf(
  model: LayerModel,
  path: string,
  was: Shown | undefined,
  is: Shown | undefined,
  before: Visible,
): string | undefined {
  if (is === undefined) return 'delete'
  if (was === undefined) return 'add'
  const own = model.entries.has(path)
  const gone = hidden(model, path, before)
  if (!own && !gone) return undefined
  if (own && model.entries.get(path)!.below !== undefined && was.identity === is.identity) return 'repeat'
  if (was.kind !== is.kind) return 'modify'
  if (was.kind !== 'directory' && was.text !== is.text) return 'modify'
  return was.owner === is.owner ? 'repeat' : 'attributes'
}

/** Whether a layer takes away what stands at a path from below, at it or above it. */
function hidden(model: LayerModel, path: string, before: Visible): boolean {
  if (path === '') return false
  if (model.whiteouts.has(path)) return true
  const [directory] = split(path)
  if (model.opaque.has(directory)) return true
  const created =
    [...model.entries.keys(), ...model.opaque].some((at) => at.startsWith(`${path}/`)) || model.opaque.has(path)
  if (created && before.get(path)?.kind !== 'directory') return true
  return hidden(model, directory, before)
}

test('A-03: of random stacks each path has the deeds that the views before and after each layer tell', async () => {
  await fc.assert(
    fc.asyncProperty(layers, async (lines) => {
      const { models: all, visible } = models(lines)
      const stack = stackOf(all.map(modelView))
      const found = new Map<string, string[]>()
      const standing: string[] = []
      for await (const { path, kind, steps } of blameBelow(stack, '', { deleted: true })) {
        if (path === '/') continue
        const deeds = steps.filter(({ did }) => did !== 'inside' && did !== 'nothing')
        if (deeds.length > 0)
          found.set(
            path.slice(1),
            deeds.map(({ layer, did }) => `${layer} ${did}`),
          )
        if (kind !== undefined) standing.push(path.slice(1))
        expect((await blame(stack, path)).steps).toEqual(steps)
      }
      expect([...found].sort()).toEqual([...expectedDeeds(all)].sort())
      expect(standing.sort()).toEqual([...visible.keys()].filter((path) => path !== '').sort())
    }),
    { numRuns: 2000 },
  )
})
