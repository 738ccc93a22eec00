import * as fs from 'node:fs'
import type { Marks } from '../layer/overlay-marks.ts'
import { type LayerView, nothing, type Placed, type Verdict, whiteout } from '../layer/view.ts'
import { type ByteString, compareBytes } from '../model/bytes.ts'
import { type Kind, noXattrs, type Stat, type Xattrs } from '../model/entry.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import type { ExactStat } from '../sys/exact-stat.ts'
import { defaultAcl } from '../union/acl.ts'
import type { ContentPlace } from '../union/upper.ts'
import { Asides } from './asides.ts'
import type { FrozenBelow } from './frozen-below.ts'
import { NodeReader } from './node-reader.ts'
import { type OverlayNode, placed } from './overlay-node.ts'
import { OverlayNodes } from './overlay-nodes.ts'
import { RealContent } from './real-content.ts'
import { RealFacts } from './real-facts.ts'
import { Remembered } from './remembered.ts'
import { RootlessFacts } from './rootless-facts.ts'
import { UpperDisk } from './upper-disk.ts'

const setGroup = 0o2000

export interface OverlayPlace {
  /** Byte strings. */
  readonly upperDir: ByteString
  readonly workDir: ByteString
  readonly marks: Marks
  /** Of the index of the lower tree. */
  readonly uuid: Uint8Array
  /** Inodes made here are numbered from here: what is below has other numbers. */
  readonly firstOwn: number
  readonly frozen: FrozenBelow
  readonly disk: Disk
  /** The directory of what is kept of files in blocks, as text. */
  readonly extents: string
  /** Bytes: from here on lower files are kept so. */
  readonly blocksFrom: number
}

/** What an upper in overlayfs's form says: reading it. */
export class OverlayView implements LayerView {
  protected readonly files = new UpperDisk()
  protected readonly disk: Disk
  protected readonly marks: Marks
  protected readonly nodes: OverlayNodes
  protected readonly facts: RealFacts
  /** Rootless: where xattrs are that inodes cannot carry. */
  protected readonly asides: Asides | undefined
  /** Neither we nor the kernel have been here: the work directory is as empty as the upper. */
  protected readonly fresh: boolean
  protected rootImplied: boolean
  /** Whether nobody else changes what is here: then the disk is asked again after changes alone. */
  protected remembers = false
  readonly #stats = new Remembered<Stat>()
  readonly #xattrs = new Remembered<Xattrs>()
  readonly #plain = new Remembered<boolean>()
  readonly #times = new Remembered<bigint>()
  /** Whether new files get xattrs from the system; known when one was made. */
  #labels: boolean | undefined

  constructor({ upperDir, workDir, marks, uuid, firstOwn, frozen, disk }: OverlayPlace) {
    this.disk = disk
    this.marks = marks
    this.asides = marks.override === undefined ? undefined : new Asides(this.files, workDir)
    this.facts = this.asides ? new RootlessFacts(this.files, marks, this.asides) : new RealFacts(this.files, marks)
    this.fresh = !this.files.exists(`${workDir}/work`) && this.files.names(upperDir).length === 0
    this.rootImplied = this.fresh || this.files.xattr(upperDir, marks.implied) !== undefined
    const reader = new NodeReader(this.files, { marks, uuid, firstOwn, frozen, asides: this.asides })
    this.nodes = new OverlayNodes(this.files, reader, { upperDir, index: `${workDir}/index` })
    this.nodes.onTouch = ({ ino }) => {
      this.#stats.forget(ino)
      this.#times.forget(ino)
    }
    this.nodes.linksOf = ({ ino }) => this.stat(ino).links
  }

  get root(): Placed {
    const { ino, opaque } = this.nodes.root
    return { says: 'entry', ino, kind: 'directory', directory: true, implied: this.rootImplied, opaque }
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
    const known = this.#stats.get(ino)
    if (known) return known
    const node = this.nodes.at(ino)
    const stat = this.facts.stat(node, this.files.exactStat(this.nodes.paths.of(node)))
    if (this.remembers) this.#stats.set(ino, stat)
    return stat
  }

  kind(ino: number): Kind {
    return this.nodes.at(ino).kind
  }

  readlink(ino: number): ByteString {
    const node = this.nodes.at(ino)
    if (node.kind !== 'symlink') throw new PlyError('EINVAL', { syscall: 'readlink' })
    const path = this.nodes.paths.of(node)
    // A tool that cannot make symlinks keeps the target as content.
    return node.realKind === 'symlink' ? this.files.readlink(path) : this.files.readAll(path)
  }

