import type { ByteString } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { CopyUp } from './copy-up.ts'
import type { Handles } from './handles.ts'
import type { LinkGroups } from './link-groups.ts'
import { checkName } from './names.ts'
import type { Sides } from './sides.ts'
import { firstNewInode } from './upper.ts'

/** Taking names away: from the upper where it has them, by a whiteout where something lies below. */
export class Removal {
  readonly #sides: Sides
  readonly #groups: LinkGroups
  readonly #copyUp: CopyUp
  readonly #handles: Handles
  readonly #stat: (ino: number) => Stat

  constructor(sides: Sides, groups: LinkGroups, copyUp: CopyUp, handles: Handles, stat: (ino: number) => Stat) {
    this.#sides = sides
    this.#groups = groups
    this.#copyUp = copyUp
    this.#handles = handles
    this.#stat = stat
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
      take()
      sides.leave(ino)
      sides.recount(directory, -1)
      return
    }
    const stat = this.#stat(ino)
    if (stat.links > 1) {
      if (sides.verdict(directory, name).says !== 'nothing') this.#copyUp.keep(ino)
      take()
      return
    }
    take()
    this.#handles.orphan(stat)
    if (ino < firstNewInode) sides.gone.add(ino)
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
      if (sides.below(directory, name) === undefined) sides.upper.forget(sides.up(directory), name)
      else {
        if (sides.verdict(directory, name).says === 'nothing') this.#groups.cover(directory, name)
        sides.upper.whiteout(sides.up(directory), name)
      }
    })
  }
}
