import { constants } from 'node:fs'
import { join } from 'node:path'
import { Index } from '../../erofs/index.ts'
import { type Digest, hexOf } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import { type FileBytes, fileBytes } from '../../sys/file-bytes.ts'
import { lockless } from '../layers/held-bytes.ts'
import type { Layout } from '../layout.ts'
import { entriesIn } from '../walk.ts'

const { O_NONBLOCK, O_RDONLY } = constants

const isIndex = (name: string) => /^[0-9a-f]{64}\.erofs$/.test(name)

/**
 * Takes caches away, but not from under those who have them open (`heldBytes`). An open tree holds its index alone, and with it the layers in
 * it; so trees are taken first: whoever opens one afterwards does not find it, and who has opened it before is seen here. The
 * caller holds off everybody who builds caches.
 */
export class Unheld {
  /** Files that were to go and stay, because somebody has them open, relative to the store. */
  readonly open: string[] = []
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #remove: (path: string) => void
  /** Layers, in hex, that stay because a tree over them is open. */
  readonly #needed = new Set<string>()
  /** Layers that were asked for, and whether they go. */
  readonly #layers = new Map<string, boolean>()

  /** `remove` takes a path; on a dry run it only notes it. */
  constructor({ disk, layout }: { readonly disk: Disk; readonly layout: Layout }, remove: (path: string) => void) {
    this.#disk = disk
    this.#layout = layout
    this.#remove = remove
  }

  /** Takes the folded trees that are not to live, and learns what those that are open need. */
  sweepTrees(lives: (name: string) => boolean): void {
    for (const name of entriesIn(this.#disk, this.#layout.treeCache))
      if (lives(name)) this.#look(name)
      else this.tree(name)
  }

  /** Takes a file of `cache/trees/`. Answers whether it goes. */
  tree(name: string): boolean {
    const path = join(this.#layout.treeCache, name)
    if (this.#free(path, () => this.#remove(path))) return true
    this.#stays(path)
    this.#need(path)
    return false
  }

  /** Takes the index of a layer. Answers whether the other files of the layer may go: nobody reads any of them. */
  layer(hex: string): boolean {
    let goes = this.#layers.get(hex)
    if (goes === undefined) {
      if (!isIndex(`${hex}.erofs`)) return true
      const path = join(this.#layout.layerCache, `${hex}.erofs`)
      goes = !this.#needed.has(hex) && this.#free(path, () => this.#remove(path))
      if (!goes) this.#stays(path)
      this.#layers.set(hex, goes)
    }
    return goes
  }

  /** Whether a layer is in use, of which one file is to go and the index is not. */
  uses(hex: string): boolean {
    return this.#needed.has(hex) || !this.#free(join(this.#layout.layerCache, `${hex}.erofs`), () => {})
  }

  /** Whether a blob is the tar of a layer that stays because it is open. */
  needs(digest: Digest): boolean {
    const hex = hexOf(digest)
    return this.#needed.has(hex) || this.#layers.get(hex) === false
  }

  /** Whether somebody has a file of `cache/trees/` open. */
  isOpen(name: string): boolean {
    return !this.#free(join(this.#layout.treeCache, name), () => {})
  }

  #look(name: string): void {
    if (this.isOpen(name)) this.#need(join(this.#layout.treeCache, name))
  }

  /** Does something with a file while nobody else has it open; answers `false` if somebody has. */
  #free(path: string, then: () => void): boolean {
    const { fs } = this.#disk
    let fd: number | undefined
    try {
      if (isIndex(path.slice(path.lastIndexOf('/') + 1))) fd = fs.openSync(path, O_RDONLY | O_NONBLOCK)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return true
      if (!['EACCES', 'EPERM', 'ELOOP', 'ENXIO'].includes(codeOf(error) ?? '')) throw error
    }
    try {
      const lock = fd === undefined ? undefined : this.#lock(fd)
      if (lock === 'held') return false
      try {
        then()
      } finally {
        lock?.release()
      }
      return true
    } finally {
      if (fd !== undefined) fs.closeSync(fd)
    }
  }

  #lock(fd: number) {
    try {
      return this.#disk.lockOpen(fd) ?? 'held'
    } catch (error) {
      // NFS wants a file that is open for writing; where there are no locks nobody holds any.
      if (!lockless.includes(codeOf(error) ?? '')) throw error
      return undefined
    }
  }

  /** Notes what an open tree is over. */
  #need(path: string): void {
    let bytes: FileBytes | undefined
    try {
      bytes = fileBytes(this.#disk, path)
      for (const { diffId } of Index.open(bytes).devices) this.#needed.add(hexOf(diffId))
    } catch (error) {
      // A damaged one says what it serves no more, and is removed by whoever notices.
      if (!['PLY_BAD_INDEX', 'ENOENT', 'EISDIR'].includes(codeOf(error) ?? '')) throw error
    } finally {
      bytes?.close()
    }
  }

  #stays(path: string): void {
    this.open.push(path.slice(this.#layout.root.length + 1))
  }
}
