import { expect, test } from 'vitest'
import { Index } from '../../src/erofs/index.ts'
import { PlyError } from '../../src/model/errors.ts'
import { foldedTree, stackedTree } from '../../src/stack/index.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { foldedBytes } from '../stack/folding.ts'
import type { LayerModel } from '../stack/layers.ts'
import { applyLayer, type Visible, visibleText } from '../stack/oracle.ts'
import { treeText } from '../stack/tree-text.ts'
import { allStates, base, eightStates, type Order, type State, type Written, written } from './pairs.ts'
import { tellLayer } from './tell-layer.ts'

/** By layer, from 1 to 3, and state. */
const layers: ReadonlyMap<State, Written>[] = []
const { model: baseModel, order: baseOrder } = await base()
for (const layer of [1, 2, 3]) {
  const all = await Promise.all(allStates.map((state) => written(state, layer)))
  layers.push(new Map(all.map((one) => [one.state, one])))
}

/** What a stack comes to, by the oracle: lines, or the rule by which it cannot be formed. */
function expectedOf(models: readonly LayerModel[]): string[] | string {
  let visible: Visible = applyLayer(baseModel, new Map())
  for (const model of models) {
    for (const { below } of model.entries.values()) {
      if (below === undefined) continue
      const target = visible.get(below)
      if (target === undefined) return 'H-06'
      if (target.kind === 'directory') return 'H-03'
    }
    visible = applyLayer(model, visible)
  }
  return visibleText(visible)
}

async function outcomeOf(make: () => Tree | Promise<Tree>): Promise<string[] | string> {
  try {
    return treeText(await make())
  } catch (error) {
    if (!(error instanceof PlyError)) throw error
    return String(error.details.rule)
  }
}

async function compare(orders: readonly Order[], expected: string[] | string): Promise<void> {
  const all = [baseOrder, ...orders]
  const views = all.map(({ view }) => view)
  const what = orders.map(({ lines }) => lines.join(' ')).join(' | ')
  const stacked = await outcomeOf(() => stackedTree(views))
  // A message is made for every comparison, and most are not needed.
  if (String(stacked) !== String(expected)) expect(stacked, `stacked: ${what}`).toEqual(expected)
  const folded = await outcomeOf(async () => {
    const index = Index.open(memoryBytes(await foldedBytes(views)))
    return foldedTree(index, ({ diffId }) =>
      memoryBytes(all.find(({ view }) => view.devices[0]!.diffId === diffId)!.tar),
    )
  })
  if (String(folded) !== String(expected)) expect(folded, `folded: ${what}`).toEqual(expected)
}

test('A-01: a layer says the same in whatever order its entries stand', () => {
  let orders = 0
  for (const states of layers) {
    for (const { state, orders: all } of states.values()) {
      const first = tellLayer(all[0]!.view)
      for (const { view, lines } of all) {
        orders++
        expect(tellLayer(view), `${state}: ${lines.join(' ')}`).toEqual(first)
      }
    }
  }
  expect(orders).toBe(3 * 114)
})

test('A-01, A-03, R-01 to R-03, W-01 to W-14: the eight states of a name in three layers, in every entry order', async () => {
  let stacks = 0
  for (const first of eightStates)
    for (const second of eightStates)
      for (const third of eightStates) {
        const chosen = [first, second, third].map((state, i) => layers[i]!.get(state)!)
        const expected = expectedOf(chosen.map(({ model }) => model))
        for (const one of chosen[0]!.orders)
          for (const two of chosen[1]!.orders)
            for (const three of chosen[2]!.orders) {
              stacks++
              await compare([one, two, three], expected)
            }
      }
  expect(stacks).toBe(20 ** 3)
})

test('H-06, H-10, W-03 to W-06, W-08: all states of a name in three layers, each in some entry order', async () => {
  let stacks = 0
  for (const first of allStates)
    for (const second of allStates)
      for (const third of allStates) {
        const chosen = [first, second, third].map((state, i) => layers[i]!.get(state)!)
        const expected = expectedOf(chosen.map(({ model }) => model))
        const orders = chosen.map(({ orders: all }, i) => all[(stacks + i) % all.length]!)
        stacks++
        await compare(orders, expected)
      }
  expect(stacks).toBe(19 ** 3)
})
