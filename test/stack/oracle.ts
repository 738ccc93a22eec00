import { type LayerModel, type ModelEntry, split } from './layers.ts'

/** A file system as a map of paths: what stacking should come to, computed on paths and sets alone. */
export type Visible = Map<string, Pick<ModelEntry, 'kind' | 'owner' | 'text' | 'identity'>>

const unnamed = { kind: 'directory', owner: 0, text: '', identity: '' } as const

/** `apply(layer, lower)` of layer-semantics, section 1, said in another way than the code under test. */
export function applyLayer(layer: LayerModel, lower: Visible): Visible {
  const upper: Visible = new Map()
  for (const path of [...layer.entries.keys(), ...layer.opaque]) {
    for (let at = split(path)[0]; at !== ''; at = split(at)[0]) if (!layer.entries.has(at)) upper.set(at, unnamed)
  }
  for (const path of layer.opaque) if (path !== '' && !layer.entries.has(path)) upper.set(path, unnamed)
  const implied = new Set(upper.keys())
  for (const [path, entry] of layer.entries) {
    upper.set(path, entry.below === undefined ? entry : lower.get(entry.below)!)
  }
  const hidden = (path: string): boolean => {
    if (layer.whiteouts.has(path)) return true
    if (path === '') return false
    const above = upper.get(path)
    if (above && (above.kind !== 'directory' || lower.get(path)?.kind !== 'directory')) return true
    const [directory] = split(path)
    return layer.opaque.has(directory) || hidden(directory)
  }
  const result: Visible = new Map()
  for (const [path, entry] of lower) if (path === '' || !hidden(path)) result.set(path, entry)
  for (const [path, entry] of upper) {
    if (implied.has(path) && result.get(path)?.kind === 'directory') continue
    result.set(path, entry)
  }
  return result
}

/** Both sides of a comparison as text: a line a path; identities become the first path of their group. */
export function visibleText(visible: Visible): string[] {
  const first = new Map<string, string>()
  const lines: string[] = []
  for (const path of [...visible.keys()].sort()) {
    const { kind, owner, text, identity } = visible.get(path)!
    if (kind === 'directory') lines.push(`${path}/ ${owner}`)
    else {
      if (!first.has(identity)) first.set(identity, path)
      const group = [...visible.values()].filter((other) => other.identity === identity && other.kind !== 'directory')
      lines.push(`${path} ${kind} ${owner} ${text} ${first.get(identity)} ${group.length}`)
    }
  }
  return lines
}
