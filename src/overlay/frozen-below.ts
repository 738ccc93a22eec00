import type { ByteString } from '../model/bytes.ts'
import { type FileHandle, fileHandle, fileSystemUuid, inodeOfHandle } from '../sys/file-handle.ts'
import { decodeHandle, encodeHandle } from './origin.ts'
import type { OverlayView } from './overlay-view.ts'
import type { StoredUpper } from './stored-upper.ts'
import { native } from './upper-disk.ts'

/**
 * The frozen uppers that an upper stands on, as the kernel sees them: directories on a disk, whose inodes it names by the handles of
 * that file system when it copies them up.
 */
export class FrozenBelow {
  /** The topmost first. */
  readonly #uppers: readonly StoredUpper[]
  readonly #upperDir: ByteString
  #uuid: Buffer | undefined | 'unasked' = 'unasked'

  /** `uppers`: the topmost last. They are on the file system of `upperDir`. */
  constructor(uppers: readonly StoredUpper[], upperDir: ByteString) {
    this.#uppers = [...uppers].reverse()
    this.#upperDir = upperDir
  }

  has(ino: number): boolean {
    return this.#uppers.some((upper) => upper.has(ino))
  }

  /** Whether the kernel's name of whatever they hold can be had. */
  get canName(): boolean {
    return this.#uppers.length === 0 || (this.#uppers.every(isView) && this.#named(this.#upperDir) !== undefined)
  }

  /**
   * How the kernel names what it finds at all of the names that an inode has; `undefined` where that cannot be had, or where it finds
   * different files there: of a link group that was copied up by some of its names, it knows only in the upper that is written.
   */
  originOf(ino: number, links: number): Buffer | undefined {
    const upper = this.#uppers.find((each) => each.has(ino))
    const path = upper && isView(upper) ? upper.realPathOf(ino, links) : undefined
    return path === undefined ? undefined : this.#named(path)
  }

  /** The number of an inode that the kernel copied up from one of them. */
  numberOf(origin: Uint8Array): number | undefined {
    if (this.#uppers.length === 0) return undefined
    const uuid = this.#fileSystem()
    const handle = uuid && decodeHandle(origin, uuid)
    if (!handle) return undefined
    const real = this.#inodeOf(handle)
    if (real === undefined) return undefined
    for (const upper of this.#uppers) {
      const ino = isView(upper) ? upper.numberOfReal(real) : undefined
      if (ino !== undefined) return ino
    }
    return undefined
  }

  #named(path: ByteString): Buffer | undefined {
    const uuid = this.#fileSystem()
    const handle = uuid && fileHandle(path)
    return handle && encodeHandle(uuid, handle)
  }

  #inodeOf(handle: FileHandle): number | undefined {
    const upper = this.#uppers.find(isView)
    return upper?.inDirectory((fd) => inodeOfHandle(fd, handle))
  }

  #fileSystem(): Buffer | undefined {
    if (this.#uuid === 'unasked') this.#uuid = fileSystemUuid(native(this.#upperDir))
    return this.#uuid
  }
}

function isView(upper: StoredUpper): upper is StoredUpper & OverlayView {
  return 'realPathOf' in upper
}
