import { codeOf } from '../../src/model/errors.ts'
import { mount, mountFlags, umount, unmountFlags } from '../../src/sys/mount.ts'

/** Mounts an index with its tars by Linux itself, without loop devices; answers how to take it away again, or why not. */
export function kernelMount(index: string, tars: readonly string[], target: string): (() => void) | string {
  if (process.platform !== 'linux') return 'not Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  try {
    mount(index, target, 'erofs', mountFlags.readOnly, tars.map((tar) => `device=${tar}`).join(','))
  } catch (error) {
    return `Linux did not mount it (it needs 6.12 or later with CONFIG_EROFS_FS_BACKED_BY_FILE): ${codeOf(error)}`
  }
  return () => umount(target, unmountFlags.detach)
}
