import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { CopyUp } from './copy-up.ts'
import type { LinkGroups } from './link-groups.ts'
import { checkName } from './names.ts'
import type { Removal } from './removal.ts'
import type { Sides } from './sides.ts'

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
    checkName(from.name, syscall)
    checkName(to.name, syscall)
    if (noReplace && exchange) throw new PlyError('EINVAL', { syscall })
    const ino = sides.lookup(from.directory, from.name)
    const target = sides.lookup(to.directory, to.name)
    if (ino === undefined) throw new PlyError('ENOENT', { syscall })
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
      this.#copyUp.at(from.directory, from.name, ino)
      this.#copyUp.directory(to.directory)
      this.#removal.losing(to.directory, to.name, target, () => this.#move(ino, from, to))
    }
    return true
  }

  /**
   * Through a third name, since an upper moves one name at a time. A process that dies in between leaves one of the
   * two under that name, never a mixture.
   */
  #exchange(ino: number, from: Name, target: number, to: Name): void {
    let name = `.exchange-${ino}`
    while (this.#sides.lookup(from.directory, name) !== undefined) name += '-'
    const aside = { directory: from.directory, name }
    this.#move(ino, from, aside)
    this.#move(target, to, from)
    this.#move(ino, aside, to)
  }

  #move(ino: number, from: Name, to: Name): void {
    const sides = this.#sides
    this.#copyUp.at(from.directory, from.name, ino)
    this.#copyUp.directory(from.directory)
    this.#copyUp.directory(to.directory)
    if (sides.verdict(to.directory, to.name).says === 'nothing') this.#groups.cover(to.directory, to.name)
    const leave = sides.below(from.directory, from.name) === undefined ? 'nothing' : 'whiteout'
    const [up, toUp] = [sides.up(from.directory), sides.up(to.directory)]
    if (!sides.isDirectory(ino)) {
      sides.upper.rename(up, from.name, toUp, to.name, { leave })
      return
    }
    const part = sides.directory(ino)
    const below = sides.below(to.directory, to.name)
    if (part.lower === undefined) {
      const opaque = below !== undefined && sides.isLowerDirectory(below)
      sides.upper.rename(up, from.name, toUp, to.name, { leave, ...(opaque && { opaque }) })
    } else {
      const redirect = below === part.lower ? undefined : sides.places.pathOf(part.lower)
      sides.upper.rename(up, from.name, toUp, to.name, { leave, ...(redirect !== undefined && { redirect }) })
    }
    part.parent = to.directory
    sides.recount(from.directory, -1)
    sides.recount(to.directory, 1)
  }
}
