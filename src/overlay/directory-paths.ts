import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { OverlayNode } from './overlay-node.ts'
import type { UpperDisk } from './upper-disk.ts'

/** The kernel takes 4095 bytes in one call, and walks each component of them. */
const longestPath = 3000
/** How far below an open directory paths go on by name: what is deeper gets a descriptor of its own. */
const longestWalk = 32
/** Descriptors that are kept. One call uses fewer than ten, the ones used last. */
const anchorsAtMost = 64

/**
 * Paths of what is in an upper directory, for trees of any depth: far from the root they start at a directory that is kept open, so
 * that a path costs the same at every depth.
 */
export class DirectoryPaths {
  readonly #disk: UpperDisk
  readonly #root: OverlayNode
  readonly #upperDir: ByteString
  /** Directories that are open, with their descriptors; the one used last comes last. */
  readonly #anchors = new Map<OverlayNode, number>()

  constructor(disk: UpperDisk, root: OverlayNode, upperDir: ByteString) {
    this.#disk = disk
    this.#root = root
    this.#upperDir = upperDir
  }

  /** A path of an inode, for calls that do not follow it. @throws ENOENT if it has no name. */
  of(node: OverlayNode): ByteString {
    const place = node.places[0]
    if (place) return this.at(place.directory, place.name)
    if (node === this.#root) return this.#upperDir
    if (node.index !== undefined) return node.index
    throw new PlyError('ENOENT', { syscall: 'open' })
  }

  at(directory: OverlayNode, name: ByteString): ByteString {
    return `${this.directory(directory)}/${name}`
  }

  /** A directory, for paths that go on in it. */
  directory(directory: OverlayNode): ByteString {
    const { from, names, length } = this.#climb(directory)
    if (names.length <= longestWalk && length <= longestPath) return joined(from, names, names.length)
    return descriptorPath(this.#keep(directory, this.#open(from, names)))
  }

  /** A directory that is gone, or goes: it is no start of paths any more. */
  release(directory: OverlayNode): void {
    const fd = this.#anchors.get(directory)
    if (fd === undefined) return
    this.#anchors.delete(directory)
    this.#disk.closeDirectory(fd)
  }

  close(): void {
    for (const fd of this.#anchors.values()) this.#disk.closeDirectory(fd)
    this.#anchors.clear()
  }

  /** The way from the nearest open directory (or the root): the names in reverse, and how many bytes they are. */
  #climb(directory: OverlayNode): {
    readonly from: ByteString
    readonly names: readonly ByteString[]
    readonly length: number
  } {
    const names: ByteString[] = []
    let length = 0
    for (let at = directory; at !== this.#root; ) {
      const fd = this.#anchors.get(at)
      if (fd !== undefined) {
        this.#anchors.delete(at)
        this.#anchors.set(at, fd)
        return { from: descriptorPath(fd), names, length }
      }
      const place = at.places[0]
      if (!place) throw new PlyError('ENOENT', { syscall: 'open' })
      names.push(place.name)
      length += place.name.length + 1
      at = place.directory
    }
    return { from: this.#upperDir, names, length: length + this.#upperDir.length }
  }

  /** Opens the directory at the end of a way, in as many steps as the kernel needs. */
  #open(from: ByteString, names: readonly ByteString[]): number {
    let at = from
    let opened: number | undefined
    for (let left = names.length; left > 0 || opened === undefined; ) {
      let steps = 0
      for (let length = at.length; steps < left && length <= longestPath; steps++)
        length += names[left - 1 - steps]!.length + 1
      const before = opened
      try {
        opened = this.#disk.openDirectory(joined(at, names.slice(left - steps, left), steps))
      } finally {
        if (before !== undefined) this.#disk.closeDirectory(before)
      }
      left -= steps
      at = descriptorPath(opened)
    }
    return opened
  }

  #keep(directory: OverlayNode, fd: number): number {
    if (this.#anchors.size >= anchorsAtMost) {
      const [oldest] = this.#anchors.keys()
      if (oldest) this.release(oldest)
    }
    this.#anchors.set(directory, fd)
    return fd
  }
}

function descriptorPath(fd: number): ByteString {
  return `/proc/self/fd/${fd}`
}

/** A path with names that are given in reverse. */
function joined(from: ByteString, names: readonly ByteString[], count: number): ByteString {
  let path = from
  for (let i = count - 1; i >= 0; i--) path += `/${names[i]}`
  return path
}
