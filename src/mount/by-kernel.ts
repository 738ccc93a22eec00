import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Held, MountGround } from '../store/mounts/ground.ts'
import type { MountRecord } from '../store/mounts/mount-record.ts'
import { umount, unmountFlags } from '../sys/mount.ts'
import { holdersLeft, mountedElsewhere } from '../sys/mount-holders.ts'
import { type MountLine, mountAt, mountTable, whereMounted } from '../sys/mount-table.ts'
import { mountNamespaceOf, startOf } from '../sys/processes.ts'
import type { Recorded } from './attach.ts'
import { unlessBusy } from './in-use.ts'
import { type KernelMountRequest, kernelMount } from './kernel-mount.ts'
import type { Attached, MountOptions, UnmountOptions } from './mounted.ts'

export type KernelOptions = MountOptions & Pick<KernelMountRequest, 'backing'>

/**
 * Mounts by the kernel, and records it, so that nobody ever sees the one without the other: the mount outlives this process. The caller
 * has what is mounted to itself; of whatever fails, nothing stays behind.
 *
 * @param record what stands in the record besides
 * @throws PLY_UNSUPPORTED, with the kernel's words; EPERM, ENODEV; ENOENT, ENOTDIR about the target; ENOSPC
 */
export async function mountByKernel(
  ground: MountGround,
  held: Held,
  record: Omit<MountRecord, 'mount'>,
  options: KernelOptions = {},
): Promise<Recorded> {
  const { standing } = held
  const { id, target } = record
  const files = await held.devices(options)
  let recorded: MountRecord
  try {
    await held.prepare(options)
    using mount = await kernelMount(standing, { ...options, id, files, target })
    using _ = await ground.records.lock(options)
    const namespace = mountNamespaceOf('self')
    const started = options.endsWithProcess ? startOf('self') : undefined
    recorded = {
      ...record,
      mount: { id: mount.id, source: mount.source, namespace },
      ...(started !== undefined && { server: { pid: process.pid, started } }),
    }
    ground.records.publish(recorded)
    try {
      mount.attach(target)
    } catch (error) {
      ground.records.remove(id)
      throw error
    }
  } catch (error) {
    held.settle()
    throw error
  }
  let end = () => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const attached: Attached = {
    ended,
    async unmount(how) {
      await unmountByKernel(ground, recorded, how)
      end()
    },
  }
  return { record: recorded, attached }
}

/**
 * Unmounts what the kernel has mounted, in whichever process, and removes its record. Returns when what was written is on the disk. What is
 * not mounted any more is no error.
 *
 * @throws PLY_MOUNT_BUSY with who is in it, or what is mounted on it; EPERM
 */
export async function unmountByKernel(
  ground: MountGround,
  record: MountRecord,
  { detach = false, force = false }: UnmountOptions = {},
): Promise<void> {
  const { id, upper, mount } = record
  const table = mountTable()
  const where = mount ? whereMounted((line) => isThat(line, mount), table) : undefined
  if (mount && where !== undefined) {
    await unlessBusy(where, () => {
      if (!isThat(mountAt(where, table), mount)) throw new PlyError('EBUSY', { syscall: 'umount' })
      umount(where, unmountFlags.noFollow | (detach || force ? unmountFlags.detach : 0))
    })
  }
  // Who was in it may go on writing: until they have left it is nobody else's.
  if (upper !== null && mount && stillHeld(mount, detach || force || where === undefined)) {
    using _ = await ground.records.lock({})
    ground.records.publish({ ...record, detached: true })
    return
  }
  if (upper !== null) await ground.settle(upper)
  using _ = await ground.records.lock({})
  ground.records.remove(id)
}

/** Nobody was in what was simply unmounted, but other namespaces may have it. */
function stillHeld(mount: NonNullable<MountRecord['mount']>, detached: boolean): boolean {
  const left = detached ? holdersLeft(mount) : mountedElsewhere((line) => line.source === mount.source)
  return left.length > 0
}

function isThat(
  line: MountLine | undefined,
  { id, source }: { readonly id: number; readonly source: ByteString },
): boolean {
  return line?.id === id && line.source === source
}
