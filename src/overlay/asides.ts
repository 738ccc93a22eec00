import type { BigIntStats } from 'node:fs'
import type { ByteString } from '../model/bytes.ts'
import { codeOf } from '../model/errors.ts'
import type { OverlayNode } from './overlay-node.ts'
import { identityOf } from './real-stat.ts'
import type { UpperDisk } from './upper-disk.ts'

/**
 * Empty files beside the upper that carry the xattrs of inodes which cannot: the kernel lets nobody set `user.*` on symlinks, fifos
 * and sockets. `facts/<inode number>-<time of birth>` in the work directory, both in hex: the number alone is used again.
 */
export class Asides {
  readonly #disk: UpperDisk
  readonly #folder: ByteString
  readonly #names: Set<ByteString>

  constructor(disk: UpperDisk, workDir: ByteString) {
    this.#disk = disk
    this.#folder = `${workDir}/facts`
    this.#names = new Set(disk.exists(this.#folder) ? disk.names(this.#folder) : [])
  }

  /** The file of an inode, if there is one. */
  find(real: BigIntStats): ByteString | undefined {
    const name = identityOf(real)
    return this.#names.has(name) ? `${this.#folder}/${name}` : undefined
  }

  /** The file of an inode, which is made if missing. */
  make(real: BigIntStats): ByteString {
    const name = identityOf(real)
    const path = `${this.#folder}/${name}`
    if (this.#names.has(name)) return path
    if (this.#names.size === 0 && !this.#disk.exists(this.#folder)) this.#disk.makeDirectory(this.#folder, 0o700)
    this.#disk.close(this.#disk.open(path, 'wx', 0o600))
    this.#names.add(name)
    return path
  }

  /** Lets go of the file of an inode. Nothing there is fine. */
  remove(real: BigIntStats): void {
    this.#discard(identityOf(real))
  }

  /** Removes the files that none of all inodes has: those of what the kernel removed. */
  sweep(all: Iterable<OverlayNode>): void {
    const used = new Set<ByteString>()
    for (const { aside } of all) if (aside !== undefined) used.add(aside)
    for (const name of this.#names) if (!used.has(`${this.#folder}/${name}`)) this.#discard(name)
  }

  #discard(name: ByteString): void {
    if (!this.#names.delete(name)) return
    try {
      this.#disk.unlink(`${this.#folder}/${name}`)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
}
