import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, statfsSync, statSync } from 'node:fs'
import { release } from 'node:os'
import { delimiter, join } from 'node:path'
import { codeOf } from '../model/errors.ts'
import { mayMount } from '../sys/namespaces.ts'
import { NewFileSystem } from '../sys/new-mount.ts'
import { textOf } from '../sys/processes.ts'
import { kernelReadsFiles } from './kernel-probe.ts'

/** Whether something works here; if not, why not and how to get it. */
export type Ability =
  | { readonly able: true }
  | { readonly able: false; readonly why: string; readonly more?: string | undefined }

/** What this machine, and this process on it, can do of what mounting takes. */
export interface Abilities {
  /** As `uname -r` says it. */
  readonly kernel: string
  /** Where this process may mount: everywhere, within a user namespace of its own, or nowhere. */
  readonly privileges: 'host' | 'namespace' | 'none'
  /** Mounting file systems of disks: root's alone. */
  readonly mounting: Ability
  readonly erofs: Ability
  /** EROFS over files, without loop devices (Linux 6.12). */
  readonly files: Ability
  readonly loops: Ability
  readonly overlay: Ability
  /** Whether where the store lies takes uppers in overlayfs's form. */
  readonly uppers: Ability
  /** Mounts that show other owners (Linux 5.19). */
  readonly idMapping: Ability
  readonly fuseDevice: Ability
  readonly fusermount: Ability
  /** Namespaces that ordinary users make for themselves. */
  readonly namespaces: Ability
}

const able: Ability = { able: true }
const unable = (why: string, more?: string): Ability => ({ able: false, why, more })

const overlayType = 0x794c7630
const stackedTypes: Readonly<Record<number, string>> = { [overlayType]: 'overlayfs', 61791: 'eCryptfs' }

/**
 * Asks the machine. Nothing is mounted where anybody sees it.
 *
 * @param store the directory of the store, which decides what it can be mounted with. Absent: any disk.
 */
export function abilities({ store }: { readonly store?: string | undefined } = {}): Abilities {
  const privileges = !mayMount() ? 'none' : isFirstNamespace() ? 'host' : 'namespace'
  const stacked = store === undefined ? undefined : stackedTypes[statfsSync(existing(store)).type]
  const mounting =
    privileges === 'host'
      ? able
      : unable(
          privileges === 'none' ? 'only root may mount' : 'root of a user namespace may not mount EROFS',
          'run it as root of the machine',
        )
  const erofs = fileSystem('erofs', privileges)
  return {
    kernel: release(),
    privileges,
    mounting,
    erofs,
    files: filesAbility(store, stacked, mounting, erofs),
    loops: openable('/dev/loop-control', 'loop devices', {
      missing: 'modprobe loop; a container has to be given /dev/loop*',
      closed: 'run it as root of the machine',
    }),
    overlay: fileSystem('overlay', privileges),
    uppers: uppersAbility(privileges, stacked),
    idMapping: atLeast(5, 19)
      ? program('unshare', 'util-linux')
      : unable(`Linux ${release()} cannot map owners under overlayfs`, 'Linux 5.19 can'),
    fuseDevice: openable('/dev/fuse', 'FUSE', {
      missing: 'modprobe fuse; a container has to be given /dev/fuse',
      closed: 'as root: chmod 0666 /dev/fuse',
    }),
    fusermount: fusermountAbility(),
    namespaces: namespacesAbility(privileges),
  }
}

function isFirstNamespace(): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(textOf('/proc/self/uid_map') ?? '')
}

/** Who may not mount cannot ask the kernel, but it lists what it has loaded, and what it could load. */
function fileSystem(type: string, privileges: Abilities['privileges']): Ability {
  if (privileges !== 'none') {
    try {
      using _ = new NewFileSystem(type)
      return able
    } catch (error) {
      if (codeOf(error) === 'PLY_NO_NATIVE') return unable((error as Error).message)
      if (codeOf(error) !== 'ENODEV' && codeOf(error) !== 'EPERM') throw error
    }
  }
  const listed = new RegExp(`\\b${type}$`, 'm').test(textOf('/proc/filesystems') ?? '')
  const modules = join('/lib/modules', release())
  const loadable = ['modules.dep', 'modules.builtin'].some((file) =>
    textOf(join(modules, file))?.includes(`/${type}.ko`),
  )
  return listed || loadable
    ? able
    : unable(`this kernel has no ${type}`, `a kernel with CONFIG_${type.toUpperCase()}_FS`)
}

