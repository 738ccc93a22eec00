import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { CopyUp } from './copy-up.ts'
import { checkName } from './names.ts'
import type { Orphan, Orphans } from './orphans.ts'
import type { Sides } from './sides.ts'
import type { Creation } from './upper.ts'

/** Making inodes, and giving names to those there are. */
export class Creating {
  readonly #sides: Sides
  readonly #orphans: Orphans
  readonly #copyUp: CopyUp

  constructor(sides: Sides, orphans: Orphans, copyUp: CopyUp) {
    this.#sides = sides
    this.#orphans = orphans
    this.#copyUp = copyUp
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    checkName(name, 'open')
    const sides = this.#sides
    this.#free(directory, name, 'open')
    if (creation.kind === 'character' && !creation.major && !creation.minor)
      throw new PlyError('EPERM', { syscall: 'mknod' })
    this.#copyUp.directory(directory)
    const isDirectory = creation.kind === 'directory'
    const below = isDirectory ? sides.below(directory, name) : undefined
    const opaque = below !== undefined && sides.isLowerDirectory(below)
    const ino = sides.upper.create(sides.up(directory), name, opaque ? { ...creation, opaque } : creation)
    if (isDirectory) {
      sides.enter(ino, directory, undefined, undefined, 0)
      sides.recount(directory, 1)
    }
    return ino
  }

  /** A file without a name. Where it was asked for goes up, as in the kernel's overlayfs. */
  unnamed(directory: number, creation: Creation & { readonly kind: 'file' }, exclusive: boolean): Orphan {
    const sides = this.#sides
    if (sides.isGone(directory)) throw new PlyError('ENOENT', { syscall: 'open' })
    if (!sides.isDirectory(directory)) throw new PlyError('ENOTDIR', { syscall: 'open' })
    this.#copyUp.directory(directory)
    return this.#orphans.unnamed(sides.upper.unnamed(), creation, exclusive)
  }

  link(directory: number, name: ByteString, ino: number): void {
    checkName(name, 'link')
    const sides = this.#sides
    const orphan = this.#orphans.get(ino)
    if (!orphan && sides.isGone(ino)) throw new PlyError('ENOENT', { syscall: 'link' })
    this.#free(directory, name, 'link')
    if (orphan) {
      if (!orphan.adoptable) {
        throw new PlyError(orphan.stat.kind === 'directory' ? 'EPERM' : 'ENOENT', { syscall: 'link' })
      }
      this.#copyUp.directory(directory)
      this.#orphans.adopt(orphan, sides.up(directory), name)
      return
    }
    if (sides.isDirectory(ino)) throw new PlyError('EPERM', { syscall: 'link' })
    this.#copyUp.movable(ino)
    this.#copyUp.directory(directory)
    sides.upper.link(sides.up(directory), name, ino)
  }

  /** @throws ENOTDIR, ENOENT for the directory; EEXIST for the name. */
  #free(directory: number, name: ByteString, syscall: string): void {
    if (this.#sides.lookup(directory, name) !== undefined) throw new PlyError('EEXIST', { syscall })
  }
}
