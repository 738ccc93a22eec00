import type { ByteString } from '../../src/model/bytes.ts'
import type { Kind } from '../../src/model/entry.ts'
import type { Random } from '../fuzz/random.ts'
import type { Verbs } from './verbs.ts'

export interface Known {
  readonly path: ByteString
  readonly ino: number
  readonly kind: Kind
  /** Names in it, of a directory. */
  readonly names: ReadonlySet<ByteString> | undefined
}

/** What stands in the directory of a sequence, as a model knows it. */
export class Catalog {
  readonly all: Known[] = []
  readonly files: Known[] = []
  readonly directories: Known[] = []
  readonly others: Known[] = []
  readonly #verbs: Verbs

  constructor(verbs: Verbs, root: number) {
    this.#verbs = verbs
    this.#read(root, '')
  }

  /** A path of something of such a kind; `undefined` where there is none. */
  pick(random: Random, of: 'all' | 'files' | 'directories' | 'others'): ByteString | undefined {
    const list = this[of]
    return list.length === 0 ? undefined : random.pick(list).path
  }

  /** A directory without names, or any. */
  emptyDirectory(random: Random): ByteString | undefined {
    const empty = this.directories.filter(({ names, path }) => names!.size === 0 && path !== '')
    return empty.length > 0 ? random.pick(empty).path : this.pick(random, 'directories')
  }

  /** A name that is free, in a directory of the catalog or, rarely, of nothing else. */
  free(random: Random, pool: readonly ByteString[]): ByteString | undefined {
    for (let tries = 0; tries < 4; tries++) {
      const { path, names } = random.pick(this.directories)
      const name = random.pick(pool)
      if (!names!.has(name)) return path === '' ? name : `${path}/${name}`
    }
    return undefined
  }

  #read(directory: number, path: ByteString): void {
    const names = new Set<ByteString>()
    const known: Known = { path, ino: directory, kind: 'directory', names }
    this.directories.push(known)
    if (path !== '') this.all.push(known)
    // Paths of the kernel are at most 4095 bytes long, with those of the oracle's own directories.
    if (path.length > 1500) return
    for (const { name, ino, kind } of this.#verbs.list(directory)) {
      names.add(name)
      const below = path === '' ? name : `${path}/${name}`
      if (kind === 'directory') {
        this.#read(ino, below)
        continue
      }
      const entry = { path: below, ino, kind, names: undefined }
      this.all.push(entry)
      if (kind === 'file') this.files.push(entry)
      else this.others.push(entry)
    }
  }
}
