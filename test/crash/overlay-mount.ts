import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { mount, mountFlags, umount } from '../../src/sys/mount.ts'
import type { Lower } from '../overlay/lower.ts'

export interface Directories {
  readonly upperDir: string
  readonly workDir: string
}

/** An index that the kernel has mounted, for mounts of overlayfs over it. @throws what `mount` throws */
export class MountedLower implements Disposable {
  readonly path: string
  readonly #merged: string

  /** `folder` gets a directory for each mount. */
  constructor(lower: Pick<Lower, 'index' | 'tar'>, folder: string) {
    this.path = join(folder, 'mounted-lower')
    this.#merged = join(folder, 'merged')
    for (const each of [this.path, this.#merged]) mkdirSync(each, { recursive: true })
    mount(lower.index, this.path, 'erofs', mountFlags.readOnly, `device=${lower.tar}`)
  }

  /** Mounts an upper over it, for as long as `use` runs. `options` begin with a comma, or are empty. */
  with<Result>({ upperDir, workDir }: Directories, options: string, use: (root: string) => Result): Result {
    const data = `lowerdir=${this.path},upperdir=${upperDir},workdir=${workDir}${options}`
    mount('overlay', this.#merged, 'overlay', 0, data)
    try {
      return use(this.#merged)
    } finally {
      umount(this.#merged)
    }
  }

  [Symbol.dispose](): void {
    umount(this.path)
  }
}
