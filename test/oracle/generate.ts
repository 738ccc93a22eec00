import type { ByteString } from '../../src/model/bytes.ts'
import type { Stat } from '../../src/model/entry.ts'
import type { Random } from '../fuzz/random.ts'
import { Catalog } from './catalog.ts'
import { someTarget } from './generate-layers.ts'
import { someValue, xattrNames } from './names.ts'
import type { OpenFlag, Operation, Target, Time } from './operations.ts'
import type { Verbs } from './verbs.ts'

const slots = [0, 1, 2, 3]

/** What a generator knows of the sequence so far. */
export interface Knowledge {
  readonly verbs: Verbs
  /** The directory of the sequence. */
  readonly directory: number
  /** What a slot holds; `undefined` if it is empty. */
  handle(slot: number): { readonly readable: boolean; readonly writable: boolean; readonly stat: Stat } | undefined
}

/**
 * Sticky ones only where nobody but the owner writes: what else may be opened in a sticky directory hangs on settings of the machine
 * (`fs.protected_…`).
 */
const directoryModes = [0o755, 0o700, 0o2755, 0o777, 0, 0o1755, 0o1711, 0o3755] as const

/** Draws operations for one sequence. It looks at a model of what was made so far, so that four of five have something to do. */
export class Generator {
  readonly #random: Random
  readonly #pool: readonly ByteString[]
  readonly #known: Knowledge
  #catalog!: Catalog

  constructor(random: Random, pool: readonly ByteString[], known: Knowledge) {
    this.#random = random
    this.#pool = pool
    this.#known = known
  }

