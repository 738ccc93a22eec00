import type { BigIntStats } from 'node:fs'
import type { ByteString } from '../model/bytes.ts'
import { Notes } from './notes.ts'
import type { OverlayNode, Place } from './overlay-node.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import type { UpperDisk } from './upper-disk.ts'
import type { WorkArea } from './work-area.ts'

/**
 * Whiteouts that hide nothing and are about to go. Where a directory is not merged the kernel lists such a one, so its directory and
 * name are noted before the change that leaves it there: if the process dies, the next opening removes it.
 */
export class StaleWhiteouts {
  readonly #files: UpperDisk
  readonly #nodes: OverlayNodes
  readonly #work: WorkArea
  readonly #notes: Notes

  constructor(files: UpperDisk, nodes: OverlayNodes, work: WorkArea, workDir: ByteString) {
    this.#files = files
    this.#nodes = nodes
    this.#work = work
    this.#notes = new Notes(files, nodes, work, workDir, 'stale-')
  }

  /** To be called before a whiteout is left at a place; answers with the note, which goes if that fails. */
  expect({ directory, name }: Place): ByteString {
    return this.#notes.write(this.#realOf(directory), name)
  }

  /** Removes the whiteout, and then the note of it. Answers whether it is gone: what left it there has happened all the same. */
  remove({ directory, name }: Place, note: ByteString): boolean {
    const isGone = this.#work.clear(this.#nodes.paths.at(directory, name))
    if (isGone) this.#notes.clear(note)
    return isGone
  }

  /** Removes what a process left that died, or could not remove. @throws what the disk says */
  sweep(): void {
    this.#notes.sweep(
      ({ kind }) => kind === 'directory',
      (directory, name) => {
        if (directory) this.#removeNoted(directory, name)
      },
    )
  }

  #removeNoted(directory: OverlayNode, name: ByteString): void {
    const entries = this.#nodes.entries(directory)
    if (entries.get(name) || !entries.has(name)) return
    const { mtimeNs } = this.#realOf(directory)
    this.#files.unlink(this.#nodes.paths.at(directory, name))
    this.#nodes.remove(directory, name)
    this.#files.setTimes(this.#nodes.paths.of(directory), { mtime: mtimeNs })
  }

  #realOf(directory: OverlayNode): BigIntStats {
    return this.#files.lstatExact(this.#nodes.paths.of(directory))
  }
}
