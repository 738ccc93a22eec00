import type { ByteString } from '../../src/model/bytes.ts'
import type { Random } from '../fuzz/random.ts'
import { someTarget } from './generate-layers.ts'
import { someValue, xattrNames } from './names.ts'
import type { OpenFlag, Operation, Target, Time } from './operations.ts'
import type { Verbs } from './verbs.ts'

const handles = 4

/** Whether the unions under test can do what is being built only now. */
export interface Abilities {
  readonly unnamed: boolean
  readonly allocate: boolean
  /** Files without a name answer to everything. */
  readonly orphans: boolean
}

/** Draws operations for one sequence; it looks at a model of what the sequence has made so far, so that most of them have something to do. */
export class Generator {
  readonly #random: Random
  readonly #pool: readonly ByteString[]
  readonly #verbs: Verbs
  readonly #from: number
  readonly #abilities: Abilities
  #paths: ByteString[] = []

  constructor(random: Random, pool: readonly ByteString[], verbs: Verbs, from: number, abilities: Abilities) {
    this.#random = random
    this.#pool = pool
    this.#verbs = verbs
    this.#from = from
    this.#abilities = abilities
  }

  next(): Operation {
    this.#paths = []
    this.#collect(this.#from, '')
    const random = this.#random
    if (random.chance(0.005)) return this.#tooLong()
    const choice = random.below(100)
    if (choice < 16) return this.#open()
    if (choice < 40) return this.#onHandle()
    if (choice < 47) return { do: 'rename', path: this.#path(), to: this.#either(), ...this.#renameFlag() }
    if (choice < 53) return { do: 'unlink', path: this.#path() }
    if (choice < 57) return { do: 'rmdir', path: this.#path() }
    if (choice < 62) return { do: 'mkdir', path: this.#either(), mode: random.pick([0o755, 0o700, 0o2755, 0o1777, 0]) }
    if (choice < 66) return { do: 'link', path: this.#path(), to: this.#either(), follow: random.chance(0.2) }
    if (choice < 68) return { do: 'symlink', target: someTarget(random, this.#pool), path: this.#either() }
    if (choice < 70) return { do: 'readlink', path: this.#path() }
    if (choice < 72) return this.#mknod()
    if (choice < 76) return { do: 'chmod', on: this.#on(true), mode: this.#mode() }
    if (choice < 79) return { do: 'chown', on: this.#on(), uid: random.below(3) * 1000, gid: random.below(3) * 100 }
    if (choice < 83) return { do: 'utimens', on: this.#on(), atime: this.#time(), mtime: this.#time() }
    if (choice < 91) return this.#xattr()
    if (choice < 93) return { do: 'truncate', path: this.#path(), size: this.#size() }
    if (choice < 97) return { do: 'stat', on: this.#on() }
    if (choice < 99) return { do: 'readdir', path: random.chance(0.1) ? '.' : this.#path() }
    return { do: 'sync' }
  }

  #open(): Operation {
    const random = this.#random
    const flags: OpenFlag[] = [random.pick(['RDONLY', 'RDONLY', 'WRONLY', 'RDWR', 'RDWR'] as const)]
    const fd = random.below(handles)
    if (this.#abilities.unnamed && random.chance(0.07)) {
      flags.push('TMPFILE')
      if (random.chance(0.2)) flags.push('EXCL')
      return { do: 'open', fd, path: random.chance(0.3) ? '.' : this.#path(), flags, mode: this.#mode() }
    }
    const create = random.chance(0.4)
    if (create) flags.push('CREAT')
    if (create && random.chance(0.25)) flags.push('EXCL')
    if (random.chance(0.2)) flags.push('TRUNC')
    if (random.chance(0.15)) flags.push('APPEND')
    if (random.chance(0.1)) flags.push('DIRECTORY')
    if (random.chance(0.15)) flags.push('NOFOLLOW')
    return { do: 'open', fd, path: create ? this.#either() : this.#path(), flags, mode: this.#mode() }
  }

  #onHandle(): Operation {
    const random = this.#random
    const fd = random.below(handles)
    const seed = random.below(250)
    const choice = random.below(this.#abilities.allocate ? 31 : 26)
    if (choice < 2) return { do: 'close', fd }
    if (choice < 5) return { do: 'read', fd, size: this.#size() }
    if (choice < 8) return { do: 'pread', fd, size: this.#size(), at: this.#size() }
    if (choice < 12) return { do: 'write', fd, size: this.#size(), seed }
    if (choice < 15) return { do: 'pwrite', fd, size: this.#size(), seed, at: this.#size() }
    if (choice < 17) return { do: 'ftruncate', fd, size: this.#size() }
    if (choice < 20) {
      const to = random.pick(['set', 'end', 'data', 'hole', 'data', 'hole'] as const)
      return { do: 'lseek', fd, to, at: to === 'end' ? random.below(3) * 100 : this.#size() }
    }
    if (choice < 22) {
      const [fromAt, at] = [this.#size(), this.#size()]
      return { do: 'copy', fd, from: random.below(handles), fromAt, at, size: this.#size() }
    }
    if (choice < 23) return { do: 'fsync', fd }
    if (choice < 26) return { do: 'linkfd', fd, to: this.#either() }
    const what = random.pick(['extend', 'keep', 'punch', 'zero'] as const)
    return { do: 'fallocate', fd, what, at: this.#size(), size: this.#size() }
  }

  #tooLong(): Operation {
    const path = 'y'.repeat(256)
    return this.#random.pick<Operation>([
      { do: 'mkdir', path, mode: 0o755 },
      { do: 'unlink', path },
      { do: 'symlink', target: 'x', path },
      { do: 'stat', on: { path: `a/${path}`, follow: true } },
      { do: 'open', fd: 0, path, flags: ['RDWR', 'CREAT'], mode: 0o644 },
    ])
  }

  #mknod(): Operation {
    const random = this.#random
    const kind = random.pick(['fifo', 'socket', 'character', 'block'] as const)
    const device = kind === 'character' || kind === 'block'
    const numbers = device ? { major: random.pick([0, 1, 8]), minor: random.pick([0, 1, 5]) } : { major: 0, minor: 0 }
    return { do: 'mknod', path: this.#either(), kind, mode: this.#mode(), ...numbers }
  }

  #xattr(): Operation {
    const random = this.#random
    const on = this.#on()
    const name = random.pick(xattrNames)
    const choice = random.below(10)
    if (choice < 5) {
      const only = random.below(6)
      const flag = only === 0 ? ({ only: 'create' } as const) : only === 1 ? ({ only: 'replace' } as const) : {}
      return { do: 'setxattr', on, name, value: someValue(random), ...flag }
    }
    if (choice < 7) return { do: 'getxattr', on, name }
    if (choice < 8) return { do: 'listxattr', on }
    return { do: 'removexattr', on, name }
  }

  #renameFlag() {
    const choice = this.#random.below(20)
    if (choice < 3) return { flag: 'noreplace' } as const
    if (choice < 7) return { flag: 'exchange' } as const
    return choice === 7 && this.#random.chance(0.2) ? ({ flag: 'both' } as const) : {}
  }

  #mode(): number {
    return this.#random.pick([0o644, 0o600, 0o755, 0o4755, 0o2755, 0o2644, 0o1777, 0, 0o6711])
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
    if (random.chance(0.25)) return { fd: random.below(handles) }
    return { path: this.#path(), follow: followed || random.chance(0.4) }
  }

  /** A path that mostly leads to something. */
  #path(): ByteString {
    const random = this.#random
    if (this.#paths.length === 0 || random.chance(0.12)) return this.#new()
    const path = random.pick(this.#paths)
    switch (random.below(30)) {
      case 0:
        return `${path}/`
      case 1:
        return `${path}/.`
      case 2:
        return `./${path}`
      case 3:
        return path.includes('/') ? `${path.slice(0, path.indexOf('/'))}/../${path}` : path
      default:
        return path
    }
  }

  /** A path at which there is something, or nothing. */
  #either(): ByteString {
    return this.#random.chance(0.5) ? this.#new() : this.#path()
  }

  /** A name, taken or not, in a directory that mostly is there. */
  #new(): ByteString {
    const random = this.#random
    const name = random.pick(this.#pool)
    if (this.#paths.length === 0 || random.chance(0.3)) return name
    const path = random.pick(this.#paths)
    const slash = path.lastIndexOf('/')
    const parent = random.chance(0.5) ? path : path.slice(0, Math.max(0, slash))
    return parent === '' ? name : `${parent}/${name}`
  }

  #collect(directory: number, prefix: ByteString): void {
    for (const { name, ino, kind } of this.#verbs.list(directory)) {
      const path = `${prefix}${name}`
      this.#paths.push(path)
      if (kind === 'directory' && prefix.length < 1000) this.#collect(ino, `${path}/`)
    }
  }
}