  next(): Operation {
    this.#catalog = new Catalog(this.#known.verbs, this.#known.directory)
    const random = this.#random
    if (random.chance(0.005)) return this.#tooLong()
    const choice = random.below(100)
    if (choice < 16) return this.#open()
    if (choice < 41) return this.#onHandle()
    if (choice < 50) return { do: 'rename', path: this.#path(), ...this.#renameTo() }
    if (choice < 55) return { do: 'unlink', path: this.#notDirectory() }
    if (choice < 59) return { do: 'rmdir', path: this.#emptyDirectory() }
    if (choice < 64) return { do: 'mkdir', path: this.#new(), mode: random.pick(directoryModes) }
    if (choice < 68) return { do: 'link', path: this.#notDirectory(), to: this.#new(), follow: random.chance(0.2) }
    if (choice < 70)
      return {
        do: 'symlink',
        target: someTarget(random, this.#pool, this.#known.directory === this.#known.verbs.root),
        path: this.#new(),
      }
    if (choice < 71) return { do: 'readlink', path: this.#some('others') }
    if (choice < 73) return this.#mknod()
    if (choice < 77) {
      const on = this.#on(true)
      return { do: 'chmod', on, mode: random.chance(0.1) ? random.pick(directoryModes) : this.#mode() }
    }
    if (choice < 80) return { do: 'chown', on: this.#on(), uid: random.below(3) * 1000, gid: random.below(3) * 100 }
    if (choice < 83) return { do: 'utimens', on: this.#on(), atime: this.#time(), mtime: this.#time() }
    if (choice < 91) return this.#xattr()
    if (choice < 93) return { do: 'truncate', path: this.#some('files'), size: this.#size() }
    if (choice < 96) return { do: 'stat', on: this.#on() }
    if (choice < 99) return { do: 'readdir', path: random.chance(0.1) ? '.' : this.#some('directories') }
    return { do: 'sync' }
  }

  #open(): Operation {
    const random = this.#random
    const flags: OpenFlag[] = [random.pick(['RDONLY', 'RDONLY', 'WRONLY', 'RDWR', 'RDWR', 'RDWR'] as const)]
    const empty = slots.filter((slot) => this.#known.handle(slot) === undefined)
    const fd = empty.length > 0 && random.chance(0.8) ? random.pick(empty) : random.pick(slots)
    if (random.chance(0.08)) {
      if (random.chance(0.9)) flags[0] = 'RDWR'
      flags.push('TMPFILE')
      if (random.chance(0.2)) flags.push('EXCL')
      return { do: 'open', fd, path: random.chance(0.3) ? '.' : this.#some('directories'), flags, mode: this.#mode() }
    }
    const directory = random.chance(0.1)
    if (directory && random.chance(0.8)) flags[0] = 'RDONLY'
    const create = random.chance(directory ? 0.1 : 0.4)
    if (create) flags.push('CREAT')
    if (create && random.chance(0.25)) flags.push('EXCL')
    if (random.chance(directory ? 0.02 : 0.2)) flags.push('TRUNC')
    if (random.chance(0.12)) flags.push('APPEND')
    if (directory) flags.push('DIRECTORY')
    if (random.chance(0.15)) flags.push('NOFOLLOW')
    const path = create ? this.#either() : this.#some(directory ? 'directories' : 'files')
    return { do: 'open', fd, path, flags, mode: this.#fileMode() }
  }

  #onHandle(): Operation {
    const random = this.#random
    const seed = random.below(250)
    const choice = random.below(33)
    if (choice < 2) return { do: 'close', fd: this.#slot() }
    if (choice < 5) return { do: 'read', fd: this.#slot('readable'), size: this.#size() }
    if (choice < 8) return { do: 'pread', fd: this.#slot('readable'), size: this.#size(), at: this.#size() }
    if (choice < 12) return { do: 'write', fd: this.#slot('writable'), size: this.#size(), seed }
    if (choice < 16) return { do: 'pwrite', fd: this.#slot('writable'), size: this.#size(), seed, at: this.#size() }
    if (choice < 18) return { do: 'ftruncate', fd: this.#slot('writable'), size: this.#size() }
    if (choice < 21) {
      const to = random.pick(['set', 'end', 'data', 'hole', 'data', 'hole'] as const)
      const fd = this.#slot('file')
      const size = this.#known.handle(fd)?.stat.size ?? 0
      return { do: 'lseek', fd, to, at: to === 'end' ? random.below(3) * 100 : random.below(size + size / 8 + 2) }
    }
    if (choice < 24) {
      const [fd, from] = [this.#slot('writable'), this.#slot('readable')]
      return { do: 'copy', fd, from, fromAt: this.#size(), at: this.#size(), size: this.#size() }
    }
    if (choice < 25) return { do: 'fsync', fd: this.#slot() }
    if (choice < 28) return { do: 'linkfd', fd: this.#slot('file'), to: this.#new() }
    const what = random.pick(['extend', 'keep', 'punch', 'zero'] as const)
    return { do: 'fallocate', fd: this.#slot('writable'), what, at: this.#size(), size: this.#size() }
  }

  /** A slot whose handle can do what is wanted, mostly. */
  #slot(able?: 'readable' | 'writable' | 'file'): number {
    const random = this.#random
    if (random.chance(0.04)) return random.pick(slots)
    const strict = random.chance(0.92)
    const fit = slots.filter((slot) => {
      const handle = this.#known.handle(slot)
      if (handle === undefined) return false
      if (!strict || able === undefined) return true
      return handle.stat.kind === 'file' && (able === 'file' || handle[able])
    })
    return fit.length > 0 ? random.pick(fit) : random.pick(slots)
  }

  #tooLong(): Operation {
    const path = 'y'.repeat(256)
    return this.#random.pick<Operation>([
      { do: 'mkdir', path, mode: 0o755 },
      { do: 'unlink', path },
      { do: 'symlink', target: 'x', path },
      { do: 'rename', path, to: this.#new() },
      { do: 'rename', path: this.#path(), to: path },
      { do: 'rename', path: this.#path(), to: path, flag: 'exchange' },
      { do: 'link', path: this.#some('files'), to: path, follow: false },
      { do: 'stat', on: { path: `a/${path}`, follow: true } },
      { do: 'open', fd: 0, path, flags: ['RDWR', 'CREAT'], mode: 0o644 },
    ])
  }

  #mknod(): Operation {
    const random = this.#random
    const kind = random.pick(['fifo', 'socket', 'character', 'block'] as const)
    const device = kind === 'character' || kind === 'block'
    const numbers = device ? { major: random.pick([0, 1, 8]), minor: random.pick([0, 1, 5]) } : { major: 0, minor: 0 }
    return { do: 'mknod', path: this.#new(), kind, mode: this.#fileMode(), ...numbers }
  }

  #xattr(): Operation {
    const random = this.#random
    const on = this.#on()
    const choice = random.below(10)
    if (choice < 5) {
      const only = random.below(6)
      const flag = only === 0 ? ({ only: 'create' } as const) : only === 1 ? ({ only: 'replace' } as const) : {}
      const name = random.pick(xattrNames)
      return { do: 'setxattr', on, name, value: someValue(random, name), ...flag }
    }
    if (choice < 6) return { do: 'listxattr', on }
    const name = this.#setName(on) ?? random.pick(xattrNames)
    return choice < 8 ? { do: 'getxattr', on, name } : { do: 'removexattr', on, name }
  }

  /** The name of an xattr that the target has; of a path only where the catalog has it. */
  #setName(on: Target): ByteString | undefined {
    if (this.#random.chance(0.2)) return undefined
    const ino =
      'fd' in on ? this.#known.handle(on.fd)?.stat.ino : this.#catalog.all.find(({ path }) => path === on.path)?.ino
    const names = ino === undefined ? [] : [...this.#known.verbs.xattrs(ino).keys()]
    return names.length === 0 ? undefined : this.#random.pick(names)
  }

  #renameTo(): { readonly to: ByteString; readonly flag?: 'noreplace' | 'exchange' | 'both' } {
    const random = this.#random
    const choice = random.below(20)
    if (choice < 3) return { to: this.#new(), flag: 'noreplace' }
    if (choice < 6) return { to: this.#path(), flag: 'exchange' }
    if (choice === 6 && random.chance(0.2)) return { to: this.#either(), flag: 'both' }
    if (choice < 9) return { to: this.#emptyDirectory() }
    if (choice < 12) return { to: this.#notDirectory() }
    return { to: random.chance(0.9) ? this.#new() : this.#path() }
  }

  #mode(): number {
    return this.#random.pick([0o644, 0o600, 0o755, 0o4755, 0o2755, 0o2644, 0o777, 0, 0o6711])
  }

  #fileMode(): number {
    return this.#random.chance(0.1) ? 0o1644 : this.#mode()
  }

  #size(): number {
    const random = this.#random
    const base = random.pick([0, 0, 1, 10, 100, 1000, 4096, 8192, 5000, 20_000, 65_536])
    return base + (random.chance(0.3) ? random.below(100) : 0)
  }

  #time(): Time {
    const random = this.#random
    const choice = random.below(8)
    if (choice === 0) return 'now'
    if (choice === 1) return 'omit'
    return `${1_000_000_000 + random.below(1000)}${String(random.below(1_000_000_000)).padStart(9, '0')}`
  }

  #on(followed = false): Target {
    const random = this.#random
    if (random.chance(0.25)) return { fd: this.#slot() }
    return { path: this.#path(), follow: followed || random.chance(0.4) }
  }

  /** A path that mostly leads to something. */
  #path(): ByteString {
    return this.#some('all')
  }

  #some(of: 'all' | 'files' | 'directories' | 'others'): ByteString {
    const random = this.#random
    const list = random.chance(0.85) ? of : 'all'
    const path = random.chance(0.07) ? undefined : this.#catalog.pick(random, list)
    return this.#spelled(path === undefined || path === '' ? this.#new() : path)
  }

  #notDirectory(): ByteString {
    return this.#some(this.#random.chance(0.75) ? 'files' : 'others')
  }

  #emptyDirectory(): ByteString {
    const random = this.#random
    const path = random.chance(0.8) ? this.#catalog.emptyDirectory(random) : undefined
    return path === undefined || path === '' ? this.#some('all') : this.#spelled(path)
  }

  /** The same place, spelled in another way now and then. */
  #spelled(path: ByteString): ByteString {
    const spelling = this.#random.below(50)
    if (spelling > 2 && this.#known.directory === this.#known.verbs.root) return path
    switch (spelling) {
      case 0:
        return `${path}/`
      case 1:
        return `${path}/.`
      case 2:
        return `./${path}`
      case 3:
        return path.includes('/') ? `${path.slice(0, path.indexOf('/'))}/../${path}` : path
      case 4:
        // A link to its own directory, in that of the sequence, would lead out of what is compared.
        return path.includes('/') ? `${path}/..` : path
      default:
        return path
    }
  }

  /** A path at which there is something, or nothing. */
  #either(): ByteString {
    return this.#random.chance(0.6) ? this.#new() : this.#some('files')
  }

  /** A name that mostly is free, in a directory that mostly is there. */
  #new(): ByteString {
    const random = this.#random
    const free = random.chance(0.88) ? this.#catalog.free(random, this.#pool) : undefined
    if (free !== undefined) return random.chance(0.01) ? `${free}/` : free
    const known = this.#catalog.pick(random, 'all')
    return known === undefined ? random.pick(this.#pool) : `${known}/${random.pick(this.#pool)}`
  }
}
