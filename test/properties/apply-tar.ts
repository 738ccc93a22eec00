import { at, copied, type Inode, inode, join, namesIn, plainDirectory, split } from './inode.ts'
import { readTar, type TarEntry } from './read-tar.ts'

/** The archive breaks a rule: an import must refuse it, at the latest when it is stacked. */
export class Refused extends Error {
  readonly rule: string

  constructor(rule: string) {
    super(`refused by ${rule}`)
    this.rule = rule
  }
}

/** The archive is of a kind that a reading in two passes has no opinion of. */
export class NotJudged extends Error {}

interface Read extends TarEntry {
  readonly path: string
}

/**
 * A second opinion on what a layer does to what lies below: the reading of the OCI image specification, first everything
 * that is removed, then everything that is there, entry by entry, onto a file system of objects. It shares no line with
 * the code under test, has no index, and knows layers only one at a time.
 *
 * @throws Refused, NotJudged
 */
export function applyTar(lower: Inode, tar: Buffer): Inode {
  const entries = readTar(tar).map((entry): Read => ({ ...entry, path: clean(entry.name) }))
  return new Application(copied(lower), entries).run()
}

const kinds = { '0': 'file', '2': 'symlink', '3': 'character', '4': 'block', '5': 'directory', '6': 'fifo' } as const

const opaqueMarker = '.wh..wh..opq'

class Application {
  readonly #root: Inode
  readonly #entries: readonly Read[]
  /** What stood at each path before this layer. */
  readonly #before: ReadonlyMap<string, Inode>
  /** The names that this layer speaks of, by directory: an inode may have others from below. */
  readonly #own = new Map<Inode, Set<string>>()
  readonly #opaque = new Set<Inode>()
  /** Links that come before their target have its inode already. */
  readonly #early = new Map<Read, Inode>()
  /** Stands for the target of links that have none. It matters only if a name of it is left at the end. */
  readonly #missing = new Map<Inode, string>()
  readonly #symlinks: ReadonlySet<string>

  constructor(root: Inode, entries: readonly Read[]) {
    this.#root = root
    this.#entries = entries
    this.#before = new Map(namesIn(root).map((named) => [named.path, named.inode]))
    this.#symlinks = new Set(entries.filter(({ type }) => type === '2').map(({ path }) => path))
    const links = new Set(entries.filter(({ type }) => type === '1').map(({ path }) => path))
    for (const { path, type, linkName } of entries) {
      // What a hardlink is, a symlink perhaps, may be known only at the end.
      if (under(links, path) || (type === '1' && under(links, clean(linkName))))
        throw new NotJudged('within a hardlink')
    }
  }

