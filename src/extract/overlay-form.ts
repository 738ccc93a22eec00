import { closeSync, openSync, unlinkSync } from 'node:fs'
import { release } from 'node:os'
import { type MarkSpace, marks, yes } from '../layer/overlay-marks.ts'
import { type ByteString, encodeText } from '../model/bytes.ts'
import { makeNode } from '../sys/nodes.ts'
import { removeXattr, setXattr } from '../sys/xattr.ts'
import { isRefusal } from './attribute-writer.ts'

/** How what layers remove is kept in directories (layer-semantics D-07, D-10, D-11). */
export interface OverlayForm {
  /**
   * `device`: character devices 0:0. `xattr`: empty files with the mark `whiteout`, in directories with the mark `opaque` = `x` (Linux
   * 6.7). `file`: empty files called `.wh.NAME`, which fuse-overlayfs reads, and the kernel does not.
   */
  readonly whiteouts: 'device' | 'xattr' | 'file'
  /** The namespace of all marks, once for all layers; `user` is mounted with the option `userxattr`. */
  readonly xattr: MarkSpace
  /** Whether attributes that look like marks are kept, escaped: kernels from Linux 6.7 on show them as they were. */
  readonly escapes: boolean
}

/**
 * The form that a place can have, found out by trying: whoever asks for a part of it gets that, and what the disk does not take is told
 * when it is written. Nothing stays in the directory.
 */
export function probeForm(directory: string, asked: Partial<OverlayForm> = {}): OverlayForm {
  const path = `${directory}/probe-marks`
  const at = encodeText(path)
  closeSync(openSync(path, 'wx', 0o600))
  let xattr: MarkSpace
  let marked: boolean
  try {
    xattr = asked.xattr ?? (takes(at, marks.trusted.opaque) ? 'trusted' : 'user')
    marked = takes(at, marks[xattr].opaque)
  } finally {
    unlinkSync(path)
  }
  const whiteouts = asked.whiteouts ?? (!marked ? 'file' : makesWhiteouts(path) ? 'device' : 'xattr')
  return { xattr, whiteouts, escapes: asked.escapes ?? unescapes(release()) }
}

function takes(path: ByteString, mark: ByteString): boolean {
  try {
    setXattr(path, mark, yes)
    removeXattr(path, mark)
    return true
  } catch (error) {
    if (!isRefusal(error)) throw error
    return false
  }
}

function makesWhiteouts(path: string): boolean {
  try {
    makeNode(encodeText(path), { kind: 'character', major: 0, minor: 0, mode: 0o600 })
  } catch (error) {
    if (!isRefusal(error, 'EINVAL')) throw error
    return false
  }
  unlinkSync(path)
  return true
}

/** Whether a kernel shows escaped attributes as they were. */
export function unescapes(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 6 || (major === 6 && minor >= 7)
}
