import { lstatSync } from 'node:fs'
import { type ByteString, bytesOf, decodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Held, MountGround } from '../store/mounts/ground.ts'
import type { MountRecord } from '../store/mounts/mount-record.ts'
import { mountTable } from '../sys/mount-table.ts'
import { bootId, mountNamespaceOf, startOf } from '../sys/processes.ts'
import { mountInBackground } from './background.ts'
import { mountByKernel } from './by-kernel.ts'
import { mountByExtraction } from './extraction.ts'
import { mountByFuse, sourceOf } from './fuse-mount.ts'
import type { Attached, MountOptions } from './mounted.ts'
import type { MountPlan } from './plan.ts'

export interface Recorded {
  readonly record: MountRecord
  readonly attached: Attached
}

/** Does what a plan says, and records it. Whatever fails, nothing stays behind. @throws as `mount` */
export async function attach(
  ground: MountGround,
  held: Held,
  { via, readOnly }: MountPlan,
  target: ByteString,
  asked: MountOptions,
): Promise<Recorded> {
  const { standing } = held
  const { subject, manifest, chainId, upper } = standing
  const options = { ...asked, readOnly }
  const stands = {
    id: ground.records.newId(),
    subject,
    manifest,
    chainId,
    upper: upper?.id ?? null,
    target,
    via,
    readOnly,
    bootId: bootId(),
    created: new Date().toISOString(),
  }
  switch (via) {
    case 'kernel':
      return mountByKernel(ground, held, stands, options)
    case 'fuse': {
      // Whoever serves it holds the container.
      held.letGo()
      const attached = await (asked.background ? mountInBackground : mountByFuse)(standing, target, {
        ...options,
        id: stands.id,
      })
      return recorded(ground, attached, () => {
        const there = mountTable().findLast((line) => line.source === sourceOf(stands.id))
        if (there === undefined) throw unmountedAtOnce(target)
        const { id, source } = there
        const server = attached.server === undefined ? undefined : startOf(attached.server)
        return {
          ...stands,
          mount: { id, source, namespace: mountNamespaceOf('self') },
          ...(server !== undefined && { server: { pid: attached.server!, started: server } }),
        }
      })
    }
    case 'extract': {
      const attached = await mountByExtraction(standing, target, options)
      return recorded(ground, attached, () => ({ ...stands, mount: null, directory: lstatSync(bytesOf(target)).ino }))
    }
    default:
      return via satisfies never
  }
}

async function recorded(ground: MountGround, attached: Attached, make: () => MountRecord): Promise<Recorded> {
  try {
    using _ = await ground.records.lock({})
    const record = make()
    ground.records.publish(record)
    await attached.keep?.()
    return { record, attached }
  } catch (error) {
    await (attached.abandon ?? (() => attached.unmount({ force: true })))()
    throw error
  }
}

function unmountedAtOnce(target: ByteString): PlyError {
  const reason = 'somebody has unmounted it again before it was recorded'
  return new PlyError('PLY_MOUNT_TARGET', { target: decodeText(target), reason })
}

/** Whether the kernel has said that it does not do this, rather than that something is wrong with it. */
export function isRefusal(error: unknown): boolean {
  return ['PLY_UNSUPPORTED', 'PLY_NO_NATIVE', 'EPERM', 'ENODEV', 'ENOSYS', 'EINVAL', 'EOPNOTSUPP'].includes(
    codeOf(error) ?? '',
  )
}
