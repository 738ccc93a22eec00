import { codeOf } from '../model/errors.ts'
import type { MountGround } from '../store/mounts/ground.ts'
import type { Recorded } from './attach.ts'
import { unlessBusy } from './in-use.ts'
import type { Mounted, UnmountOptions } from './mounted.ts'
import type { MountPlan } from './plan.ts'

/** What has been mounted and recorded, for who has mounted it. */
export function mountedAs(
  ground: MountGround,
  { record, attached }: Recorded,
  { why }: MountPlan,
  target: string,
  after: (how: UnmountOptions) => Promise<void> = async () => {},
): Mounted {
  let unmounted: Promise<void> | undefined
  const unmount = async (how?: UnmountOptions) => {
    await unlessBusy(record.target, () => attached.unmount(how))
    // What is detached stays recorded until nobody is in it.
    using _ = await ground.records.lock({})
    if (record.via === 'extract' || (record.via === 'fuse' && !how?.detach)) ground.records.remove(record.id)
    ground.records.forgetVoid()
  }
  const { id, via, readOnly } = record
  const mounted: Mounted = {
    id,
    target,
    via,
    why,
    readOnly,
    ended: attached.ended,
    async unmount(how) {
      // Somebody waits for those who are still in it.
      if (unmounted && how?.force) await attached.unmount(how)
      unmounted ??= unmount(how).then(() => after(how ?? {}))
      try {
        await unmounted
      } catch (error) {
        // It can be tried again.
        unmounted = undefined
        throw error
      }
    },
    async [Symbol.asyncDispose]() {
      try {
        await mounted.unmount()
      } catch (error) {
        if (codeOf(error) !== 'PLY_MOUNT_BUSY') throw error
        await mounted.unmount({ detach: true })
      }
    },
  }
  return mounted
}
