import { decodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { checkAborted } from '../model/operation.ts'
import type { Container } from '../store/containers/container.ts'
import { handOver } from '../store/containers/handing-over.ts'
import { type MountGround, mountGround, type Wanted } from '../store/mounts/ground.ts'
import type { Store } from '../store/store.ts'
import { mountNamespaceOf } from '../sys/processes.ts'
import { type Abilities, abilities } from './abilities.ts'
import { attach, isRefusal } from './attach.ts'
import { heldAndPlanned } from './held-and-planned.ts'
import type { Mounted, MountOptions, UnmountOptions } from './mounted.ts'
import { mountedAs } from './mounted-as.ts'
import { mountTarget, targetClaimed } from './target.ts'

/** What is to be mounted, by name: a container (or a snapshot, `work@before`) or an image of a store. */
export type MountWanted = { readonly store: Store } & Wanted

/**
 * Shows a container, a snapshot or an image as a directory: by the kernel, by FUSE or by a copy, whatever is the best that works here
 * (`planMount`). Returns when everything in it can be read; whatever fails, nothing stays mounted, and nothing is left behind.
 *
 * Mounts by the kernel and copies outlive this process, until they are unmounted; one by FUSE ends with it, unless `background` is set.
 * What is mounted is recorded in the store (`store.mounts`): a container is written nowhere else meanwhile, and nothing that it needs
 * is collected.
 *
 * A container that is open for writing hands that over: until it is unmounted by what this returns, its `tree` and `fs` answer EBUSY, and
 * then they show what was written. If it is detached from under somebody who is still in it, they answer EBUSY for good.
 *
 * @param target a directory that is there, as text; for a copy it is empty
 * @throws PLY_UNSUPPORTED with what to do; PLY_CONTAINER_BUSY; PLY_IMAGE_NOT_FOUND, PLY_CONTAINER_NOT_FOUND, PLY_SNAPSHOT_NOT_FOUND;
 * PLY_USAGE, PLY_MOUNT_EXISTS, PLY_MOUNT_TARGET, PLY_EXISTS about the target; EBUSY while something in an open container is open; PLY_ABORTED
 */
export async function mount(
  subject: Container | MountWanted,
  target: string,
  options: MountOptions = {},
): Promise<Mounted> {
  if ('store' in subject) {
    const { store, ...wanted } = subject
    return mountWanted(store[mountGround], wanted, target, options)
  }
  const { name, [mountGround]: ground } = subject
  let handed: ReturnType<Container[typeof handOver]>
  try {
    handed = subject[handOver](target)
  } catch (error) {
    if (error instanceof PlyError && error.code === 'EROFS') {
      const reason = `container ${name} is open for reading only; mount it by its name`
      throw new PlyError('PLY_USAGE', { reason }, { cause: error })
    }
    throw error
  }
  const back = async ({ detach = false, force = false }: UnmountOptions = {}) => {
    try {
      await handed.back()
    } catch (error) {
      // Who was in it when it was detached writes on: the container stays theirs.
      if (!(detach || force) || codeOf(error) !== 'PLY_CONTAINER_BUSY') throw error
    }
  }
  try {
    return await mountWanted(ground, { container: name }, target, options, back)
  } catch (error) {
    await back()
    throw error
  }
}

async function mountWanted(
  ground: MountGround,
  wanted: Wanted,
  target: string,
  options: MountOptions,
  after?: (how: UnmountOptions) => Promise<void>,
): Promise<Mounted> {
  const { root } = ground.layout
  const bytes = await mountTarget(target, [root, ...ground.below])
  using _ = targetClaimed(bytes)
  const here = mountNamespaceOf('self')
  const there = ground.records
    .list()
    .some((one) => one.target === bytes && one.mount?.namespace === here && !one.detached)
  if (there) throw new PlyError('PLY_MOUNT_EXISTS', { target: decodeText(bytes) })
  let known: Abilities = abilities({ store: root })
  for (;;) {
    checkAborted(options.signal)
    const { held, plan } = await heldAndPlanned(ground, wanted, options, known)
    using __ = held
    try {
      const recorded = await attach(ground, held, plan, bytes, options)
      return mountedAs(ground, recorded, plan, decodeText(bytes), after)
    } catch (error) {
      // The kernel does not do what it seemed able to: whatever else there is may.
      if (plan.via !== 'kernel' || options.via !== undefined || !isRefusal(error)) throw error
      known = { ...known, mounting: { able: false, why: (error as Error).message } }
    }
  }
}
