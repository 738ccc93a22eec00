import type { ByteString } from '../model/bytes.ts'
import { codeOf } from '../model/errors.ts'
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
  readonly #disk: UpperDisk
  #names = 0
  /** A whiteout that all others are links to, as the kernel does it. */
  #shared: ByteString | undefined

  constructor(disk: UpperDisk, workDir: ByteString) {
    this.#disk = disk
    this.path = `${workDir}/work`
    this.index = `${workDir}/index`
    if (!disk.exists(this.path)) disk.makeDirectory(this.path, 0o700)
    for (const name of disk.names(this.path)) if (name.startsWith('#')) this.discard(`${this.path}/${name}`)
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
    this.#disk.makeNode(shared, 'character', 0, 0)
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
    if (!this.#disk.lstat(path).isDirectory()) {
      this.#disk.unlink(path)
      return
    }
    for (const name of this.#disk.names(path)) this.#disk.unlink(`${path}/${name}`)
    this.#disk.removeDirectory(path)
  }

  close(): void {
    if (this.#shared !== undefined) this.#disk.unlink(this.#shared)
    this.#shared = undefined
  }
}