  run(): Inode {
    for (const entry of this.#entries) this.#remove(entry)
    for (const [number, entry] of this.#entries.entries()) this.#put(entry, number)
    for (const named of namesIn(this.#root)) {
      const rule = this.#missing.get(named.inode)
      if (rule !== undefined) throw new Refused(rule)
    }
    return this.#root
  }

  #remove({ path }: Read): void {
    const [directory, name] = split(path)
    if (directory.split('/').some((component) => component.startsWith('.wh.'))) throw new Refused('N-10')
    if (!name.startsWith('.wh.')) return
    if (name === '.wh.' || name === '.wh..' || name === '.wh...') throw new Refused('W-11')
    if (name.startsWith('.wh..wh.') && name !== opaqueMarker) throw new NotJudged('housekeeping')
    if (under(this.#symlinks, path)) throw new NotJudged('a marker behind a symlink')
    const parent = at(this.#root, directory)
    if (parent?.kind !== 'directory') return
    if (name === opaqueMarker) parent.children.clear()
    else parent.children.delete(name.slice(4))
  }

  #put(entry: Read, number: number): void {
    if (entry.path === '') {
      if (entry.type !== '5') throw new Refused('N-04')
      describe(this.#root, entry)
      return
    }
    const [parent, name] = split(entry.path)
    if (name === opaqueMarker) {
      this.#opaque.add(this.#arrive(parent, 'W-13').directory)
      return
    }
    if (name.startsWith('.wh.')) {
      this.#lookForObstacles(parent)
      return
    }
    const { directory, path } = this.#arrive(parent, 'N-14')
    const stands = directory.children.get(name)
    if (entry.type === '5' && stands?.kind === 'directory') {
      describe(stands, entry)
      this.#claim(directory, name)
      return
    }
    const made =
      entry.type === '1' ? this.#linked(entry, number, join(path, name)) : (this.#early.get(entry) ?? inodeOf(entry))
    if (stands && this.#opaque.has(stands)) throw new Refused('W-13')
    this.#claim(directory, name)
    directory.children.set(name, made)
  }

  /** The directory at a path, made where it is missing. Symlinks that this layer has made so far are followed. */
  #arrive(path: string, obstacle: string): { readonly directory: Inode; readonly path: string } {
    let way: { readonly name: string; readonly directory: Inode }[] = [{ name: '', directory: this.#root }]
    const rest = path === '' ? [] : path.split('/').reverse()
    for (let steps = 0; ; ) {
      const name = rest.pop()
      const { directory } = way.at(-1)!
      if (name === undefined)
        return {
          directory,
          path: way
            .slice(1)
            .map((step) => step.name)
            .join('/'),
        }
      if (name === '' || name === '.') continue
      if (name === '..') {
        if (way.length > 1) way.pop()
        continue
      }
      let child = directory.children.get(name)
      const own = this.#own.get(directory)?.has(name)
      if (child?.kind === 'symlink' && own) {
        if (++steps > 255) throw new Refused('N-11')
        if (child.target.startsWith('/')) way = [{ name: '', directory: this.#root }]
        rest.push(...child.target.split('/').reverse())
        continue
      }
      if (child && child.kind !== 'directory' && own) throw new Refused(obstacle)
      if (child?.kind !== 'directory') {
        child = plainDirectory()
        directory.children.set(name, child)
      }
      this.#claim(directory, name)
      way.push({ name, directory: child })
    }
  }

  #linked(entry: Read, number: number, path: string): Inode {
    const target = clean(entry.linkName)
    if (target === '' || target === path) throw new Refused('H-03')
    if (split(target)[1].startsWith('.wh.')) throw new Refused('H-12')
    if (this.#entries.some((other) => under(this.#symlinks, other.path)) || under(this.#symlinks, target)) {
      throw new NotJudged('a hardlink beside symlinked parents')
    }
    const stands = this.#ownAt(target)
    if (stands) {
      if (stands.kind === 'directory') throw new Refused('H-03')
      return stands
    }
    const later = this.#entries.slice(number + 1)
    if (later.some((other) => other.path.startsWith(`${target}/`))) throw new NotJudged('a directory will stand there')
    const occurrence = later.find((other) => other.path === target)
    if (occurrence) {
      if (occurrence.type === '1') throw new NotJudged('a hardlink to a later hardlink')
      if (occurrence.type === '5') throw new NotJudged('a directory will stand there')
      const made = this.#early.get(occurrence) ?? inodeOf(occurrence)
      this.#early.set(occurrence, made)
      return made
    }
    const below = this.#before.get(target)
    if (below && below.kind !== 'directory') return below
    const missing = inode()
    this.#missing.set(missing, below ? 'H-03' : 'H-06')
    return missing
  }

  #claim(directory: Inode, name: string): void {
    let names = this.#own.get(directory)
    if (!names) this.#own.set(directory, (names = new Set()))
    names.add(name)
  }

  /** What stands at a path, if this layer speaks of it. */
  #ownAt(path: string): Inode | undefined {
    const [directory, name] = split(path)
    const parent = at(this.#root, directory)
    return parent && this.#own.get(parent)?.has(name) ? parent.children.get(name) : undefined
  }

  /** A whiteout under what this layer has as something else than a directory depends on the order. */
  #lookForObstacles(directory: string): void {
    for (let path = directory; path !== ''; [path] = split(path)) {
      const stands = this.#ownAt(path)
      if (
        (stands && stands.kind !== 'directory') ||
        this.#entries.some((other) => other.path === path && other.type !== '5')
      ) {
        throw new NotJudged('an obstacle')
      }
    }
  }
}

/** Whether one of these paths is above a path. */
function under(paths: ReadonlySet<string>, path: string): boolean {
  for (let [directory] = split(path); directory !== ''; [directory] = split(directory)) {
    if (paths.has(directory)) return true
  }
  return false
}

function clean(name: string): string {
  const components = name.split('/').filter((component) => component !== '' && component !== '.')
  if (components.includes('..')) throw new NotJudged('a name with ..')
  return components.join('/')
}

function describe(directory: Inode, { mode, uid, gid, mtime, xattrs }: TarEntry): void {
  Object.assign(directory, { mode, uid, gid, mtime, xattrs })
}

function inodeOf({ type, mode, uid, gid, mtime, major, minor, content, xattrs, linkName }: TarEntry): Inode {
  const kind = kinds[type as keyof typeof kinds]
  if (kind === undefined) throw new NotJudged(`type ${type}`)
  const special = kind === 'character' || kind === 'block'
  return inode({
    kind,
    mode: kind === 'symlink' ? 0o777 : mode,
    uid,
    gid,
    mtime,
    xattrs,
    content,
    target: kind === 'symlink' ? linkName : '',
    major: special ? major : 0,
    minor: special ? minor : 0,
  })
}
