import { setTimeout as sleep } from 'node:timers/promises'
import type { ByteString } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { abortFuseConnection } from '../sys/fuse-connections.ts'
import { umount, unmountFlags } from '../sys/mount.ts'
import { mountAt } from '../sys/mount-table.ts'
import { mayMount } from '../sys/namespaces.ts'
import { startOf } from '../sys/processes.ts'
import { unmountByFusermount } from './fusermount.ts'
import type { UnmountOptions } from './mounted.ts'

/** A process that serves a mount, named for good. */
export interface Server {
  readonly pid: number
  readonly started: string
}

/**
 * Unmounts what is mounted by FUSE at a directory, whoever serves it, dead or alive. With `detach` the name goes at once, with `force`
 * everybody in it is cut off. What is not mounted any more is no error. The target itself is not touched, so a dead mount holds up nobody.
 * Answers with the minor number of its device. @throws EBUSY; EPERM for what another user has mounted
 */
export async function unmountFuse(
  target: ByteString,
  { detach = false, force = false }: UnmountOptions = {},
): Promise<number | undefined> {
  const there = mountAt(target)
  if (!there?.type.startsWith('fuse')) return undefined
  if (force) abortFuseConnection(there.minor)
  if (!mayMount()) {
    await unmountByFusermount(target, { detach: detach || force })
    return there.minor
  }
  if (force) tryUmount(target, unmountFlags.force | unmountFlags.noFollow)
  tryUmount(target, unmountFlags.noFollow | (detach || force ? unmountFlags.detach : 0), ['EINVAL', 'ENOENT'])
  return there.minor
}

/** Returns when a server has ended: until then it may be bringing to the disk what was written. @throws PLY_ABORTED */
export async function serverEnded({ pid, started }: Server, { signal }: Operation = {}): Promise<void> {
  for (let pause = 2; startOf(pid) === started; pause = Math.min(50, pause * 2)) {
    if (signal?.aborted) throw new PlyError('PLY_ABORTED', {}, { cause: signal.reason })
    await sleep(pause)
  }
}

function tryUmount(target: ByteString, flags: number, fine?: readonly string[]): void {
  try {
    umount(target, flags)
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined || (fine && !fine.includes(code))) throw error
  }
}
