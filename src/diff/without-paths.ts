import { type LayerView, nothing, type Verdict } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Tree } from '../stack/tree.ts'
import { find } from './links-below.ts'

/** Paths, byte strings without a leading slash, each with all that is under it. None is the root. */
export class PathSet {
  readonly #paths: ReadonlySet<ByteString>
  /** What is above them. */
  readonly #above = new Set<ByteString>([''])

  constructor(paths: Iterable<ByteString>) {
    this.#paths = new Set(paths)
    for (const path of this.#paths) {
      for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
        this.#above.add(path.slice(0, end))
    }
  }

  /** Whether it is one of them, or under one. */
  has(path: ByteString): boolean {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1))
      if (this.#paths.has(path.slice(0, end))) return true
    return false
  }

  /** Whether one of them is under it. */
  leadsTo(directory: ByteString): boolean {
    return this.#above.has(directory)
  }
}

/** Inodes from here on are those of what is below. */
const firstLent = 2 ** 31

/**
 * A layer as if some paths had never been in it: neither what it has there, nor what it removes there. Whatever else it says it
 * says as before; over layers that are treated alike it shows the same, but for the paths.
 *
 * A name that the layer gives to a file below, at one of the paths, keeps that file: as a link to another name of it, or, where
 * it has none that is left, with the content that `below` has there. `below` is what the layer stood on, with all its paths; it
 * is asked only for these. Closing the view closes `view`.
 */
export function withoutPaths(view: LayerView, paths: PathSet, below: () => Tree): LayerView {
  /** Directories that lead to one of the paths. */
  const leading = new Map<number, ByteString>([[view.root.ino, '']])
  const lent: number[] = []
  const numbers = new Map<number, number>()
  let names: ReadonlyMap<number, ByteString> | undefined

  const filtered = (directory: ByteString | undefined, name: ByteString, verdict: Verdict): Verdict => {
    if (directory !== undefined) {
      const path = directory === '' ? name : `${directory}/${name}`
      if (paths.has(path)) return nothing
      const isDirectory = verdict.says === 'ghost' || (verdict.says === 'entry' && verdict.directory)
      if (isDirectory && paths.leadsTo(path)) leading.set(verdict.ino, path)
    }
    return verdict.says === 'link' && paths.has(verdict.path) ? linked(verdict.path) : verdict
  }

  const linked = (path: ByteString): Verdict => {
    const tree = below()
    const ino = find(tree, path)
    // It leads nowhere, as before.
    if (ino === undefined) return { says: 'link', path }
    const { kind, links } = tree.stat(ino)
    if (links > 1) names ??= namesLeft(tree, paths)
    const other = links > 1 ? names?.get(ino) : undefined
    if (other !== undefined) return { says: 'link', path: other }
    let number = numbers.get(ino)
    if (number === undefined) numbers.set(ino, (number = firstLent + lent.push(ino) - 1))
    return { says: 'entry', ino: number, directory: false, kind, implied: false, opaque: false }
  }

  const isLent = (ino: number) => ino >= firstLent
  const own = (ino: number) => lent[ino - firstLent]!
  return {
    root: view.root,
    linksBelow: view.linksBelow === true,
    lookup: (directory, name) => filtered(leading.get(directory), name, view.lookup(directory, name)),
    *list(directory) {
      const path = leading.get(directory)
      for (const { name, verdict } of view.list(directory)) {
        const left = filtered(path, name, verdict)
        if (left !== nothing) yield { name, verdict: left }
      }
    },
    stat: (ino) => (isLent(ino) ? { ...below().stat(own(ino)), ino } : view.stat(ino)),
    readlink: (ino) => (isLent(ino) ? below().readlink(own(ino)) : view.readlink(ino)),
    xattrs: (ino) => (isLent(ino) ? below().xattrs(own(ino)) : view.xattrs(ino)),
    open: (ino) => (isLent(ino) ? below().open(own(ino)) : view.open(ino)),
    close: () => view.close(),
  }
}

/** The first name of each hardlinked file that is not at one of the paths. */
function namesLeft(tree: Tree, paths: PathSet): Map<number, ByteString> {
  const names = new Map<number, ByteString>()
  const waiting = [{ ino: tree.root, prefix: '' }]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { name, ino, kind } of tree.list(directory.ino)) {
      const path = directory.prefix + name
      if (paths.has(path)) continue
      if (kind === 'directory') waiting.push({ ino, prefix: `${path}/` })
      else if (!names.has(ino) && tree.stat(ino).links > 1) names.set(ino, path)
    }
  }
  return names
}

/** A name that is left of a file that has another one at one of the paths: its content stays. */
export interface StillLinked {
  readonly path: ByteString
  /** The name that goes. */
  readonly to: ByteString
}

/** What a layer has to do with some paths. */
export interface Mentions {
  /** Whether it has, removes or links to any of them. */
  readonly any: boolean
  /** Whether it has something at one of them. */
  readonly has: boolean
  /** Names that are left of files that are at the paths, in the layer or below it. */
  readonly stillLinked: readonly StillLinked[]
}

/** Walks down to the paths, and, only where files there have more names or the layer links to what is below, through all of it. */
export function mentionsOf(view: LayerView, wanted: readonly ByteString[]): Mentions {
  const paths = new PathSet(wanted)
  const shared = new Map<number, ByteString>()
  let any = false
  let has = false
  for (const path of wanted) {
    const found = verdictAt(view, path)
    if (found.says === 'nothing') continue
    any = true
    if (found.says === 'whiteout') continue
    if (found.says !== 'ghost') has = true
    if (found.says === 'link') continue
    const waiting = [{ ino: found.ino, path, directory: found.says === 'ghost' || found.directory }]
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      if (!at.directory) {
        if (view.stat(at.ino).links > 1) shared.set(at.ino, at.path)
        continue
      }
      for (const { name, verdict } of view.list(at.ino)) {
        if (verdict.says === 'entry' || verdict.says === 'ghost')
          waiting.push({
            ino: verdict.ino,
            path: `${at.path}/${name}`,
            directory: verdict.says === 'ghost' || verdict.directory,
          })
      }
    }
  }
  const stillLinked: StillLinked[] = []
  if (shared.size > 0 || view.linksBelow) {
    const waiting = [{ ino: view.root.ino, prefix: '' }]
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      for (const { name, verdict } of view.list(at.ino)) {
        const path = at.prefix + name
        if (paths.has(path)) continue
        if (verdict.says === 'link') {
          if (!paths.has(verdict.path)) continue
          any = true
          stillLinked.push({ path, to: verdict.path })
        } else if (verdict.says === 'entry') {
          if (verdict.directory) waiting.push({ ino: verdict.ino, prefix: `${path}/` })
          else {
            const to = shared.get(verdict.ino)
            if (to !== undefined) stillLinked.push({ path, to })
          }
        }
      }
    }
  }
  return { any, has, stillLinked }
}

function verdictAt(view: LayerView, path: ByteString): Verdict {
  let directory = view.root.ino
  let verdict: Verdict = nothing
  const names = path.split('/')
  for (const [at, name] of names.entries()) {
    verdict = view.lookup(directory, name)
    if (at === names.length - 1) break
    if (verdict.says !== 'ghost' && !(verdict.says === 'entry' && verdict.directory)) return nothing
    directory = verdict.ino
  }
  return verdict
}
