import type { BigIntStats } from 'node:fs'
import type { ByteString } from '../model/bytes.ts'
import type { OverlayNode } from './overlay-node.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import { identityOf } from './real-stat.ts'
import type { UpperDisk } from './upper-disk.ts'
import type { WorkArea } from './work-area.ts'

/**
 * Notes of what is about to be done to an inode, for the next opening if this process dies. Each is a symlink in the work directory,
 * where the kernel leaves it alone when it mounts: it is there as a whole or not at all. Its target is which real inode it is about, a
 * slash, and text.
 */
export class Notes {
  readonly #files: UpperDisk
  readonly #nodes: OverlayNodes
  readonly #work: WorkArea
  /** What their paths begin with. */
  readonly #directory: ByteString
  readonly #prefix: ByteString
  #count = 0

  constructor(files: UpperDisk, nodes: OverlayNodes, work: WorkArea, workDir: ByteString, prefix: ByteString) {
    this.#files = files
    this.#nodes = nodes
    this.#work = work
    this.#directory = workDir
    this.#prefix = prefix
  }

  /** Answers with the path of the note. @throws what the disk says */
  write(about: BigIntStats, text: ByteString): ByteString {
    const note = `${this.#directory}/${this.#prefix}${(this.#count++).toString(16)}`
    this.#files.symlink(`${identityOf(about)}/${text}`, note)
    return note
  }

  /** Removes a note; where that fails it stays for the next opening. */
  clear(note: ByteString): void {
    this.#work.clear(note)
  }

  /**
   * Hands over what a process left that died, or could not remove, and removes each note after that. `which` are the nodes that it may be
   * about; `undefined`: it is there no more. @throws what the disk says
   */
  sweep(which: (node: OverlayNode) => boolean, act: (node: OverlayNode | undefined, text: ByteString) => void): void {
    for (const name of this.#files.names(this.#directory)) {
      if (!name.startsWith(this.#prefix)) continue
      const note = `${this.#directory}/${name}`
      const noted = this.#files.readlink(note)
      const slash = noted.indexOf('/')
      act(this.#find(noted.slice(0, slash), which), noted.slice(slash + 1))
      this.#files.unlink(note)
    }
  }

  #find(identity: ByteString, which: (node: OverlayNode) => boolean): OverlayNode | undefined {
    for (const node of this.#nodes.all()) {
      if (!which(node) || !identity.startsWith(`${node.real.toString(16)}-`)) continue
      if (identityOf(this.#files.lstatExact(this.#nodes.paths.of(node))) === identity) return node
    }
    return undefined
  }
}
