import type { ByteString } from '../../src/model/bytes.ts'
import type { Random } from '../fuzz/random.ts'
import { type Layer, type LayerEntry, merged } from './layers.ts'
import { someValue, xattrNames } from './names.ts'

const deepest = 3
const layerXattrs = xattrNames.filter((name) => !/^(?:trusted\.overlay|system|security\.cap)/.test(name))

export interface LayerChoices {
  /** Whether there may be link groups. */
  readonly links: boolean
  readonly inRoot: boolean
}

/** What one sequence has below it: one to four layers, with names replaced, whited out, hidden by opaque directories. */
export function someLayers(random: Random, pool: readonly ByteString[], choices: LayerChoices): Layer[] {
  const layers: LayerEntry[][] = []
  const count = random.pick([1, 1, 2, 2, 3, 4])
  for (let i = 0; i < count; i++) {
    const below = merged(layers)
    const layer = new Draft(below)
    if (i === 0) layer.put({ path: '', kind: 'directory', mode: 0o755, mtime: 1000 })
    for (let actions = i === 0 ? 4 + random.below(14) : 1 + random.below(7); actions > 0; actions--) {
      act(random, pool, layer, below, choices)
    }
    layers.push(layer.entries())
  }
  return withVisibleGroups(layers)
}

class Draft {
  readonly #entries = new Map<ByteString, LayerEntry>()
  readonly #below: ReadonlyMap<ByteString, { readonly kind: string }>

  constructor(below: ReadonlyMap<ByteString, { readonly kind: string }>) {
    this.#below = below
  }

  has(path: ByteString): boolean {
    return this.#entries.has(path)
  }

  get(path: ByteString): LayerEntry | undefined {
    return this.#entries.get(path)
  }

  files(): LayerEntry[] {
    return [...this.#entries.values()].filter(({ kind }) => kind === 'file')
  }

  put(entry: LayerEntry): void {
    this.#entries.set(entry.path, entry)
  }

  /** Sees to it that the layer has the parents of a path; `false` if something else stands there. */
  parents(path: ByteString, random: Random): boolean {
    const slash = path.lastIndexOf('/')
    const parent = path.slice(0, Math.max(0, slash))
    if (path === '') return true
    const there = this.#entries.get(parent)
    if (there !== undefined) return there.kind === 'directory'
    if (!this.parents(parent, random)) return false
    this.put(someDirectory(random, parent))
    return true
  }

  /** Whether a directory of this layer merges with one below. */
  merges(path: ByteString): boolean {
    for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      if (this.#below.get(at)?.kind !== 'directory' || this.#entries.get(at)?.opaque) return false
      if (at === '') return true
    }
  }

  /** Parents first. */
  entries(): LayerEntry[] {
    return [...this.#entries.values()].sort((a, b) => depth(a.path) - depth(b.path))
  }
}

function depth(path: ByteString): number {
  return path === '' ? 0 : path.split('/').length
}

function act(
  random: Random,
  pool: readonly ByteString[],
  layer: Draft,
  below: ReadonlyMap<ByteString, { readonly kind: string }>,
  choices: LayerChoices,
): void {
  const known = [...below.keys()].filter((path) => path !== '')
  const replaces = known.length > 0 && random.chance(0.5)
  const path = replaces
    ? random.pick(known)
    : Array.from({ length: 1 + random.below(deepest) }, () => random.pick(pool)).join('/')
  if (layer.has(path) || !layer.parents(path, random) || layer.has(path)) return
  const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
  if (layer.merges(parent) && random.chance(replaces ? 0.4 : 0.1)) {
    layer.put({ path, kind: 'whiteout' })
    return
  }
  const files = layer.files()
  if (choices.links && files.length > 0 && random.chance(0.2)) {
    const of = random.pick(files).path
    // A link comes after what it is a link to.
    if (depth(of) <= depth(path)) {
      layer.put({ path, kind: 'link', of })
      return
    }
  }
  const entry = someEntry(random, pool, path, choices)
  const opaque = entry.kind === 'directory' && layer.merges(path) && random.chance(0.35)
  layer.put(opaque ? { ...entry, opaque: true } : entry)
}

function someDirectory(random: Random, path: ByteString): LayerEntry {
  return { path, kind: 'directory', mode: random.pick([0o755, 0o755, 0o711, 0o2775, 0o700]), ...someOwner(random) }
}

function someEntry(random: Random, pool: readonly ByteString[], path: ByteString, choices: LayerChoices): LayerEntry {
  const common = { path, ...someOwner(random) }
  const choice = random.below(20)
  if (choice < 7) return { ...someDirectory(random, path), ...someXattrs(random, true) }
  if (choice < 15) {
    const size = random.pick([0, 1, 10, 100, 511, 4096, 5000, 12_288, 20_000])
    const mode = random.pick([0o644, 0o644, 0o600, 0o755, 0o4755, 0o2755, 0o2644])
    const holes = size > 8192 && random.chance(0.5)
    const runs = holes
      ? {
          runs: [
            [0, 100],
            [8192, Math.min(size, 9000)],
          ] as const,
        }
      : {}
    return { ...common, kind: 'file', mode, size, seed: random.below(250), ...runs, ...someXattrs(random, true) }
  }
  if (choice < 18) return { ...common, kind: 'symlink', target: someTarget(random, pool, choices.inRoot) }
  if (choice === 18) return { ...common, kind: random.pick(['fifo', 'socket'] as const), mode: 0o640 }
  const kind = random.pick(['character', 'block'] as const)
  return { ...common, kind, mode: 0o660, major: 1, minor: 3 + random.below(4), ...someXattrs(random, false) }
}

/** In the root itself no target goes up: above a mount is what is above it, above ours is nothing. */
export function someTarget(random: Random, pool: readonly ByteString[], inRoot: boolean): ByteString {
  const name = () => random.pick(pool)
  switch (random.below(6)) {
    case 0:
      return inRoot ? `./${name()}` : `../${name()}`
    case 1:
      return `${name()}/${name()}`
    case 2:
      return '.'
    case 3:
      return '/missing/from/the/root'
    default:
      return name()
  }
}

function someOwner(random: Random) {
  const mtime = 1000 + random.below(1_000_000)
  return random.chance(0.7) ? { mtime } : { mtime, uid: random.below(3) * 1000, gid: random.below(3) * 100 }
}

function someXattrs(random: Random, user: boolean) {
  if (!random.chance(0.2)) return {}
  const name = user ? random.pick(layerXattrs) : 'trusted.t'
  return { xattrs: { [name]: someValue(random, name) } }
}

/** Of a link group, every name shows: how hidden names are counted is overlayfs's own affair. */
function withVisibleGroups(layers: readonly Layer[]): Layer[] {
  return layers.map((layer, i) => {
    const above = layers.slice(i + 1).flat()
    const hidden = new Set<ByteString>()
    for (const { path, kind, of } of layer) {
      if (kind === 'link' && [path, of!].some((name) => isHidden(name, above))) hidden.add(of!)
    }
    return layer.map((entry) => {
      if (entry.kind !== 'link' || !hidden.has(entry.of!)) return entry
      return { ...layer.find(({ path }) => path === entry.of)!, path: entry.path }
    })
  })
}

/** Whether layers above say anything of a name, or hide a directory that it is in. */
function isHidden(name: ByteString, above: Layer): boolean {
  return above.some(({ path, kind, opaque }) => {
    if (path === name) return true
    return (path === '' || name.startsWith(`${path}/`)) && (kind !== 'directory' || opaque === true)
  })
}
