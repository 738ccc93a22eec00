import fc from 'fast-check'
import { type LayerModel, layerModel, split } from './layers.ts'
import { applyLayer, type Visible } from './oracle.ts'

const name = fc.constantFrom('a', 'b', 'c')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
const line = fc.oneof(
  path,
  path.map((at) => `${at}/`),
  fc.tuple(path, fc.integer({ min: 1, max: 9 })).map(([at, owner]) => `${at}/@${owner}`),
  fc.tuple(path, path).map(([at, target]) => `${at}->${target}`),
  fc.tuple(path, path).map(([at, target]) => `${at}=${target}`),
  path.map((at) => `${split(at)[0]}/.wh.${split(at)[1]}`.replace(/^\//, '')),
  path.map((at) => `${at}/.wh..wh..opq`),
)
/** Lines of several layers, base first: see `layerModel`. */
export const layers = fc.array(fc.array(line, { maxLength: 7 }), { minLength: 1, maxLength: 5 })

/** Layers an importer would accept: nothing inside a file, links to files that are there. */
export function models(lines: string[][]): { readonly models: LayerModel[]; readonly visible: Visible } {
  const accepted: LayerModel[] = []
  let visible: Visible = new Map()
  lines.forEach((own, layer) => {
    const model = layerModel(own, layer)
    const inFile = (at: string): boolean => {
      const [directory] = split(at)
      const above = model.entries.get(directory)
      return at !== '' && ((above !== undefined && above.kind !== 'directory') || inFile(directory))
    }
    const bad = (at: string, entry: LayerModel['entries'] extends Map<string, infer E> ? E : never) =>
      inFile(at) || (entry.below !== undefined && (visible.get(entry.below)?.kind ?? 'directory') === 'directory')
    for (let changed = true; changed; ) {
      changed = false
      for (const [at, entry] of model.entries) if (bad(at, entry)) changed = model.entries.delete(at)
    }
    for (const at of [...model.opaque]) {
      const entry = model.entries.get(at)
      if (inFile(at) || (entry && entry.kind !== 'directory')) model.opaque.delete(at)
    }
    // A file in the way of an opaque marker or an entry was left standing above; one that is a link to a directory cannot be.
    for (const at of [...model.whiteouts]) if (inFile(at)) model.whiteouts.delete(at)
    visible = applyLayer(model, visible)
    accepted.push(model)
  })
  return { models: accepted, visible }
}