  xattrs(ino: number): Xattrs {
    const known = this.#xattrs.get(ino)
    if (known) return known
    const node = this.nodes.at(ino)
    const xattrs = this.facts.xattrs(node, this.nodes.paths.of(node))
    if (this.remembers) this.#xattrs.set(ino, xattrs)
    return xattrs
  }

  open(ino: number): Bytes {
    return new RealContent(this.disk, this.openContent(this.contentOf(ino), fs.constants.O_RDONLY))
  }

  has(ino: number): boolean {
    return this.nodes.find(ino) !== undefined
  }

  hasContent(ino: number): boolean {
    const node = this.nodes.find(ino)
    return node?.kind === 'file' && !node.metacopy
  }

  contentPlace(ino: number): ContentPlace | undefined {
    const node = this.nodes.find(ino)
    if (node?.redirect !== undefined) return { path: node.redirect }
    const place = node?.places[0]
    return place && { directory: place.directory.ino, name: place.name }
  }

  links(ino: number): number | undefined {
    const node = this.nodes.find(ino)
    return node?.isOwn ? node.places.length : undefined
  }

  /** The path of the real inode that stands for a number, if it has so many names here. */
  realPathOf(ino: number, names: number): ByteString | undefined {
    const node = this.nodes.find(ino)
    this.nodes.settle(node)
    if (!node || (node.kind !== 'directory' && node.places.length !== names)) return undefined
    return this.nodes.paths.of(node)
  }

  /** The number of a real inode, in an upper that does not change any more. */
  numberOfReal(real: number): number | undefined {
    return this.nodes.ofReal(real)?.ino
  }

  /** Asks something with the upper's directory open. */
  inDirectory<Answer>(ask: (fd: number) => Answer): Answer {
    const fd = this.files.openDirectory(this.nodes.paths.of(this.nodes.root))
    try {
      return ask(fd)
    } finally {
      this.files.closeDirectory(fd)
    }
  }

  /** Whether a new file gets nothing from the directory that it is made in: no group, no ACL. */
  protected readonly isPlain = ({ ino }: OverlayNode): boolean => {
    const known = this.#plain.get(ino)
    if (known !== undefined) return known
    const isPlain = (this.stat(ino).mode & setGroup) === 0 && !this.xattrs(ino).has(defaultAcl)
    if (this.remembers) this.#plain.set(ino, isPlain)
    return isPlain
  }

  /** To be called with a file that was made in a directory that is plain. */
  protected readonly made = (node: OverlayNode, real: ExactStat): void => {
    if (!this.remembers) return
    this.#stats.set(node.ino, this.facts.stat(node, real))
    this.madeBare(node.ino)
  }

  /** To be called with a file or directory that was made and given no xattrs but its marks. */
  protected madeBare(ino: number): void {
    if (!this.remembers) return
    // Where security modules label files the first one shows it.
    this.#labels ??= this.xattrs(ino).size > 0
    if (!this.#labels) this.#xattrs.set(ino, noXattrs)
  }

  /** The modify time of a directory. */
  protected timeOf(ino: number): bigint {
    return this.#times.get(ino) ?? this.stat(ino).mtime
  }

  /** To be called when a directory has just been given a modify time. Its change time is another one now. */
  protected gaveTime(ino: number, mtime: bigint): void {
    this.touched(ino)
    if (this.remembers) this.#times.set(ino, mtime)
  }

  /** What an inode is, if the disk need not be asked. */
  protected known(ino: number): Stat | undefined {
    return this.#stats.get(ino)
  }

  /** To be called when attributes or content of an inode have changed. Of names the nodes tell. */
  protected readonly touched = (ino: number): void => {
    this.#stats.forget(ino)
    this.#plain.forget(ino)
    this.#times.forget(ino)
  }

  /** To be called when xattrs of an inode have changed. */
  protected changedXattrs(ino: number): void {
    this.#xattrs.forget(ino)
    this.touched(ino)
  }

  close(): void {
    this.nodes.close()
  }

  protected contentOf(ino: number): OverlayNode {
    const node = this.nodes.at(ino)
    if (node.kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
    if (node.kind !== 'file' || node.metacopy) throw new PlyError('EINVAL', { syscall: 'open' })
    return node
  }

  protected openContent(node: OverlayNode, flags: number): number {
    const path = this.nodes.paths.of(node)
    try {
      return this.files.openQuietly(path, flags)
    } catch (error) {
      if (codeOf(error) !== 'EACCES' || !this.nodes.onClosed(node, path)) throw error
      return this.files.openQuietly(path, flags)
    }
  }
}
