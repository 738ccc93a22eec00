import { libc } from '../../src/sys/libc.ts'

const mount = libc('int mount(void* source, void* target, void* type, unsigned long flags, void* data)')
const umount2 = libc('int umount2(void* target, int flags)')

const readOnly = 1
const detach = 2

/** Mounts an index with its tars by Linux itself, without loop devices; answers how to take it away again, or why not. */
export function kernelMount(index: string, tars: readonly string[], target: string): (() => void) | string {
  if (process.platform !== 'linux') return 'not Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  const options = tars.map((tar) => `device=${tar}`).join(',')
  const failed = mount(text(index), text(target), text('erofs'), readOnly, text(options)) !== 0
  if (failed) return 'Linux did not mount it (it needs 6.12 or later with CONFIG_EROFS_FS_BACKED_BY_FILE)'
  return () => void umount2(text(target), detach)
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}
