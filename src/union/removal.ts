import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { CopyUp } from './copy-up.ts'
import type { Inspection } from './inspection.ts'
import type { LinkGroups } from './link-groups.ts'
import { checkName } from './names.ts'
import type { Orphan, Orphans } from './orphans.ts'
import type { Sides } from './sides.ts'

/** Taking names away: from the upper where it has them, by a whiteout where something lies below. */
export class Removal {
  readonly #sides: Sides
  readonly #groups: LinkGroups
  readonly #copyUp: CopyUp
  readonly #orphans: Orphans
  readonly #of: Inspection

  constructor(sides: Sides, groups: LinkGroups, copyUp: CopyUp, orphans: Orphans, of: Inspection) {
    this.#sides = sides
    this.#groups = groups
    this.#copyUp = copyUp
    this.#orphans = orphans
    this.#of = of
  }

  unlink(directory: number, name: ByteString): void {
    const ino = this.#find(directory, name, 'unlink')
    if (this.#sides.isDirectory(ino)) throw new PlyError('EISDIR', { syscall: 'unlink' })
    this.#remove(directory, name, ino)
  }

  rmdir(directory: number, name: ByteString): void {
    const ino = this.#find(directory, name, 'rmdir')
    if (!this.#sides.isDirectory(ino)) throw new PlyError('ENOTDIR', { syscall: 'rmdir' })
    if (!this.#sides.isEmpty(ino)) throw new PlyError('ENOTEMPTY', { syscall: 'rmdir' })
    this.#remove(directory, name, ino)
  }

  /** Does what takes an inode's name away, and sees to what goes with the name: the last one takes the inode along. */
  losing(directory: number, name: ByteString, ino: number, take: () => void): void {
    const sides = this.#sides
    if (sides.isDirectory(ino)) {
      const orphan = this.#leaving(ino)
      take()
      sides.leave(ino)
      sides.recount(directory, -1)
      if (orphan) this.#orphans.add(orphan)
      return
    }
    if (this.#of.links(ino) > 1) {
      if (sides.verdict(directory, name).says === 'nothing') this.#copyUp.hiding(ino)
      else this.#copyUp.keep(ino)
      take()
      return
    }
    const orphan = this.#leaving(ino)
    take()
    if (sides.isBelow(ino)) sides.gone.add(ino)
    if (orphan) this.#orphans.add(orphan)
  }

  #leaving(ino: number): Orphan | undefined {
    const of = this.#of
    return this.#orphans.leaving(
      ino,
      () => {
        const stat = of.stat(ino)
        return { stat, xattrs: new Map(of.xattrs(ino)), target: stat.kind === 'symlink' ? of.readlink(ino) : '' }
      },
      () => of.content(ino),
    )
  }

  #find(directory: number, name: ByteString, syscall: string): number {
    checkName(name, syscall)
    const ino = this.#sides.lookup(directory, name)
    if (ino === undefined) throw new PlyError('ENOENT', { syscall })
    return ino
  }

  #remove(directory: number, name: ByteString, ino: number): void {
    const sides = this.#sides
    this.#copyUp.directory(directory)
    this.losing(directory, name, ino, () => {
      const parent = sides.up(directory)
      if (sides.below(directory, name) === undefined) {
        sides.upper.forget(parent, name)
        return
      }
      const covers = sides.verdict(directory, name).says === 'nothing'
      sides.upper.whiteout(parent, name)
      if (covers) this.#groups.cover(directory, name)
    })
  }
}
