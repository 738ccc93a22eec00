import type { IndexedView } from '../../src/layer/view.ts'
import { layerOf } from '../layer/layer.ts'
import { dir, file, link, symlink } from '../layer/parts.ts'
import { type LayerModel, layerModel } from '../stack/layers.ts'
import { archive } from '../tar/raw.ts'

/** What a layer can have at the name `n`. */
export type State = keyof typeof states

/**
 * The lines of a layer in that state, as `layerModel` reads them. `k` is in every directory, so that layers meet there
 * too; `own` is in one.
 */
const states = {
  absent: () => [],
  file: (layer: number) => [`n:file ${layer}`],
  directory: (layer: number) => [`n/@${layer}`, `n/k:k ${layer}`, `n/own${layer}`],
  symlink: (layer: number) => [`n->t${layer}`],
  whiteout: () => ['.wh.n'],
  opaque: (layer: number) => ['n/.wh..wh..opq', `n/k:k ${layer}`, `n/own${layer}`],
  implied: (layer: number) => [`n/k:k ${layer}`, `n/own${layer}`],
  hardlink: (layer: number) => [`h${layer}:hardlink ${layer}`, `n=h${layer}`],
  // What can be besides those eight.
  'opaque with attributes': (layer: number) => [`n/@${layer}`, 'n/.wh..wh..opq', `n/k:k ${layer}`, `n/own${layer}`],
  'hardlink to below': () => ['n=b'],
  'whiteout inside': () => ['n/.wh.k'],
  'whiteout inside what is implied': (layer: number) => ['n/.wh.k', `n/own${layer}`],
  'moved to another name': (layer: number) => ['.wh.n', `m${layer}=n`],
  'whiteout and file': (layer: number) => ['.wh.n', `n:file ${layer}`],
  'whiteout and directory': (layer: number) => ['.wh.n', `n/@${layer}`, `n/k:k ${layer}`, `n/own${layer}`],
  'whiteout and symlink': (layer: number) => ['.wh.n', `n->t${layer}`],
  'whiteout and opaque': (layer: number) => ['.wh.n', 'n/.wh..wh..opq', `n/k:k ${layer}`, `n/own${layer}`],
  'whiteout and implied': (layer: number) => ['.wh.n', `n/k:k ${layer}`, `n/own${layer}`],
  'whiteout and hardlink': (layer: number) => ['.wh.n', `h${layer}:hardlink ${layer}`, `n=h${layer}`],
} satisfies Readonly<Record<string, (layer: number) => string[]>>

export const allStates = Object.keys(states) as State[]
/** Those that section 19 names. */
export const eightStates = allStates.slice(0, 8)

/** One layer in one state: its meaning, and its archive in every order of its entries. */
export interface Written {
  readonly state: State
  readonly model: LayerModel
  readonly orders: readonly Order[]
}

export interface Order {
  readonly lines: readonly string[]
  readonly tar: Buffer
  readonly view: IndexedView
}

export async function written(state: State, layer: number): Promise<Written> {
  const lines = states[state](layer)
  const orders = permutations(lines).map(async (order) => orderOf(order, layer))
  return { state, model: layerModel(lines, layer), orders: await Promise.all(orders) }
}

/** The layer under all others: what hardlinks to below find. */
export async function base(): Promise<{ readonly model: LayerModel; readonly order: Order }> {
  const lines = ['b:below']
  return { model: layerModel(lines, 0), order: await orderOf(lines, 0) }
}

async function orderOf(lines: readonly string[], layer: number): Promise<Order> {
  const tar = archive(...lines.map((line) => memberOf(line, layer)))
  return { lines, tar, view: (await layerOf(tar)).view }
}

function memberOf(line: string, layer: number): Buffer {
  if (line.includes('.wh.')) return file(line)
  const [, path = '', slash, sign, rest = ''] = /^([^=@:>]*?)(\/?)(?:(=|->|@|:)(.*))?$/.exec(line) ?? []
  if (sign === '=') return link(path, rest)
  if (sign === '->') return symlink(path, rest)
  if (slash) return dir(path, { uid: sign === '@' ? Number(rest) : 0 })
  return file(path, sign === ':' ? rest : `layer ${layer}`)
}

function permutations<T>(all: readonly T[]): T[][] {
  if (all.length === 0) return [[]]
  return all.flatMap((first, i) =>
    permutations([...all.slice(0, i), ...all.slice(i + 1)]).map((rest) => [first, ...rest]),
  )
}
