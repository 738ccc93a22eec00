import * as fs from 'node:fs'
import { type LayerView, nothing, type Placed, type Verdict, whiteout } from '../layer/view.ts'
import { type ByteString, compareBytes } from '../model/bytes.ts'
import type { Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Marks } from './marks.ts'
import { placed } from './overlay-node.ts'
import { OverlayNodes } from './overlay-nodes.ts'
import { RealContent } from './real-content.ts'
import { statOf } from './real-stat.ts'
import { UpperDisk } from './upper-disk.ts'

export interface OverlayPlace {
  /** Byte strings. */
  readonly upperDir: ByteString
  readonly workDir: ByteString
  readonly marks: Marks
  /** Of the index of the lower tree. */
  readonly uuid: Uint8Array
}

/** What an upper in overlayfs's form says: reading it. */
export class OverlayView implements LayerView {
  protected readonly files = new UpperDisk()
  protected readonly marks: Marks
  protected readonly nodes: OverlayNodes
  /** Neither we nor the kernel have been here: the work directory is as empty as the upper. */
  protected readonly fresh: boolean
  protected rootImplied: boolean

  constructor({ upperDir, workDir, marks, uuid }: OverlayPlace) {
    this.marks = marks
    this.fresh = !this.files.exists(`${workDir}/work`) && this.files.names(upperDir).length === 0
    this.rootImplied = this.fresh || this.files.xattr(upperDir, marks.implied) !== undefined
    this.nodes = new OverlayNodes(this.files, { marks, uuid, upperDir })
    this.nodes.readIndex(`${workDir}/index`)
  }

  get root(): Placed {
    const { ino, opaque } = this.nodes.root
    return { says: 'entry', ino, directory: true, implied: this.rootImplied, opaque }
  }

  lookup(directory: number, name: ByteString): Verdict {
    const entries = this.nodes.entries(this.nodes.at(directory))
    const node = entries.get(name)
    if (node) return placed(node)
    return entries.has(name) ? whiteout : nothing
  }

  *list(directory: number): Generator<{ readonly name: ByteString; readonly verdict: Verdict }> {
    const entries = [...this.nodes.entries(this.nodes.at(directory))].sort(([a], [b]) => compareBytes(a, b))
    for (const [name, node] of entries) yield { name, verdict: node ? placed(node) : whiteout }
  }

  stat(ino: number): Stat {
    const node = this.nodes.at(ino)
    return statOf(ino, this.files.lstatExact(this.nodes.path(node)), node.index !== undefined)
  }

  readlink(ino: number): ByteString {
    const node = this.nodes.at(ino)
    if (node.kind !== 'symlink') throw new PlyError('EINVAL', { syscall: 'readlink' })
    return this.files.readlink(this.nodes.path(node))
  }

  xattrs(ino: number): Xattrs {
    const path = this.nodes.path(this.nodes.at(ino))
    const found = new Map<ByteString, Uint8Array>()
    for (const stored of this.files.xattrNames(path)) {
      const name = this.marks.shown(stored)
      const value = name === undefined ? undefined : this.files.xattr(path, stored)
      if (name !== undefined && value !== undefined) found.set(name, value)
    }
    return found
  }

  open(ino: number): Bytes {
    return new RealContent(this.files.open(this.contentPath(ino), fs.constants.O_RDONLY))
  }

  has(ino: number): boolean {
    return this.nodes.find(ino) !== undefined
  }

  hasContent(ino: number): boolean {
    const node = this.nodes.find(ino)
    return node?.kind === 'file' && !node.metacopy
  }

  close(): void {
    this.nodes.close()
  }

  protected contentPath(ino: number): ByteString {
    const node = this.nodes.at(ino)
    if (node.kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
    if (node.kind !== 'file' || node.metacopy) throw new PlyError('EINVAL', { syscall: 'open' })
    return this.nodes.path(node)
  }
}
