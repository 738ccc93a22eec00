import type { FuseDoor } from '../fuse/door.ts'
import { deviceDoor, mountFuse } from '../fuse/mount-fuse.ts'
import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { mountFlags } from '../sys/mount.ts'
import { mayMount } from '../sys/namespaces.ts'
import { type FusermountOptions, fusermountDoor } from './fusermount.ts'
import { unlessBusy } from './in-use.ts'
import type { Attached, MountOptions } from './mounted.ts'
import { type OwnerRanges, rangesOf, shownOwners } from './owner-ranges.ts'
import { programPath } from './program-path.ts'
import type { Standing } from './standing.ts'

/** What the serving thread is told: what can be cloned. */
export interface Served {
  readonly standing: Standing
  readonly owners: OwnerRanges | undefined
}

export interface FuseOptions extends MountOptions {
  /** Names the mount in the table of mounts: numbers of mounts are given again. */
  readonly id?: string | undefined
}

/**
 * Serves a container (any form of upper, any chain of snapshots), a snapshot or an image by FUSE, from a thread of this process: it opens
 * the store by its root, and the container with the lock that keeps others from writing it; so nobody here may hold that. Returns when
 * the mount answers. It ends with this process.
 *
 * With CAP_SYS_ADMIN in the user namespace the mount is made by `mount(2)`, otherwise by `fusermount3`. In a namespace that has hardly
 * any users, what belongs to others is shown as root's there, unless owners are asked for; what is recorded stays as it is.
 *
 * @param target the directory from the root, resolved: bytes
 * @throws PLY_UNSUPPORTED with what to do where there is no way in; PLY_CONTAINER_BUSY; PLY_MOUNT_TARGET, ENOENT, ENOTDIR about the target;
 * PLY_ABORTED; whatever opening the container throws
 */
export async function mountByFuse(
  standing: Standing,
  target: ByteString,
  { readOnly, owners, suid = false, devices = false, allowOther, lowLatency, signal, id }: FuseOptions = {},
): Promise<Attached> {
  if (signal?.aborted) throw new PlyError('PLY_ABORTED', {}, { cause: signal.reason })
  const shown = {
    readOnly: readOnly ?? standing.subject.kind !== 'container',
    suid,
    devices,
    allowOther: allowOther ?? mayMount(),
    source: sourceOf(id),
  }
  const shift = shownOwners(owners)
  const input: Served = { standing, owners: shift && rangesOf(shift) }
  const program = programPath('serving-thread')
  const mount = await mountFuse({ target, program, input, door: doorFor(shown, signal), lowLatency })
  if (signal?.aborted) {
    await mount.unmount({ force: true })
    throw new PlyError('PLY_ABORTED', {}, { cause: signal.reason })
  }
  return {
    server: process.pid,
    ended: mount.ended,
    unmount: ({ detach = false, force = false } = {}) => unlessBusy(target, () => mount.unmount({ detach, force })),
  }
}

/** What the table of mounts says that a mount comes from. */
export function sourceOf(id: string | undefined): string {
  return id === undefined ? 'ply' : `ply:${id}`
}

function doorFor(how: FusermountOptions, signal: AbortSignal | undefined): FuseDoor {
  if (!mayMount()) return fusermountDoor(how, signal)
  const flags =
    (how.readOnly ? mountFlags.readOnly : 0) |
    (how.suid ? 0 : mountFlags.noSuid) |
    (how.devices ? 0 : mountFlags.noDevices)
  return deviceDoor({ flags, allowOther: how.allowOther, source: how.source })
}
