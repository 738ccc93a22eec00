import type { ByteString } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Standing } from '../union/upper.ts'
import type { OverlayNode, Place } from './overlay-node.ts'
import type { OverlayNodes } from './overlay-nodes.ts'
import type { PlaceMarks } from './place-marks.ts'
import type { StaleWhiteouts } from './stale-whiteouts.ts'
import type { UpperDisk } from './upper-disk.ts'
import type { WorkArea } from './work-area.ts'

export interface Move extends Standing {
  readonly leave: 'nothing' | 'whiteout'
}

export interface NameSurroundings {
  readonly files: UpperDisk
  readonly nodes: OverlayNodes
  readonly placeMarks: PlaceMarks
  readonly work: WorkArea
  readonly staleWhiteouts: StaleWhiteouts
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
  readonly #placeMarks: PlaceMarks
  readonly #work: WorkArea
  readonly #staleWhiteouts: StaleWhiteouts
  readonly #emptied: (directory: OverlayNode) => ByteString

  constructor({ files, nodes, placeMarks, work, staleWhiteouts, emptied }: NameSurroundings) {
    this.#files = files
    this.#nodes = nodes
    this.#placeMarks = placeMarks
    this.#work = work
    this.#staleWhiteouts = staleWhiteouts
    this.#emptied = emptied
  }

  /** Puts what was built in the work directory into its place, over nothing or a whiteout. What fails is the caller's to discard. */
  install(temp: ByteString, to: Place, isDirectory: boolean): void {
    const path = this.#nodes.paths.at(to.directory, to.name)
    if (isDirectory && this.#nodes.entries(to.directory).has(to.name)) {
      // A directory does not go over a device: they change places.
      this.#files.exchange(temp, path)
      this.#work.clear(temp)
    } else this.#files.rename(temp, path)
  }

