import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { lastErrno, libc, systemError } from '../../src/sys/libc.ts'
import { mount, mountFlags, umount } from '../../src/sys/mount.ts'
import type { Lower } from '../overlay/lower.ts'

export interface Directories {
  readonly upperDir: string
  readonly workDir: string
}

/** Mounts of overlayfs over one lower directory. */
export class MountedOver {
  readonly #lowerDir: string
  readonly #merged: string

  /** `folder` gets the directory that is mounted on. */
  constructor(lowerDir: string, folder: string) {
    this.#lowerDir = lowerDir
    this.#merged = join(folder, 'merged')
    mkdirSync(this.#merged, { recursive: true })
  }

  /** Mounts an upper, for as long as `use` runs. `options` begin with a comma, or are empty. */
  with<Result>({ upperDir, workDir }: Directories, options: string, use: (root: string) => Result): Result {
    const data = `lowerdir=${this.#lowerDir},upperdir=${upperDir},workdir=${workDir}${options}`
    mount('overlay', this.#merged, 'overlay', 0, data)
    try {
      return use(this.#merged)
    } finally {
      umount(this.#merged)
    }
  }
}

const newMounts = 0x00020000
const unshare = libc('int unshare(int)')
let isAlone = false

/**
 * From here on this thread sees mounts of its own, and nobody else does. A process that is started in a mount namespace of its own
 * would get a copy of each, and an upper is in use (EBUSY) until the last copy is gone.
 */
function mountAlone(): void {
  if (isAlone) return
  if (unshare(newMounts) !== 0) throw systemError('unshare', lastErrno())
  mount('none', '/', '', mountFlags.recursive | mountFlags.private)
  isAlone = true
}

/** An index that the kernel has mounted, for mounts of overlayfs over it. @throws what `mount` throws */
export class MountedLower extends MountedOver implements Disposable {
  readonly path: string

  /** `folder` gets the directories that are mounted on. */
  constructor(lower: Pick<Lower, 'index' | 'tar'>, folder: string) {
    const path = join(folder, 'mounted-lower')
    super(path, folder)
    this.path = path
    mkdirSync(path, { recursive: true })
    mountAlone()
    mount(lower.index, path, 'erofs', mountFlags.readOnly, `device=${lower.tar}`)
  }

  [Symbol.dispose](): void {
    umount(this.path)
  }
}
