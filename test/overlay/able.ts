import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeNode } from '../../src/sys/nodes.ts'
import { renameWhiteout } from '../../src/sys/rename.ts'
import { setXattr } from '../../src/sys/xattr.ts'

/** Why the rootless form cannot be written in the temporary directory; `undefined` if it can, by whoever this is. */
export function whyNoRootless(): string | undefined {
  if (process.platform !== 'linux') return "overlayfs's form needs Linux"
  const folder = fs.mkdtempSync(join(tmpdir(), 'plyfs-probe-'))
  try {
    setXattr(folder, 'user.overlay.opaque', Buffer.from('y'))
    return undefined
  } catch (error) {
    return `${tmpdir()} takes no user xattrs: ${String(error)}`
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

/** Why overlayfs's form cannot be written in the temporary directory by this user; `undefined` if it can. */
export function whyNoOverlay(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return "overlayfs's form needs root on Linux"
  const folder = fs.mkdtempSync(join(tmpdir(), 'plyfs-probe-'))
  try {
    const probe = join(folder, 'probe')
    makeNode(probe, { kind: 'character', major: 0, minor: 0, mode: 0 })
    setXattr(probe, 'trusted.overlay.opaque', Buffer.from('y'))
    renameWhiteout(probe, join(folder, 'moved'))
    setXattr(folder, 'user.overlay.opaque', Buffer.from('y'))
    return undefined
  } catch (error) {
    return `${tmpdir()} does not take overlayfs's form: ${String(error)}`
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}