  link(node: OverlayNode, to: Place): void {
    if (node.origin) this.#placeMarks.impure(to.directory)
    // One that only the index has shown yet: its names say where the content is.
    if (node.metacopy && node.places.length === 0) this.#nodes.settle(node)
    const path = this.#nodes.paths.of(node)
    const newPath = this.#nodes.paths.at(to.directory, to.name)
    this.#placeMarks.metacopy(node, path)
    if (this.#nodes.entries(to.directory).has(to.name)) {
      const temp = this.#work.fresh()
      this.#files.link(path, temp)
      this.#orClear([temp], () => this.#files.rename(temp, newPath))
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
    const path = this.#nodes.paths.at(directory, name)
    const held = this.#hold(node, path)
    if (!leaveWhiteout && !isDirectory) {
      this.#orClear([held], () => this.#files.unlink(path))
      this.#nodes.remove(directory, name)
      if (held !== undefined) this.#work.clear(held)
      return
    }
    const temp = this.#work.fresh()
    this.#orClear([temp, held], () => {
      if (leaveWhiteout) this.#makeWhiteout(temp, directory)
      if (leaveWhiteout && isDirectory) this.#files.exchange(temp, path)
      else if (leaveWhiteout) this.#files.rename(temp, path)
      else this.#files.rename(path, temp)
    })
    if (leaveWhiteout) this.#nodes.place(directory, name, undefined)
    else this.#nodes.remove(directory, name)
    if (isDirectory) this.#work.clear(temp)
    if (held !== undefined) this.#work.clear(held)
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
    const path = this.#nodes.paths.at(from.directory, from.name)
    const newPath = this.#nodes.paths.at(to.directory, to.name)
    this.#nodes.settle(target)
    this.#placeMarks.moved(node, path, to.directory, move)
    const held = this.#hold(target, newPath)
    const leaveWhiteout = move.leave === 'whiteout'
    const ontoWhiteout = isDirectory && !target && targets.has(to.name)
    // The other one's whiteout comes to the old name: if it stays there, it hides nothing.
    const stale = ontoWhiteout && !leaveWhiteout ? this.#staleWhiteouts.expect(from) : undefined
    this.#orClear([held, stale], () => {
      if (ontoWhiteout) {
        if (leaveWhiteout && to.directory.holdsMarked) this.#placeMarks.admitMarked(from.directory)
        this.#files.exchange(path, newPath)
        return
      }
      const move = () => {
        if (leaveWhiteout) this.#moveLeavingWhiteout(from.directory, path, newPath)
        else this.#files.rename(path, newPath)
      }
      if (target?.kind === 'directory') this.#replacing(target, newPath, move)
      else move()
    })
    this.#nodes.move(node, from, to, leaveWhiteout)
    if (stale !== undefined && !this.#staleWhiteouts.remove(from, stale))
      this.#nodes.place(from.directory, from.name, undefined)
    this.#placeMarks.settled(node, newPath, move)
    if (held !== undefined) this.#work.clear(held)
  }

  /** `first` is where what then stands at the first name has its lower part. @throws ENOENT, EINVAL */
  exchange(one: Place, other: Place, { first, second }: { readonly first: Standing; readonly second: Standing }): void {
    const node = this.#nodes.entries(one.directory).get(one.name)
    const otherNode = this.#nodes.entries(other.directory).get(other.name)
    if (!node || !otherNode) throw new PlyError('ENOENT', { syscall: 'rename' })
    if (node === otherNode) return
    if (isWithin(other.directory, node) || isWithin(one.directory, otherNode))
      throw new PlyError('EINVAL', { syscall: 'rename' })
    const path = this.#nodes.paths.at(one.directory, one.name)
    const otherPath = this.#nodes.paths.at(other.directory, other.name)
    this.#placeMarks.moved(node, path, other.directory, second)
    this.#placeMarks.moved(otherNode, otherPath, one.directory, first)
    this.#files.exchange(path, otherPath)
    this.#nodes.exchange(one, other)
    this.#placeMarks.settled(node, otherPath, second)
    this.#placeMarks.settled(otherNode, path, first)
  }

  /** In one step where the disk can; without devices 0:0 in two, between which the new name has a whiteout or what moves already. */
  #moveLeavingWhiteout(directory: OverlayNode, path: ByteString, newPath: ByteString): void {
    if (!this.#work.marksWhiteouts) {
      try {
        this.#files.renameLeavingWhiteout(path, newPath)
        return
      } catch (error) {
        const code = codeOf(error)
        if (code !== 'EINVAL' && code !== 'EPERM') throw error
      }
    }
    const temp = this.#work.fresh()
    this.#makeWhiteout(temp, directory)
    this.#orClear([temp], () => {
      if (!this.#files.exists(newPath)) this.#files.rename(temp, newPath)
      this.#files.exchange(path, newPath)
    })
    if (this.#files.exists(temp)) this.#files.rename(temp, path)
  }

  /** Makes a change; where it fails, takes away what was made for it. */
  #orClear(made: readonly (ByteString | undefined)[], change: () => void): void {
    try {
      change()
    } catch (error) {
      for (const path of made) if (path !== undefined) this.#work.clear(path)
      throw error
    }
  }

  #makeWhiteout(path: ByteString, directory: OverlayNode): void {
    this.#work.makeWhiteout(path)
    if (this.#work.marksWhiteouts) this.#placeMarks.admitMarked(directory)
  }

  /** One more link of what is about to lose its last name, so that its xattrs aside go after it and not before. */
  #hold(node: OverlayNode | undefined, path: ByteString): ByteString | undefined {
    if (node?.aside === undefined || node.places.length > 1) return undefined
    const held = this.#work.fresh()
    this.#files.link(path, held)
    return held
  }

  #checkTarget(isDirectory: boolean, target: OverlayNode | undefined): void {
    if (!target) return
    const ontoDirectory = target.kind === 'directory'
    if (ontoDirectory && !isDirectory) throw new PlyError('EISDIR', { syscall: 'rename' })
    if (!ontoDirectory && isDirectory) throw new PlyError('ENOTDIR', { syscall: 'rename' })
    if (ontoDirectory) this.#onlyWhiteouts(target)
  }

  /** Moves a directory onto one that holds only whiteouts: an empty opaque one, which shows the same, takes its place first. */
  #replacing(target: OverlayNode, newPath: ByteString, move: () => void): void {
    if (this.#nodes.entries(target).size === 0) {
      move()
      return
    }
    const temp = this.#emptied(target)
    this.#orClear([temp], () => {
      this.#files.exchange(temp, newPath)
      try {
        move()
      } catch (error) {
        this.#files.exchange(temp, newPath)
        throw error
      }
    })
    this.#work.clear(temp)
  }

  #onlyWhiteouts(directory: OverlayNode): void {
    for (const node of this.#nodes.entries(directory).values()) {
      if (node) throw new PlyError('ENOTEMPTY', { syscall: 'rmdir' })
    }
  }
}

function isWithin(directory: OverlayNode, above: OverlayNode): boolean {
  for (let at: OverlayNode | undefined = directory; at; at = at.places[0]?.directory) if (at === above) return true
  return false
}