function filesAbility(
  store: string | undefined,
  stacked: string | undefined,
  mounting: Ability,
  erofs: Ability,
): Ability {
  if (!atLeast(6, 12))
    return unable(`Linux ${release()} mounts no files`, 'Linux 6.12 does; until then loop devices do it')
  if (!erofs.able) return erofs
  if (stacked !== undefined && !mounting.able)
    return unable(`the store lies on ${stacked}`, 'a store on a disk of its own')
  if (store === undefined || !mounting.able) return able
  const refused = kernelReadsFiles(join(store, 'tmp'))
  return refused === undefined
    ? able
    : unable(
        `the kernel does not mount files there${stacked ? `: the store lies on ${stacked}` : ''} (${refused})`,
        'loop devices do it',
      )
}

function uppersAbility(privileges: Abilities['privileges'], stacked: string | undefined): Ability {
  if (privileges !== 'host') return unable('only root writes containers in the form of overlayfs')
  if (stacked !== undefined) return unable(`the store lies on ${stacked}`, 'a store on a disk of its own')
  return able
}

function fusermountAbility(): Ability {
  const path = programPath('fusermount3')
  if (path === undefined) return unable('there is no fusermount3', 'install the package fuse3')
  const { uid, mode } = statSync(path)
  if (uid === 0 && (mode & 0o4000) !== 0) return able
  return unable(`${path} has no set-id bit of root`, `as root: chmod u+s ${path}`)
}

function namespacesAbility(privileges: Abilities['privileges']): Ability {
  const has = program('unshare', 'util-linux')
  if (!has.able || privileges === 'host') return has
  const closed = (file: string, value: string) => textOf(file)?.trim() === value
  if (closed('/proc/sys/user/max_user_namespaces', '0'))
    return unable('there may be no user namespaces', 'as root: sysctl user.max_user_namespaces=15000')
  if (closed('/proc/sys/kernel/unprivileged_userns_clone', '0'))
    return unable('user namespaces are root’s alone', 'as root: sysctl kernel.unprivileged_userns_clone=1')
  if (closed('/proc/sys/kernel/apparmor_restrict_unprivileged_userns', '1'))
    return unable(
      'AppArmor keeps ordinary users from user namespaces',
      'as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0',
    )
  // In a chroot, and in some containers, they are closed for reasons that stand nowhere.
  const { status, stderr } = spawnSync('unshare', ['--user', '--map-root-user', '--', 'true'], { encoding: 'utf8' })
  return status === 0
    ? able
    : unable(
        `user namespaces are closed here (${(stderr ?? '').trim()})`,
        'not in a chroot, nor in a container that forbids them',
      )
}

function openable(path: string, what: string, more: { readonly missing: string; readonly closed: string }): Ability {
  try {
    closeSync(openSync(path, 'r+'))
    return able
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO')
      return unable(`there is no ${path}: ${what}`, more.missing)
    return unable(`${path} is closed to this user`, more.closed)
  }
}

function program(name: string, package_: string): Ability {
  return programPath(name) === undefined ? unable(`there is no program ${name}`, `install ${package_}`) : able
}

function programPath(name: string): string | undefined {
  const places = [
    ...(process.env.PATH ?? '').split(delimiter).filter(Boolean),
    '/usr/bin',
    '/bin',
    '/usr/sbin',
    '/sbin',
  ]
  return places.map((place) => join(place, name)).find((path) => existsSync(path))
}

function atLeast(major: number, minor: number): boolean {
  const [first = 0, second = 0] = release().split('.').map(Number.parseFloat)
  return first > major || (first === major && second >= minor)
}

/** The nearest directory above that is there. */
function existing(path: string): string {
  return existsSync(path) ? path : existing(join(path, '..'))
}
