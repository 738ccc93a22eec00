import * as nodeFs from 'node:fs'
import { codeOf } from '../model/errors.ts'
import { checkAborted } from '../model/operation.ts'
import { allocateRange } from './allocate.ts'
import { copyRange, dataFrom, sharesBlocks } from './copy.ts'
import type { Disk, Lock } from './disk.ts'
import { patiently, tryFlock, unlock } from './flock.ts'
import { roomAt } from './room.ts'
import { withPath } from './system-error.ts'

const { O_CREAT, O_RDONLY, O_RDWR } = nodeFs.constants

/**
 * The real disk. Paths are text, as `node:fs` takes them. Locks are `flock(2)`: the kernel releases them when the process ends,
 * however it ends, and two holders in one process exclude each other as well.
 *
 * @throws from `lock`: PLY_NO_NATIVE without native calls; PLY_ABORTED; ENOENT if the directory is missing, EACCES …
 */
export function nodeDisk(): Disk {
  return {
    kind: 'disk',
    fs: nodeFs,
    async lock(path, { shared = false, wait = false, signal } = {}) {
      checkAborted(signal)
      const attempt = () => tryLock(path, shared)
      return wait ? await patiently(attempt, signal) : attempt()
    },
    lockOpen(fd, { shared = false } = {}) {
      return tryFlock(fd, { shared }) ? openLock(fd) : undefined
    },
    syncDirectory(path) {
      const fd = nodeFs.openSync(path, O_RDONLY)
      try {
        nodeFs.fsyncSync(fd)
      } finally {
        nodeFs.closeSync(fd)
      }
    },
    copy: copyRange,
    shares: sharesBlocks,
    allocate: allocateRange,
    dataFrom,
    room: roomAt,
  }
}

function tryLock(path: string, shared: boolean): Lock | undefined {
  for (;;) {
    const fd = openLockFile(path)
    let held = false
    try {
      if (!tryFlock(fd, { shared })) return undefined
      // Whoever held it may have removed the file: then this is a lock on nothing that others can find.
      held = isAt(fd, path)
      if (held) return heldLock(fd)
    } catch (error) {
      throw withPath(error, path)
    } finally {
      if (!held) nodeFs.closeSync(fd)
    }
  }
}

/** Reading is enough for a lock, but NFS wants writing for an exclusive one; so writing is asked for where it is allowed. */
function openLockFile(path: string): number {
  let refusal: unknown
  for (const flags of [O_RDWR | O_CREAT, O_RDONLY]) {
    try {
      return nodeFs.openSync(path, flags, 0o666)
    } catch (error) {
      const code = codeOf(error)
      if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') throw withPath(refusal ?? error, path)
      refusal ??= error
    }
  }
  throw withPath(refusal, path)
}

function isAt(fd: number, path: string): boolean {
  const named = nodeFs.statSync(path, { bigint: true, throwIfNoEntry: false })
  const open = nodeFs.fstatSync(fd, { bigint: true })
  return named !== undefined && named.ino === open.ino && named.dev === open.dev
}

/** A lock on a file of somebody else's, who closes it. */
function openLock(fd: number): Lock {
  let held = true
  const release = () => {
    if (!held) return
    held = false
    unlock(fd)
  }
  return { release, [Symbol.dispose]: release }
}

function heldLock(fd: number): Lock {
  let open = true
  const release = () => {
    if (!open) return
    open = false
    nodeFs.closeSync(fd)
  }
  return { release, [Symbol.dispose]: release }
}
