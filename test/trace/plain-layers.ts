import type { TarEntry } from '../properties/read-tar.ts'

export interface Told {
  readonly deeds: Map<string, string[]>
  readonly sums: { bytes: number; wasted: number }
}

/** Which paths each layer adds, changes and deletes, and what of its contents is gone at the end: by sets of paths alone. */
export function readLayers(layers: readonly (readonly TarEntry[])[]): Told {
  const deeds = new Map<string, string[]>()
  let visible = new Map<string, { readonly kind: string; readonly content: number; readonly size: number }>()
  const sizes = new Map<number, number>()
  for (const [layer, entries] of layers.entries()) {
    const next = new Map(visible)
    const named = entries.map((entry) => ({
      entry,
      path: entry.name
        .split('/')
        .filter((part) => part !== '' && part !== '.')
        .join('/'),
    }))
    const drop = (path: string, itself: boolean) => {
      for (const at of [...next.keys()])
        if ((itself && at === path) || at.startsWith(path === '' ? '' : `${path}/`)) next.delete(at)
    }
    for (const { path } of named) {
      const slash = path.lastIndexOf('/')
      const [directory, base] = [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)]
      if (base === '.wh..wh..opq') drop(directory, false)
      else if (base.startsWith('.wh.')) drop(directory === '' ? base.slice(4) : `${directory}/${base.slice(4)}`, true)
    }
    const touched = new Set<string>()
    for (const { entry, path } of named) {
      if (path === '' || path.slice(path.lastIndexOf('/') + 1).startsWith('.wh.')) continue
      const kind =
        entry.type === '5' ? 'directory' : entry.type === '0' ? 'file' : entry.type === '1' ? 'link' : 'other'
      if (kind !== 'directory' || (next.get(path)?.kind ?? kind) !== 'directory') drop(path, true)
      touched.add(path)
      if (kind === 'link') {
        const target = entry.linkName.replace(/^\.?\//, '')
        next.set(path, next.get(target) ?? visible.get(target)!)
      } else {
        const content = sizes.size
        sizes.set(content, entry.content.length)
        next.set(path, { kind, content, size: entry.content.length })
      }
      for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
        const above = path.slice(0, at)
        if (next.has(above)) break
        next.set(above, { kind: 'directory', content: -1, size: 0 })
      }
    }
    for (const path of new Set([...visible.keys(), ...next.keys()])) {
      const [was, is] = [visible.get(path), next.get(path)]
      const did = is === undefined ? 'delete' : was === undefined ? 'add' : touched.has(path) ? 'other' : undefined
      if (did === undefined || (did === 'other' && was!.kind === 'directory' && is!.kind === 'directory')) continue
      deeds.set(path, [...(deeds.get(path) ?? []), `${layer} ${did}`])
    }
    visible = next
  }
  const alive = new Set([...visible.values()].map(({ content }) => content))
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  const kept = [...sizes].reduce((sum, [content, size]) => (alive.has(content) ? sum + size : sum), 0)
  return { deeds, sums: { bytes, wasted: bytes - kept } }
}

/**
 * The score of dive, by its own way of working it out (`filetree.Efficiency`): each leaf of each layer's tree by its path, a whiteout of
 * a directory with all that the layers below show in it; the least sizes as a share of all. For layers without opaque markers, and
 * in which no file stands where a directory was: those dive stacks in a way of its own.
 */
export function diveScore(layers: readonly (readonly TarEntry[])[]): number {
  const found = new Map<string, { least: number; all: number }>()
  const shown = new Map<string, number>()
  for (const entries of layers) {
    const tree = new Map<string, { readonly size: number; readonly whiteout: boolean }>()
    for (const { name, type, content } of entries) {
      const path = name.replace(/\/$/, '')
      const slash = path.lastIndexOf('/') + 1
      const whiteout = path.startsWith('.wh.', slash)
      const at = whiteout ? path.slice(0, slash) + path.slice(slash + 4) : path
      tree.set(at, { size: type === '0' ? content.length : 0, whiteout })
    }
    const under = (path: string, of: Iterable<string>) => [...of].filter((one) => one.startsWith(`${path}/`))
    for (const [path, { size, whiteout }] of tree) {
      if (under(path, tree.keys()).length > 0) continue
      const removed = under(path, shown.keys()).reduce((sum, one) => sum + shown.get(one)!, 0)
      const counted = whiteout ? removed : size
      const known = found.get(path)
      if (known === undefined) found.set(path, { least: counted, all: counted })
      else found.set(path, { least: Math.min(known.least, counted), all: known.all + counted })
    }
    for (const [path, { whiteout }] of tree)
      if (whiteout) for (const one of [path, ...under(path, shown.keys())]) shown.delete(one)
    for (const [path, { size, whiteout }] of tree) if (!whiteout) shown.set(path, size)
  }
  const sums = [...found.values()].reduce((sum, { least, all }) => [sum[0]! + least, sum[1]! + all], [0, 0])
  return sums[1] === 0 ? 1 : sums[0]! / sums[1]!
}
