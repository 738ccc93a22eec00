import type { Marks } from '../layer/overlay-marks.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Asides } from './asides.ts'
import { dropHostAcls } from './host-acls.ts'
import { ifPossible, isRefusal } from './real-facts.ts'
import type { UpperDisk } from './upper-disk.ts'

/** What begins our names in the work directory. The kernel clears the directory, whatever the names, when it mounts. */
const prefix = '#ply'

/**
 * `work/` in the work directory: what is being made stands here until one rename puts it in its place, and what goes is
 * moved here before it is taken apart.
 */
export class WorkArea {
  readonly path: ByteString
  /** The index directory, where the kernel keeps link groups (`index=on`). */
  readonly index: ByteString
  /** Whiteouts here are marked files: the disk, or who this process is, allows no device 0:0. Known once there was one. */
  marksWhiteouts = false
  readonly #disk: UpperDisk
  readonly #marks: Marks
  readonly #asides: Asides | undefined
  #names = 0
  /** A whiteout that all others are links to, as the kernel does it. */
  #shared: ByteString | undefined

  /** @throws PLY_UNSUPPORTED after a volatile mount. */
  constructor(
    disk: UpperDisk,
    workDir: ByteString,
    { marks, asides }: { readonly marks: Marks; readonly asides: Asides | undefined },
  ) {
    this.#disk = disk
    this.#marks = marks
    this.#asides = asides
    this.path = `${workDir}/work`
    this.index = `${workDir}/index`
    const left = this.#left()
    refuseVolatile(disk, this.path)
    dropHostAcls(this.path)
    for (const name of left) if (name.startsWith('#')) this.discard(`${this.path}/${name}`)
  }

  /** A free path. */
  fresh(): ByteString {
    return `${this.path}/${prefix}${(this.#names++).toString(16)}`
  }

  /** Puts a whiteout at a free path: one more link of the shared one, or a new one where that has too many. */
  makeWhiteout(path: ByteString): void {
    if (this.#shared !== undefined) {
      try {
        this.#disk.link(this.#shared, path)
        return
      } catch (error) {
        if (codeOf(error) !== 'EMLINK') throw error
        this.#disk.unlink(this.#shared)
        this.#shared = undefined
      }
    }
    const shared = this.fresh()
    this.#makeFirst(shared)
    this.#shared = shared
    this.#disk.link(shared, path)
  }

  /** The path of an inode of a lower link group in the index directory, which is made if missing. */
  inIndex(origin: Uint8Array): ByteString {
    if (!this.#disk.exists(this.index)) this.#disk.makeDirectory(this.index, 0o700)
    return `${this.index}/${Buffer.from(origin).toString('hex')}`
  }

  /** Removes what is at a path of this directory; of a directory also the whiteouts in it. Nothing there is fine. */
  discard(path: ByteString): void {
    if (!this.#disk.exists(path)) return
    const real = this.#disk.lstatExact(path)
    if (!real.isDirectory()) {
      this.#disk.unlink(path)
      if (real.nlink === 1n) this.#asides?.remove(real)
      return
    }
    for (const name of this.#disk.names(path)) this.#disk.unlink(`${path}/${name}`)
    this.#disk.removeDirectory(path)
  }

  /**
   * As `discard`, after a change, or after one that failed: what cannot be removed now says nothing, and goes at the next opening. The
   * answer to the change must not depend on it. Answers whether it is gone.
   */
  clear(path: ByteString): boolean {
    return ifPossible(() => this.discard(path))
  }

  close(): void {
    if (this.#shared !== undefined) this.clear(this.#shared)
    this.#shared = undefined
  }

  #makeFirst(path: ByteString): void {
    if (!this.marksWhiteouts) {
      try {
        this.#disk.makeNode(path, 'character', 0, 0)
        return
      } catch (error) {
        if (!isRefusal(error) && codeOf(error) !== 'EINVAL') throw error
        this.marksWhiteouts = true
      }
    }
    this.#disk.close(this.#disk.open(path, 'wx', 0o644))
    this.#disk.setXattr(path, this.#marks.whiteout, new Uint8Array())
  }

  /** What is left here. The kernel makes the directory with a mode that keeps out even its owner, where that is not root. */
  #left(): readonly ByteString[] {
    if (!this.#disk.exists(this.path)) this.#disk.makeDirectory(this.path, 0o700)
    try {
      return this.#disk.names(this.path)
    } catch (error) {
      if (codeOf(error) !== 'EACCES') throw error
      this.#disk.chmod(this.path, 0o700)
      return this.#disk.names(this.path)
    }
  }
}

/** What a volatile mount wrote may be incomplete. */
function refuseVolatile(disk: UpperDisk, path: ByteString): void {
  if (!disk.exists(`${path}/incompat/volatile`)) return
  throw new PlyError('PLY_UNSUPPORTED', {
    what: `writing to ${displayText(path)}`,
    reason:
      'a volatile mount used it and its content may be incomplete; check it, then remove `incompat` there by hand',
  })
}
