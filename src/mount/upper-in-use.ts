import { decodeText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { mountedElsewhere } from '../sys/mount-holders.ts'
import { type MountLine, mountTable } from '../sys/mount-table.ts'
import { commandOf } from '../sys/processes.ts'
import type { Standing, StandingUpper } from './standing.ts'

/**
 * Why the kernel does not take the upper of a container: another mount of overlayfs has it, which no record tells of. Says where that is,
 * if it can be seen from here, and what to do.
 */
export function upperInUse({ subject }: Pick<Standing, 'subject'>, { id }: StandingUpper, cause: unknown): PlyError {
  const name = subject.kind === 'container' ? subject.name : id
  const busy = (state: string, advice: string) => new PlyError('PLY_CONTAINER_BUSY', { name, state, advice }, { cause })
  // Wherever the store lay when it was mounted.
  const hasIt = ({ type, options }: MountLine) => type === 'overlay' && options.includes(`/uppers/${id}/`)
  const here = mountTable().findLast(hasIt)
  if (here) {
    const where = decodeText(here.target)
    return busy(
      `mounted at ${where}, by somebody other than ply or without its record`,
      `unmount that: umount ${where}`,
    )
  }
  const [pid] = mountedElsewhere(hasIt)
  if (pid !== undefined) {
    const who = `${commandOf(pid) ?? '?'} (${pid})`
    const advice = `end that, or unmount it there: nsenter --mount --target ${pid} umount DIR`
    return busy(`mounted in the mount namespace of ${who}`, advice)
  }
  return busy(
    'still in use by a mount that was taken away from under somebody, or cannot be seen from here',
    'end whoever has files of it open (root sees all of them); after a restart of the machine it is free',
  )
}
