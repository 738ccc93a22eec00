import { codeOf, PlyError } from '../../model/errors.ts'
import type { Disk, Lock } from '../../sys/disk.ts'
import { type FileBytes, fileBytes } from '../../sys/file-bytes.ts'

/**
 * How often, a millisecond apart, somebody is asked who looks whether the file is in use. That takes a moment, but a busy machine may take
 * the processor away in the middle of it. Who dies holds nothing.
 */
const patience = 10_000

const pause = new Int32Array(new SharedArrayBuffer(4))

/** What a disk, or a platform, without locks says: then nothing is held. */
export const lockless: readonly string[] = [
  'PLY_NO_NATIVE',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'ENOLCK',
  'EINVAL',
  'EBADF',
]

/**
 * A file of a cache, held for as long as it is open: no collection takes it meanwhile, nor what it leads to. It is no file of its own that is
 * locked, so this writes nothing, and works on a disk that is read only.
 *
 * @throws ENOENT, also for one that a collection is just taking; otherwise as `fileBytes`
 */
export function heldBytes(disk: Disk, path: string): FileBytes {
  const bytes = fileBytes(disk, path)
  let lock: Lock | undefined
  try {
    lock = held(disk, bytes.extent.fd, path)
  } catch (error) {
    bytes.close()
    throw error
  }
  return {
    ...bytes,
    close() {
      lock?.release()
      lock = undefined
      bytes.close()
    },
  }
}

function held(disk: Disk, fd: number, path: string): Lock | undefined {
  const gone = () => new PlyError('ENOENT', { syscall: 'open', path })
  for (let turn = 0; turn < patience; turn++) {
    let lock: Lock | undefined
    try {
      lock = disk.lockOpen(fd, { shared: true })
    } catch (error) {
      if (lockless.includes(codeOf(error) ?? '')) return undefined
      throw error
    }
    if (lock === undefined) {
      Atomics.wait(pause, 0, 0, 1)
      continue
    }
    // Whoever had it alone may have removed it.
    if (disk.fs.fstatSync(fd).nlink > 0) return lock
    lock.release()
    throw gone()
  }
  throw gone()
}
