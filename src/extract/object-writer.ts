import { closeSync, constants, linkSync, mkdirSync, openSync, symlinkSync } from 'node:fs'
import { type ByteString, displayText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { Tree } from '../stack/tree.ts'
import type { Disk } from '../sys/disk.ts'
import { makeNode } from '../sys/nodes.ts'
import { type AttributeWriter, isRefusal } from './attribute-writer.ts'
import { ContentCopy } from './content.ts'
import type { MarkWriter } from './mark-writer.ts'
import { at } from './path-of-error.ts'
import { onDisk } from './paths.ts'
import type { Plan, Planned, PlannedLink } from './plan.ts'
import type { CompromiseCount } from './report.ts'
import type { Written } from './written.ts'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants

/**
 * Makes the objects of a plan under a private directory, in the order of layer-semantics D-02: while there are paths to be
 * resolved, no symlink of the tree stands anywhere, so none can be followed.
 */
export class ObjectWriter {
  readonly #tree: Tree
  readonly #attributes: AttributeWriter
  readonly #compromises: CompromiseCount
  readonly #contents: ContentCopy
  readonly #pace: Pace
  readonly #onProgress: Operation['onProgress']
  readonly #onWritten: ((written: Written) => void) | undefined
  readonly #devices: boolean
  readonly #marks: MarkWriter | undefined
  /** Of files that may have more names. */
  readonly #compromised = new Map<ByteString, Written>()
  /** Devices and fifos that were really made. */
  nodes = 0
  #bytes = 0

  constructor(
    tree: Tree,
    parts: {
      attributes: AttributeWriter
      compromises: CompromiseCount
      copy: Disk['copy']
      onWritten: ((written: Written) => void) | undefined
      devices: boolean
      marks?: MarkWriter | undefined
    },
    operation: Operation,
  ) {
    this.#tree = tree
    this.#attributes = parts.attributes
    this.#compromises = parts.compromises
    this.#contents = new ContentCopy(parts.copy)
    this.#pace = new Pace(operation.signal)
    this.#onProgress = operation.onProgress
    this.#onWritten = parts.onWritten
    this.#devices = parts.devices
    this.#marks = parts.marks
  }

  /** Everything but the attributes of directories, which stay open to their owner. `root` is there already. */
  async fill(root: ByteString, plan: Plan): Promise<void> {
    for (const { path } of plan.directories) {
      if (path !== '') mkdirSync(onDisk(`${root}/${path}`), 0o700)
      if (this.#pace.due()) await this.#pace.rest()
    }
    for (const file of plan.files) {
      await this.#named(file, () => this.#writeFile(root, file))
      this.#onProgress?.({ what: `/${displayText(file.path)}`, done: this.#bytes, total: plan.bytes })
    }
    for (const link of plan.links) await this.#named(link, () => this.#writeLink(root, link))
    for (const node of plan.nodes) await this.#named(node, () => this.#writeNode(root, node))
    for (const symlink of plan.symlinks) await this.#named(symlink, () => this.#writeSymlink(root, symlink))
    for (const link of plan.lateLinks) await this.#named(link, () => this.#writeLink(root, link))
    this.#marks?.write(root, plan)
    for (const path of plan.sockets) this.#compromises.note('socket', path)
  }

  /** Attributes of directories, leaves first: after this nothing in them changes, so their times stay (M-05). */
  async finish(root: ByteString, { directories }: Plan): Promise<void> {
    for (let at = directories.length - 1; at >= 0; at--) {
      const directory = directories[at]!
      await this.#named(directory, () => {
        this.#writeAttributes(directory.path === '' ? root : `${root}/${directory.path}`, directory)
      })
    }
  }

  /** One step, whose failure says at which path of the tree it was. */
  async #named({ path }: Planned, step: () => void | Promise<void>): Promise<void> {
    try {
      const doing = step()
      if (doing) await doing
    } catch (error) {
      throw at(path, error)
    }
    if (this.#pace.due()) await this.#pace.rest()
  }

  async #writeFile(root: ByteString, file: Planned): Promise<void> {
    const path = `${root}/${file.path}`
    const { size } = this.#tree.stat(file.ino)
    const fd = openSync(onDisk(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      if (size > 0) {
        const content = this.#tree.open(file.ino)
        try {
          await this.#contents.fill(fd, content, this.#pace)
        } finally {
          content.close()
        }
      }
    } finally {
      closeSync(fd)
    }
    this.#bytes += size
    this.#writeAttributes(path, file)
  }

  async #writeLink(root: ByteString, link: PlannedLink): Promise<void> {
    try {
      linkSync(onDisk(`${root}/${link.to}`), onDisk(`${root}/${link.path}`))
      const written = this.#compromised.get(link.to)
      if (written !== undefined) this.#onWritten?.({ ...written, path: link.path })
    } catch (error) {
      if (!isRefusal(error, 'EMLINK')) throw error
      this.#compromises.note('link', link.path)
      const { kind } = this.#tree.stat(link.ino)
      if (kind === 'file') await this.#writeFile(root, link)
      else if (kind === 'symlink') this.#writeSymlink(root, link)
      else this.#writeNode(root, link)
    }
  }

  #writeNode(root: ByteString, node: Planned): void {
    const path = `${root}/${node.path}`
    const { kind, major, minor } = this.#tree.stat(node.ino)
    if (kind !== 'character' && kind !== 'block' && kind !== 'fifo') return
    if (this.#marks?.writeDevice(root, node)) {
      this.#compromises.note('device', node.path)
      this.#writeAttributes(path, node, true)
      return
    }
    try {
      if (kind !== 'fifo' && !this.#devices) throw new PlyError('EPERM', { syscall: 'mknod' })
      makeNode(path, { kind, major, minor, mode: 0o600 })
      this.nodes++
    } catch (error) {
      if (!isRefusal(error, 'EINVAL')) throw error
      this.#compromises.note(kind === 'fifo' ? 'fifo' : 'device', node.path)
      closeSync(openSync(onDisk(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600))
      this.#writeAttributes(path, node, true)
      return
    }
    this.#writeAttributes(path, node)
  }

  #writeSymlink(root: ByteString, symlink: Planned): void {
    const path = `${root}/${symlink.path}`
    symlinkSync(onDisk(this.#tree.readlink(symlink.ino)), onDisk(path))
    this.#writeAttributes(path, symlink)
  }

  #writeAttributes(path: ByteString, { path: shown, ino }: Planned, placeholder = false): void {
    const stat = this.#tree.stat(ino)
    const written = this.#attributes.write(path, shown, stat, this.#tree.xattrs(ino), placeholder)
    if (written === undefined || this.#onWritten === undefined) return
    this.#onWritten(written)
    if (stat.links > 1 && stat.kind !== 'directory') this.#compromised.set(shown, written)
  }
}
