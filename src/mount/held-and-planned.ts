import type { Held, MountGround, Wanted } from '../store/mounts/ground.ts'
import type { Abilities } from './abilities.ts'
import type { MountOptions } from './mounted.ts'
import { type MountPlan, planMount } from './plan.ts'

/**
 * Holds what is to be mounted, and plans how. A container in which nothing was written yet is brought into the form that the plan needs.
 * The caller disposes what is held. @throws as `mount`
 */
export async function heldAndPlanned(
  ground: MountGround,
  wanted: Wanted,
  options: MountOptions,
  abilities: Abilities,
): Promise<{ readonly held: Held; readonly plan: MountPlan }> {
  for (;;) {
    const held = await ground.hold(wanted, options)
    try {
      const { standing } = held
      const plan = planMount(
        { ...standing, unwritten: await isUnwritten(ground, held, abilities, options) },
        options,
        abilities,
      )
      if (!plan.convert || standing.subject.kind !== 'container') return { held, plan }
      held[Symbol.dispose]()
      await ground.convert(standing.subject.name, 'overlay', options)
    } catch (error) {
      held[Symbol.dispose]()
      throw error
    }
  }
}

/** Only asked where the answer decides. */
async function isUnwritten(
  ground: MountGround,
  held: Held,
  { mounting, uppers }: Abilities,
  { via, ...operation }: MountOptions,
) {
  const { upper } = held.standing
  if (upper?.form !== 'portable' || !mounting.able || !uppers.able || (via !== undefined && via !== 'kernel'))
    return false
  return ground.takesOverlay() && held.isUnwritten(operation)
}
