import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { CopyUp } from './copy-up.ts'
import type { LinkGroups } from './link-groups.ts'
import { checkName } from './names.ts'
import type { Removal } from './removal.ts'
import type { Sides } from './sides.ts'
import type { Standing } from './upper.ts'

const syscall = 'rename'

export interface RenameFlags {
  readonly noReplace?: boolean
  readonly exchange?: boolean
}

interface Name {
  readonly directory: number
  readonly name: ByteString
}

/** Renaming, with the checks in the order in which Linux makes them (`do_renameat2`, `vfs_rename`). */
export class Renaming {
  readonly #sides: Sides
  readonly #groups: LinkGroups
  readonly #copyUp: CopyUp
  readonly #removal: Removal

  constructor(sides: Sides, groups: LinkGroups, copyUp: CopyUp, removal: Removal) {
    this.#sides = sides
    this.#groups = groups
    this.#copyUp = copyUp
    this.#removal = removal
  }

  /** Answers whether anything changed: two names of one inode stay as they are. */
  rename(from: Name, to: Name, { noReplace = false, exchange = false }: RenameFlags): boolean {
    const sides = this.#sides
    if (noReplace && exchange) throw new PlyError('EINVAL', { syscall })
    checkName(from.name, syscall)
    const ino = sides.lookup(from.directory, from.name)
    if (ino === undefined) throw new PlyError('ENOENT', { syscall })
    checkName(to.name, syscall)
    const target = sides.lookup(to.directory, to.name)
    if (noReplace && target !== undefined) throw new PlyError('EEXIST', { syscall })
    if (exchange && target === undefined) throw new PlyError('ENOENT', { syscall })
    const isDirectory = sides.isDirectory(ino)
    if (isDirectory && (ino === to.directory || sides.holds(ino, to.directory)))
      throw new PlyError('EINVAL', { syscall })
    const ontoDirectory = target !== undefined && sides.isDirectory(target)
    if (ontoDirectory && (target === from.directory || sides.holds(target, from.directory))) {
      throw new PlyError(exchange ? 'EINVAL' : 'ENOTEMPTY', { syscall })
    }
    if (ino === target) return false
    if (target === undefined) this.#move(ino, from, to)
    else if (exchange) this.#exchange(ino, from, target, to)
    else {
      if (isDirectory && !ontoDirectory) throw new PlyError('ENOTDIR', { syscall })
      if (!isDirectory && ontoDirectory) throw new PlyError('EISDIR', { syscall })
      if (ontoDirectory && !sides.isEmpty(target)) throw new PlyError('ENOTEMPTY', { syscall })
      // The source first: it may be the target's group that has to be copied up for it.
      this.#bring(ino, from, to)
      this.#copyUp.directory(to.directory)
      this.#removal.losing(to.directory, to.name, target, () => this.#move(ino, from, to))
    }
    return true
  }

  #exchange(ino: number, from: Name, target: number, to: Name): void {
    const sides = this.#sides
    this.#bring(ino, from, to)
    this.#bring(target, to, from)
    this.#copyUp.directory(from.directory)
    this.#copyUp.directory(to.directory)
    sides.upper.exchange(sides.up(from.directory), from.name, sides.up(to.directory), to.name, {
      first: this.#standing(target, from),
      second: this.#standing(ino, to),
    })
    this.#moved(ino, from, to)
    this.#moved(target, to, from)
  }

  #move(ino: number, from: Name, to: Name): void {
    const sides = this.#sides
    this.#bring(ino, from, to)
    this.#copyUp.directory(from.directory)
    this.#copyUp.directory(to.directory)
    const covers = sides.verdict(to.directory, to.name).says === 'nothing'
    const leave = sides.below(from.directory, from.name) === undefined ? 'nothing' : 'whiteout'
    sides.upper.rename(sides.up(from.directory), from.name, sides.up(to.directory), to.name, {
      leave,
      ...this.#standing(ino, to),
    })
    if (covers) this.#groups.cover(to.directory, to.name)
    this.#moved(ino, from, to)
  }

  /** Sees to it that the upper has what moves at its old name, and can have it at the new one. */
  #bring(ino: number, from: Name, to: Name): void {
    const sides = this.#sides
    this.#copyUp.at(from.directory, from.name, ino)
    if (sides.upper.redirects || this.#standing(ino, to).redirect === undefined) return
    this.#copyUp.everything(ino)
  }

  /** What an inode of the upper has to say at a name that it gets, if it is a directory: what it merges with stays the same. */
  #standing(ino: number, { directory, name }: Name): Standing {
    const sides = this.#sides
    if (!sides.isDirectory(ino)) return {}
    const { lower } = sides.directory(ino)
    const below = sides.below(directory, name)
    if (lower === undefined) return below !== undefined && sides.isLowerDirectory(below) ? { opaque: true } : {}
    return below === lower ? {} : { redirect: sides.places.pathOf(lower) }
  }

  #moved(ino: number, from: Name, to: Name): void {
    const sides = this.#sides
    if (!sides.isDirectory(ino)) return
    sides.directory(ino).parent = to.directory
    sides.recount(from.directory, -1)
    sides.recount(to.directory, 1)
  }
}
