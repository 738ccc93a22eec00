import type { ByteString } from '../model/bytes.ts'
import type { OverlayNode } from './overlay-node.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import { identityOf } from './real-stat.ts'
import type { UpperDisk } from './upper-disk.ts'
import type { WorkArea } from './work-area.ts'

/** What begins the names of notes in the work directory, which the kernel leaves alone when it mounts. */
const prefix = 'unfinished-'

/**
 * Copies of attributes that are getting their content. The disk gives a file that is written to the present time, so the one that it
 * had is written down before: if the process dies, the next opening gives it back. A note is a symlink, which is there as a
 * whole or not at all; its target is which real file it is, a slash, and the time in nanoseconds.
 */
export class UnfinishedContents {
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

  /** To be called before content is written to a copy of attributes at a path; answers with the note. @throws what the disk says */
  begin(path: ByteString): ByteString {
    const real = this.#files.lstatExact(path)
    const note = `${this.#workDir}/${prefix}${(this.#notes++).toString(16)}`
    this.#files.symlink(`${identityOf(real)}/${real.mtimeNs}`, note)
    return note
  }

  /** To be called when the file has its time again. */
  end(note: ByteString): void {
    this.#work.clear(note)
  }

  /** Gives files back the times that a process took from them that died. @throws what the disk says */
  sweep(): void {
    for (const name of this.#files.names(this.#workDir)) {
      if (!name.startsWith(prefix)) continue
      const note = `${this.#workDir}/${name}`
      const [identity = '', time = ''] = this.#files.readlink(note).split('/')
      const path = this.#find(identity)
      // What somebody else has given a time since has another one than that of its last change.
      if (path !== undefined && this.#isAsWritten(path)) this.#files.setTimes(path, { mtime: BigInt(time) })
      this.#files.unlink(note)
    }
  }

  #find(identity: ByteString): ByteString | undefined {
    for (const node of this.#nodes.all()) {
      if (!node.metacopy || !identity.startsWith(`${node.real.toString(16)}-`)) continue
      const path = this.#pathOf(node)
      if (identityOf(this.#files.lstatExact(path)) === identity) return path
    }
    return undefined
  }

  #isAsWritten(path: ByteString): boolean {
    const { mtimeNs, ctimeNs } = this.#files.lstatExact(path)
    return mtimeNs === ctimeNs
  }

  #pathOf(node: OverlayNode): ByteString {
    return this.#nodes.paths.of(node)
  }
}
