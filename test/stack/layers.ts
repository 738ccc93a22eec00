import { type IndexedView, nothing, type Verdict, whiteout } from '../../src/layer/view.ts'
import { digestOf } from '../../src/model/digest.ts'
import { defaultDirectory, type Kind, noXattrs, type Stat } from '../../src/model/entry.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'

/** What a layer says, as sets of paths (layer-semantics, section 1). */
export interface LayerModel {
  readonly entries: Map<string, ModelEntry>
  readonly whiteouts: Set<string>
  readonly opaque: Set<string>
}

export interface ModelEntry {
  readonly kind: 'file' | 'directory' | 'symlink'
  readonly owner: number
  /** Content of a file, target of a symlink. */
  readonly text: string
  /** Names with the same identity are one file. */
  readonly identity: string
  /** A hardlink whose target is only below. */
  readonly below?: string
}

/**
 * A layer from lines as the worked examples write them: `d/` a directory, `a` a file, `.wh.a` a whiteout,
 * `d/.wh..wh..opq` an opaque directory; `b=a` is a hardlink, `l->t` a symlink, `d/@5` has an owner, `a:text` content.
 */
export function layerModel(lines: readonly string[], layer: number): LayerModel {
  const model: LayerModel = { entries: new Map(), whiteouts: new Set(), opaque: new Set() }
  for (const [number, line] of lines.entries()) {
    const [, path, slash, sign, rest] = /^([^=@:>]*?)(\/?)(?:(=|->|@|:)(.*))?$/.exec(line) as unknown as string[]
    const [directory, base] = split(path!)
    const identity = `${layer}:${number}`
    if (base === '.wh..wh..opq') model.opaque.add(directory)
    else if (base.startsWith('.wh.')) model.whiteouts.add(join(directory, base.slice(4)))
    else if (sign === '=') {
      const target = model.entries.get(rest!)
      model.entries.set(path!, target ?? { kind: 'file', owner: 0, text: '', identity, below: rest! })
    } else {
      const kind = slash ? 'directory' : sign === '->' ? 'symlink' : 'file'
      const text = sign === ':' || sign === '->' ? rest! : `layer ${layer}`
      model.entries.set(path!, { kind, owner: sign === '@' ? Number(rest) : 0, text, identity })
    }
  }
  return model
}

/** A view that says what a model says. */
export function modelView(model: LayerModel, layer: number): IndexedView {
  const diffId = digestOf(Buffer.from(`layer ${layer}`))
  const under = new Map<string, Set<string>>([['', new Set()]])
  for (const path of [...model.entries.keys(), ...model.whiteouts, ...model.opaque]) {
    for (let at = path; at !== ''; at = split(at)[0]) {
      const [directory, name] = split(at)
      under.set(directory, (under.get(directory) ?? new Set()).add(name))
    }
  }
  const created = new Set<string>([''])
  for (const path of [...model.entries.keys(), ...model.opaque]) {
    for (let at = path; at !== ''; at = split(at)[0]) created.add(at)
  }
  const numbers = new Map<string, number>()
  const paths: string[] = []
  const number = (path: string): number => {
    const entry = model.entries.get(path)
    const key = entry?.kind === 'directory' || !entry ? `directory ${path}` : entry.identity
    let ino = numbers.get(key)
    if (ino === undefined) numbers.set(key, (ino = paths.push(path)))
    return ino
  }
  const entryAt = (ino: number) => model.entries.get(paths[ino - 1]!)
  const verdict = (path: string): Verdict => {
    const entry = model.entries.get(path)
    const gone = model.whiteouts.has(path)
    if (entry?.below !== undefined) return { says: 'link', path: entry.below }
    const directory = entry ? entry.kind === 'directory' : created.has(path)
    if (entry && !directory)
      return { says: 'entry', ino: number(path), directory, kind: entry.kind, implied: false, opaque: false }
    // Whiteout and directory of one name: explicit and opaque (W-05, W-06).
    const opaque = gone || model.opaque.has(path)
    if (directory) return { says: 'entry', ino: number(path), directory, implied: !entry && !gone, opaque }
    if (gone) return whiteout
    return under.has(path) ? { says: 'ghost', ino: number(path) } : nothing
  }
  const root = verdict('')
  if (root.says !== 'entry') throw new Error('the root is always an entry')
  return {
    devices: [{ diffId, size: 1 << 20 }],
    linksBelow: [...model.entries.values()].some((entry) => entry.below !== undefined),
    root,
    lookup: (directory, name) => verdict(join(paths[directory - 1]!, name)),
    list(directory) {
      const path = paths[directory - 1]!
      return [...(under.get(path) ?? [])].sort().map((name) => ({ name, verdict: verdict(join(path, name)) }))
    },
    stat(ino): Stat {
      const entry = entryAt(ino)
      const same = [...model.entries.values()].filter((other) => other.identity === entry?.identity)
      const kind: Kind = entry?.kind ?? 'directory'
      const { mode, mtime } = defaultDirectory
      const size = kind === 'directory' ? 0 : entry!.text.length
      return {
        ino,
        kind,
        mode,
        uid: entry?.owner ?? 0,
        gid: 0,
        mtime,
        size,
        links: same.length || 2,
        major: 0,
        minor: 0,
      }
    },
    readlink: (ino) => entryAt(ino)!.text,
    xattrs: () => noXattrs,
    open: (ino) => memoryBytes(Buffer.from(entryAt(ino)!.text)),
    provenance: (ino) => ({ layer: diffId, header: entryAt(ino) ? ino * 1024 : undefined }),
    place: (ino) => ({ layer: diffId, offset: ino * 1024 + 512 }),
    close() {},
  }
}

/** A tar in which every file of a model's view lies where `place` says. */
export function modelTar(view: IndexedView, files: Iterable<number>): Buffer {
  const tar = Buffer.alloc(1 << 20)
  for (const ino of files) {
    const content = Buffer.alloc(view.stat(ino).size)
    view.open(ino).read(content, 0)
    content.copy(tar, view.place(ino)!.offset)
  }
  return tar
}

export function split(path: string): [directory: string, name: string] {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)]
}

export function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`
}
