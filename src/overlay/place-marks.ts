import { type Marks, yes } from '../layer/overlay-marks.ts'
import { type ByteString, bytesOf } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Standing } from '../union/upper.ts'
import type { OverlayNode } from './overlay-node.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import { ifPossible, type RealFacts } from './real-facts.ts'
import type { UpperDisk } from './upper-disk.ts'

const holdsMarked = Buffer.from('x')

/** The marks that say where the lower part of an inode is, and what a directory holds: set before the change that needs them. */
export class PlaceMarks {
  readonly #files: UpperDisk
  readonly #nodes: OverlayNodes
  readonly #marks: Marks
  readonly #facts: RealFacts

  constructor(files: UpperDisk, nodes: OverlayNodes, marks: Marks, facts: RealFacts) {
    this.#files = files
    this.#nodes = nodes
    this.#marks = marks
    this.#facts = facts
  }

  /** The kernel looks at the origins of what is in a directory only if it has this mark. */
  impure(directory: OverlayNode): void {
    if (directory.impure) return
    this.#nodes.onTouch(directory)
    this.#facts.setMark(directory, this.#nodes.paths.of(directory), this.#marks.impure, yes)
    directory.impure = true
  }

  /** The kernel takes marked files for whiteouts when it lists a directory only if that one has its mark too. */
  admitMarked(directory: OverlayNode): void {
    if (directory.opaque || directory.holdsMarked) return
    this.#nodes.onTouch(directory)
    this.#facts.setMark(directory, this.#nodes.paths.of(directory), this.#marks.opaque, holdsMarked)
    directory.holdsMarked = true
  }

  /** Before it moves: at the old name the marks say what is so anyway. */
  moved(node: OverlayNode, path: ByteString, to: OverlayNode, { redirect, opaque }: Standing): void {
    if (node.origin) this.impure(to)
    if (node.kind !== 'directory') {
      this.metacopy(node, path)
      return
    }
    if (opaque && !node.opaque) {
      this.#facts.setMark(node, path, this.#marks.opaque, yes)
      node.opaque = true
    }
    if (redirect !== undefined) this.#redirect(node, path, redirect)
  }

  /**
   * The kernel looks for the content of a metacopy at its name, unless it is told where else.
   *
   * @throws EIO where nothing says where that is: nobody would find it any more.
   */
  metacopy(node: OverlayNode, path: ByteString): void {
    if (!node.metacopy || (node.redirect !== undefined && !node.relative)) return
    const lower = this.#nodes.lowerPath(node)
    if (lower === undefined) throw new PlyError('EIO', { syscall: 'setxattr' })
    this.#redirect(node, path, lower)
  }

  #redirect(node: OverlayNode, path: ByteString, to: ByteString): void {
    this.#facts.setMark(node, path, this.#marks.redirect, bytesOf(`/${to}`))
    node.redirect = to
    node.relative = false
  }

  /** After it: until here the redirect named the place that the directory has now. Where it cannot be removed, it still does. */
  settled(node: OverlayNode, path: ByteString, { redirect }: Standing): void {
    if (node.kind !== 'directory' || redirect !== undefined || node.redirect === undefined) return
    if (ifPossible(() => this.#files.removeXattr(path, this.#marks.redirect))) node.redirect = undefined
  }
}
