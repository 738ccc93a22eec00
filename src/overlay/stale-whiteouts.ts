import type { BigIntStats } from 'node:fs'
import type { ByteString } from '../model/bytes.ts'
import type { OverlayNode, Place } from './overlay-node.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import { identityOf } from './real-stat.ts'
import type { UpperDisk } from './upper-disk.ts'
import type { WorkArea } from './work-area.ts'

/** What begins the names of notes in the work directory, which the kernel leaves alone when it mounts. */
const prefix = 'stale-'

/**
 * Whiteouts that hide nothing and are about to go. Where a directory is not merged the kernel lists such a one, so where it will be is
 * written down before the change that leaves it there: if the process dies, the next opening removes it. A note is a symlink, which
 * is there as a whole or not at all; its target is which real directory it is, a slash, and the name.
 */
export class StaleWhiteouts {
  readonly #files: UpperDisk
  readonly #nodes: OverlayNodes
  readonly #work: WorkArea
  readonly #workDir: ByteString
  #notes = 0

  constructor(files: UpperDisk, nodes: OverlayNodes, work: WorkArea, workDir: ByteString) {
    this.#files = files
    this.#nodes = nodes
    this.#work = work
    this.#workDir = workDir
  }

  /** To be called before a whiteout is left at a place; answers with the note, which goes if that fails. */
  expect({ directory, name }: Place): ByteString {
    const note = `${this.#workDir}/${prefix}${(this.#notes++).toString(16)}`
    this.#files.symlink(`${identityOf(this.#realOf(directory))}/${name}`, note)
    return note
  }

  /** Removes the whiteout, and then the note of it. Answers whether it is gone: what left it there has happened all the same. */
  remove({ directory, name }: Place, note: ByteString): boolean {
    const isGone = this.#work.clear(this.#nodes.paths.at(directory, name))
    if (isGone) this.#work.clear(note)
    return isGone
  }

  /** Removes what a process left that died, or could not remove. @throws what the disk says */
  sweep(): void {
    for (const name of this.#files.names(this.#workDir)) {
      if (!name.startsWith(prefix)) continue
      const note = `${this.#workDir}/${name}`
      this.#removeNoted(this.#files.readlink(note))
      this.#files.unlink(note)
    }
  }

  #removeNoted(noted: ByteString): void {
    const at = noted.indexOf('/')
    const directory = this.#find(noted.slice(0, at))
    if (!directory) return
    const name = noted.slice(at + 1)
    const entries = this.#nodes.entries(directory)
    if (entries.get(name) || !entries.has(name)) return
    const { mtimeNs } = this.#realOf(directory)
    this.#files.unlink(this.#nodes.paths.at(directory, name))
    this.#nodes.remove(directory, name)
    this.#files.setTimes(this.#nodes.paths.of(directory), { mtime: mtimeNs })
  }

  #find(identity: ByteString): OverlayNode | undefined {
    for (const node of this.#nodes.all()) {
      if (node.kind === 'directory' && identity.startsWith(`${node.real.toString(16)}-`) && this.#is(node, identity))
        return node
    }
    return undefined
  }

  #is(directory: OverlayNode, identity: ByteString): boolean {
    return identityOf(this.#realOf(directory)) === identity
  }

  #realOf(directory: OverlayNode): BigIntStats {
    return this.#files.lstatExact(this.#nodes.paths.of(directory))
  }
}
