import type { ByteString } from '../model/bytes.ts'
import { Notes } from './notes.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import type { UpperDisk } from './upper-disk.ts'
import type { WorkArea } from './work-area.ts'

/**
 * Copies of attributes that are getting their content. The disk gives a file that is written to the present time, so the one that it
 * had, in nanoseconds, is noted before: if the process dies, the next opening gives it back.
 */
export class UnfinishedContents {
  readonly #files: UpperDisk
  readonly #nodes: OverlayNodes
  readonly #notes: Notes

  constructor(files: UpperDisk, nodes: OverlayNodes, work: WorkArea, workDir: ByteString) {
    this.#files = files
    this.#nodes = nodes
    this.#notes = new Notes(files, nodes, work, workDir, 'unfinished-')
  }

  /** To be called before content is written to a copy of attributes at a path; answers with the note. @throws what the disk says */
  begin(path: ByteString): ByteString {
    const real = this.#files.lstatExact(path)
    return this.#notes.write(real, String(real.mtimeNs))
  }

  /** To be called when the file has its time again. */
  end(note: ByteString): void {
    this.#notes.clear(note)
  }

  /** Gives files back the times that a process took from them that died. @throws what the disk says */
  sweep(): void {
    this.#notes.sweep(
      (node) => node.metacopy,
      (node, time) => {
        const path = node && this.#nodes.paths.of(node)
        // What somebody else has given a time since has another one than that of its last change.
        if (path !== undefined && this.#isAsWritten(path)) this.#files.setTimes(path, { mtime: BigInt(time) })
      },
    )
  }

  #isAsWritten(path: ByteString): boolean {
    const { mtimeNs, ctimeNs } = this.#files.lstatExact(path)
    return mtimeNs === ctimeNs
  }
}
