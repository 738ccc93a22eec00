import { PlyError } from '../model/errors.ts'
import type { Via } from '../store/mounts/mount-record.ts'
import type { Abilities, Ability } from './abilities.ts'
import type { MountOptions } from './mounted.ts'
import type { Standing } from './standing.ts'

/** What a plan needs to know of what is to be mounted. */
export interface Plannable extends Pick<Standing, 'subject' | 'upper' | 'frozen'> {
  /** Whether nothing was ever written in the container. */
  readonly unwritten?: boolean | undefined
}

/** How something will be mounted, and why. */
export interface MountPlan {
  readonly via: Via
  readonly readOnly: boolean
  /** Whether the container's upper is first written anew in overlayfs's form: it holds nothing yet. */
  readonly convert: boolean
  /** A line for the way, and one for each that was better and does not work: why not, and how to get it. */
  readonly why: readonly string[]
}

/** The best first. */
const ways: readonly Via[] = ['kernel', 'fuse', 'extract']

const chosen: Readonly<Record<Via, string>> = {
  kernel: 'by the kernel itself: what runs in it runs at full speed, and no process has to serve it',
  fuse: 'by FUSE: a process of ply serves it',
  extract: 'by a copy in a directory: it takes time and room, and changes come back when it is unmounted',
}

/**
 * Chooses how to mount: by the kernel, by FUSE, by a copy, whatever is possible first, or what `via` asks for. Only answers; nothing is
 * asked of the machine.
 *
 * @throws PLY_UNSUPPORTED, with what would help, if what is asked for is not possible; PLY_USAGE for writing what cannot be written
 */
export function planMount(
  subject: Plannable,
  options: Pick<MountOptions, 'via' | 'readOnly' | 'owners' | 'suid' | 'devices'>,
  abilities: Abilities,
): MountPlan {
  const readOnly = options.readOnly ?? subject.subject.kind !== 'container'
  if (!readOnly && subject.subject.kind !== 'container') {
    const what = subject.subject.kind === 'image' ? 'an image' : 'a snapshot'
    throw new PlyError('PLY_USAGE', {
      reason: `${what} never changes and can only be mounted for reading; make a container of it`,
    })
  }
  const obstacles = (via: Via) => obstacle(via, subject, options, abilities)
  const { via: asked } = options
  const via = asked ?? ways.find((way) => obstacles(way) === undefined)!
  const hindered = obstacles(via)
  if (hindered) {
    const reason = hindered.more === undefined ? hindered.why : `${hindered.why}; ${hindered.more}`
    throw new PlyError('PLY_UNSUPPORTED', { what: `--via ${via} here`, reason })
  }
  const better = asked === undefined ? ways.slice(0, ways.indexOf(via)) : []
  return {
    via,
    readOnly,
    convert: via === 'kernel' && !isKernels(subject),
    why: [
      asked === undefined ? chosen[via] : `${chosen[via]} (as asked for)`,
      ...better.map((way) => {
        const { why, more } = obstacles(way)!
        return `not by ${nameOf[way]}: ${why}${more === undefined ? '' : ` (${more})`}`
      }),
    ],
  }
}

/** For each way whether it is possible; as `planMount`, only answers. */
export function waysOf(
  subject: Plannable,
  options: Pick<MountOptions, 'owners'>,
  abilities: Abilities,
): Readonly<Record<Via, Ability>> {
  const ability = (via: Via): Ability => obstacle(via, subject, options, abilities) ?? { able: true }
  return { kernel: ability('kernel'), fuse: ability('fuse'), extract: ability('extract') }
}

const nameOf: Readonly<Record<Via, string>> = { kernel: 'the kernel', fuse: 'FUSE', extract: 'a copy' }

type Obstacle = Extract<Ability, { readonly able: false }>

/** What is in the way of a way. */
function obstacle(
  via: Via,
  subject: Plannable,
  options: Pick<MountOptions, 'owners'>,
  abilities: Abilities,
): Obstacle | undefined {
  switch (via) {
    case 'kernel':
      return kernelObstacle(subject, options, abilities)
    case 'fuse':
      return fuseObstacle(abilities)
    case 'extract':
      return undefined
    default:
      return via satisfies never
  }
}

function kernelObstacle(
  subject: Plannable,
  { owners }: Pick<MountOptions, 'owners'>,
  { mounting, erofs, files, loops, overlay, uppers, idMapping }: Abilities,
): Obstacle | undefined {
  if (!mounting.able) return mounting
  if (!erofs.able) return erofs
  if (!files.able && !loops.able) {
    return { able: false, why: `${files.why}, and ${loops.why}`, more: [files.more, loops.more].join('; or ') }
  }
  const stacked = subject.upper !== undefined || subject.frozen.length > 0
  if (stacked && !overlay.able) return overlay
  if (owners?.uids || owners?.gids) {
    if (!idMapping.able) return idMapping
    if (typeof owners.outside === 'object')
      return { able: false, why: 'the kernel cannot have somebody take the place of owners that are not mapped' }
  }
  if (subject.upper === undefined && subject.frozen.some(({ blocks }) => blocks))
    return {
      able: false,
      why: 'large files were changed in blocks in it, which the kernel does not know, and a snapshot never changes',
      more: 'make a container of it: ply clone SNAPSHOT NAME',
    }
  if (isKernels(subject)) return undefined
  const name = subject.subject.kind === 'container' ? subject.subject.name : 'it'
  if (subject.frozen.some(({ form }) => form !== 'overlay'))
    return {
      able: false,
      why: 'it stands on snapshots in the portable form, which the kernel does not know',
      more: `commit it, and make a container of that image: ply commit ${name} IMAGE`,
    }
  if (subject.unwritten && uppers.able) return undefined
  return {
    able: false,
    why: `container ${name} is in the portable form, which the kernel does not know`,
    more: uppers.able
      ? `as root, write it anew in the form of overlayfs: store.containers.convert(${JSON.stringify(name)}, 'overlay')`
      : uppers.why,
  }
}

/** Whether all uppers are in the form that the kernel knows. */
function isKernels({ upper, frozen }: Plannable): boolean {
  return [...frozen, ...(upper ? [upper] : [])].every(({ form }) => form === 'overlay')
}

function fuseObstacle({ fuseDevice, fusermount, privileges, namespaces }: Abilities): Obstacle | undefined {
  if (!fuseDevice.able) return fuseDevice
  if (privileges !== 'none' || fusermount.able) return undefined
  const more = namespaces.able
    ? `${fusermount.more}; or mount it for a command: ply mount … -- COMMAND`
    : fusermount.more
  return { ...fusermount, more }
}
