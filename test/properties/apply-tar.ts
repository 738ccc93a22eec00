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
  /** What this layer speaks of. */
  readonly #own = new Set<Inode>()
  readonly #opaque = new Set<Inode>()
  /** Links that come before their target have its inode already. */
  readonly #early = new Map<Read, Inode>()
  readonly #symlinks: ReadonlySet<string>

  constructor(root: Inode, entries: readonly Read[]) {
    this.#root = root
    this.#entries = entries
    this.#before = new Map(namesIn(root).map((named) => [named.path, named.inode]))
    this.#symlinks = new Set(entries.filter(({ type }) => type === '2').map(({ path }) => path))
    this.#own.add(root)
  }

  run(): Inode {
    for (const entry of this.#entries) this.#remove(entry)
    for (const [number, entry] of this.#entries.entries()) this.#put(entry, number)
    return this.#root
  }

  #remove({ path }: Read): void {
    const [directory, name] = split(path)
    if (directory.split('/').some((component) => component.startsWith('.wh.'))) throw new Refused('N-10')
    if (!name.startsWith('.wh.')) return
    if (name === '.wh.' || name === '.wh..' || name === '.wh...') throw new Refused('W-11')
    if (name.startsWith('.wh..wh.') && name !== opaqueMarker) throw new NotJudged('housekeeping')
    if (this.#throughSymlink(path)) throw new NotJudged('a marker behind a symlink')
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
      this.#own.add(stands)
      return
    }
    const made =
      entry.type === '1' ? this.#linked(entry, number, join(path, name)) : (this.#early.get(entry) ?? inodeOf(entry))
    if (stands && this.#opaque.has(stands)) throw new Refused('W-13')
    this.#own.add(made)
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
      if (child?.kind === 'symlink' && this.#own.has(child)) {
        if (++steps > 255) throw new Refused('N-11')
        if (child.target.startsWith('/')) way = [{ name: '', directory: this.#root }]
        rest.push(...child.target.split('/').reverse())
        continue
      }
      if (child && child.kind !== 'directory' && this.#own.has(child)) throw new Refused(obstacle)
      if (child?.kind !== 'directory') {
        child = plainDirectory()
        directory.children.set(name, child)
      }
      this.#own.add(child)
      way.push({ name, directory: child })
    }
  }

  #linked(entry: Read, number: number, path: string): Inode {
    const target = clean(entry.linkName)
    if (target === '' || target === path) throw new Refused('H-03')
    if (split(target)[1].startsWith('.wh.')) throw new Refused('H-12')
    if (this.#entries.some((other) => this.#throughSymlink(other.path)) || this.#throughSymlink(target)) {
      throw new NotJudged('a hardlink beside symlinked parents')
    }
    const stands = at(this.#root, target)
    if (stands && this.#own.has(stands)) {
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
    if (!below) throw new Refused('H-06')
    if (below.kind === 'directory') throw new Refused('H-03')
    return below
  }

  #throughSymlink(path: string): boolean {
    for (let [directory] = split(path); directory !== ''; [directory] = split(directory)) {
      if (this.#symlinks.has(directory)) return true
    }
    return false
  }

  /** A whiteout under what this layer has as something else than a directory depends on the order. */
  #lookForObstacles(directory: string): void {
    for (let path = directory; path !== ''; [path] = split(path)) {
      if (this.#entries.some((other) => other.path === path && other.type !== '5')) throw new NotJudged('an obstacle')
    }
  }
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
