import { closeSync, constants, openSync } from 'node:fs'
import { opaqueMarker, whiteoutPrefix } from '../layer/names.ts'
import { type Marks, marks, yes } from '../layer/overlay-marks.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { makeNode } from '../sys/nodes.ts'
import { setTimes } from '../sys/times.ts'
import { setXattr } from '../sys/xattr.ts'
import type { LayerFolder } from './layer-folder.ts'
import type { OverlayForm } from './overlay-form.ts'
import { join, onDisk } from './paths.ts'
import type { Plan, Planned } from './plan.ts'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
/** Says of a directory that marked files in it are whiteouts. */
const holdsMarked = Buffer.from('x')

/** Writes into the folder of a layer what it says of what is below. */
export class MarkWriter {
  readonly #folder: LayerFolder
  readonly #form: OverlayForm
  readonly #marks: Marks

  constructor(folder: LayerFolder, form: OverlayForm) {
    this.#folder = folder
    this.#form = form
    this.#marks = marks[form.xattr]
  }

  /**
   * Looks for what the form cannot say (D-03). @throws PLY_UNREPRESENTABLE for a device 0:0 (D-09), for a name that would be a whiteout
   */
  check(plan: Plan, where: string): void {
    const refuse = (path: ByteString, reason: string) =>
      new PlyError('PLY_UNREPRESENTABLE', { path: `/${displayText(path)}`, where, reason })
    const { whiteouts, escapes } = this.#form
    for (const { path, ino } of plan.nodes)
      if (isWhiteoutDevice(this.#folder.tree.stat(ino)) && (whiteouts !== 'xattr' || !escapes))
        throw refuse(path, 'the device 0:0 would be a whiteout; it needs whiteouts in attributes, escaped (D-09)')
    if (whiteouts !== 'file') return
    for (const { path } of [
      ...plan.directories,
      ...plan.files,
      ...plan.links,
      ...plan.nodes,
      ...plan.symlinks,
      ...plan.lateLinks,
    ])
      if (path.slice(path.lastIndexOf('/') + 1).startsWith(whiteoutPrefix))
        throw refuse(path, 'its name would make it a whiteout; choose another form of whiteouts')
  }

  /** Everything but attributes is there, and directories are open to their owner. */
  write(root: ByteString, plan: Plan): void {
    const { whiteouts: form } = this.#form
    const holding = new Set<ByteString>()
    for (const { directory, name } of this.#folder.whiteouts) {
      if (form === 'file') makeFile(join(root, join(directory, `${whiteoutPrefix}${name}`)))
      else if (form === 'device') this.#makeDevice(join(root, join(directory, name)))
      else {
        const path = join(root, join(directory, name))
        makeFile(path)
        setXattr(path, this.#marks.whiteout, yes)
        holding.add(directory)
      }
    }
    for (const { path, ino } of plan.directories) {
      const at = path === '' ? root : join(root, path)
      if (this.#folder.opaque.has(ino)) this.#makeOpaque(at)
      else if (holding.has(path)) setXattr(at, this.#marks.opaque, holdsMarked)
    }
  }

  /** A device 0:0 that is data: in a mount of what is mounted here it would be a whiteout again (D-09). Answers whether it was one. */
  writeDevice(root: ByteString, { path, ino }: Planned): boolean {
    if (!isWhiteoutDevice(this.#folder.tree.stat(ino))) return false
    const at = join(root, path)
    makeFile(at)
    setXattr(at, this.#marks.stored(this.#marks.whiteout, 'file'), yes)
    setXattr(at.slice(0, at.lastIndexOf('/')), this.#marks.stored(this.#marks.opaque, 'directory'), holdsMarked)
    return true
  }

  #makeOpaque(at: ByteString): void {
    if (this.#form.whiteouts === 'file') makeFile(join(at, opaqueMarker))
    else setXattr(at, this.#marks.opaque, yes)
  }

  #makeDevice(at: ByteString): void {
    makeNode(at, { kind: 'character', major: 0, minor: 0, mode: 0o600 })
    setTimes(at, { atime: 0n, mtime: 0n })
  }
}

function isWhiteoutDevice({ kind, major, minor }: Stat): boolean {
  return kind === 'character' && major === 0 && minor === 0
}

function makeFile(path: ByteString): void {
  closeSync(openSync(onDisk(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600))
  setTimes(path, { atime: 0n, mtime: 0n })
}
