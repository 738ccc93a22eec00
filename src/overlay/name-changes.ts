import { type ByteString, bytesOf } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { storing } from './build-inode.ts'
import { type Marks, yes } from './marks.ts'
import type { OverlayNode, Place } from './overlay-node.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import type { UpperDisk } from './upper-disk.ts'
import type { WorkArea } from './work-area.ts'

export interface Move {
  readonly leave: 'nothing' | 'whiteout'
  readonly redirect?: ByteString
  readonly opaque?: boolean
}

export interface NameSurroundings {
  readonly files: UpperDisk
  readonly nodes: OverlayNodes
  readonly marks: Marks
  readonly work: WorkArea
  /** Makes an empty opaque directory, the same otherwise, in the work directory. */
  readonly emptied: (directory: OverlayNode) => ByteString
}

/**
 * Names of an upper in overlayfs's form: each change is one call of the kernel that has happened or has not. What has to
 * be marked is marked before, where the mark says nothing new.
 */
export class NameChanges {
  readonly #files: UpperDisk
  readonly #nodes: OverlayNodes
  readonly #marks: Marks
  readonly #work: WorkArea
  readonly #emptied: (directory: OverlayNode) => ByteString

  constructor({ files, nodes, marks, work, emptied }: NameSurroundings) {
    this.#files = files
    this.#nodes = nodes
    this.#marks = marks
    this.#work = work
    this.#emptied = emptied
  }

  /** Puts what was built in the work directory into its place, over nothing or a whiteout. */
  install(temp: ByteString, to: Place, isDirectory: boolean): void {
    const path = this.#nodes.pathAt(to.directory, to.name)
    try {
      if (isDirectory && this.#nodes.entries(to.directory).has(to.name)) {
        // A directory does not go over a device: they change places.
        this.#files.exchange(temp, path)
        this.#files.unlink(temp)
      } else this.#files.rename(temp, path)
    } catch (error) {
      this.#work.discard(temp)
      throw error
    }
  }

  link(node: OverlayNode, to: Place): void {
    if (node.origin) this.makeImpure(to.directory)
    const path = this.#nodes.path(node)
    const newPath = this.#nodes.pathAt(to.directory, to.name)
    if (this.#nodes.entries(to.directory).has(to.name)) {
      const temp = this.#work.fresh()
      this.#files.link(path, temp)
      this.#files.rename(temp, newPath)
    } else this.#files.link(path, newPath)
    this.#nodes.place(to.directory, to.name, node)
  }

  /** Takes a name away; what is left is nothing or a whiteout. @throws ENOENT, ENOTEMPTY */
  take({ directory, name }: Place, leave: Move['leave']): void {
    const entries = this.#nodes.entries(directory)
    const node = entries.get(name)
    const leaveWhiteout = leave === 'whiteout'
    if (!node && leaveWhiteout && entries.has(name)) return
    if (!leaveWhiteout && !entries.has(name)) throw new PlyError('ENOENT', { syscall: 'unlink' })
    const isDirectory = node?.kind === 'directory'
    if (isDirectory) this.#onlyWhiteouts(node)
    this.#nodes.settle(node)
    const path = this.#nodes.pathAt(directory, name)
    const temp = this.#work.fresh()
    if (!leaveWhiteout) {
      if (isDirectory) this.#files.rename(path, temp)
      else this.#files.unlink(path)
      this.#nodes.remove(directory, name)
    } else {
      if (!node) this.#work.makeWhiteout(path)
      else {
        this.#work.makeWhiteout(temp)
        if (isDirectory) this.#files.exchange(temp, path)
        else this.#files.rename(temp, path)
      }
      this.#nodes.place(directory, name, undefined)
    }
    if (isDirectory) this.#work.discard(temp)
  }

  rename(from: Place, to: Place, move: Move): void {
    const node = this.#nodes.entries(from.directory).get(from.name)
    if (!node) throw new PlyError('ENOENT', { syscall: 'rename' })
    const targets = this.#nodes.entries(to.directory)
    const target = targets.get(to.name)
    if (target === node) {
      if (from.directory !== to.directory || from.name !== to.name) this.take(from, move.leave)
      return
    }
    const isDirectory = node.kind === 'directory'
    this.#checkTarget(isDirectory, target)
    if (isDirectory && isWithin(to.directory, node)) throw new PlyError('EINVAL', { syscall: 'rename' })
    const path = this.#nodes.pathAt(from.directory, from.name)
    const newPath = this.#nodes.pathAt(to.directory, to.name)
    this.#nodes.settle(target)
    if (target?.kind === 'directory') this.#clear(target, newPath)
    if (isDirectory) this.#markMoved(node, path, move)
    if (node.origin) this.makeImpure(to.directory)
    const leaveWhiteout = move.leave === 'whiteout'
    if (isDirectory && !target && targets.has(to.name)) {
      this.#files.exchange(path, newPath)
      if (!leaveWhiteout) this.#files.unlink(path)
    } else if (leaveWhiteout) this.#files.renameLeavingWhiteout(path, newPath)
    else this.#files.rename(path, newPath)
    if (isDirectory && move.redirect === undefined && node.redirect !== undefined) {
      // After it: until here the redirect named the place that the directory has now.
      this.#files.removeXattr(newPath, this.#marks.redirect)
      node.redirect = undefined
    }
    this.#nodes.move(node, from, to, leaveWhiteout)
  }

  /** The kernel looks at the origins of what is in a directory only if it has this mark. */
  makeImpure(directory: OverlayNode): void {
    if (directory.impure) return
    storing(() => this.#files.setXattr(this.#nodes.path(directory), this.#marks.impure, yes))
    directory.impure = true
  }

  #checkTarget(isDirectory: boolean, target: OverlayNode | undefined): void {
    if (!target) return
    const ontoDirectory = target.kind === 'directory'
    if (ontoDirectory && !isDirectory) throw new PlyError('EISDIR', { syscall: 'rename' })
    if (!ontoDirectory && isDirectory) throw new PlyError('ENOTDIR', { syscall: 'rename' })
    if (ontoDirectory) this.#onlyWhiteouts(target)
  }

  /** Puts an empty opaque directory in place of one that holds only whiteouts: it shows the same. */
  #clear(directory: OverlayNode, path: ByteString): void {
    const entries = this.#nodes.entries(directory)
    if (entries.size === 0) return
    const temp = this.#emptied(directory)
    this.#files.exchange(temp, path)
    this.#work.discard(temp)
    entries.clear()
    directory.opaque = true
  }

  #onlyWhiteouts(directory: OverlayNode): void {
    for (const node of this.#nodes.entries(directory).values()) {
      if (node) throw new PlyError('ENOTEMPTY', { syscall: 'rmdir' })
    }
  }

  /** Before it moves: at the old name both marks say what is so anyway. */
  #markMoved(node: OverlayNode, path: ByteString, { redirect, opaque }: Move): void {
    if (opaque && !node.opaque) {
      storing(() => this.#files.setXattr(path, this.#marks.opaque, yes))
      node.opaque = true
    }
    if (redirect === undefined) return
    storing(() => this.#files.setXattr(path, this.#marks.redirect, bytesOf(`/${redirect}`)))
    node.redirect = redirect
  }
}

function isWithin(directory: OverlayNode, above: OverlayNode): boolean {
  for (let at: OverlayNode | undefined = directory; at; at = at.places[0]?.directory) if (at === above) return true
  return false
}
