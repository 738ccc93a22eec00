import type { Identity } from './identity.ts'

/** A directory or a file of the host that a container sees. */
export interface BindMount {
  /** On the host; text, absolute. */
  readonly source: string
  /** In the container; text, absolute. */
  readonly target: string
  readonly readOnly?: boolean | undefined
}

/** What a container is to be, as far as a runtime asks. */
export interface SpecOptions {
  /** The root file system, as the runtime finds it. */
  readonly root: string
  readonly readOnly: boolean
  readonly command: readonly string[]
  /** `NAME=VALUE` */
  readonly environment: readonly string[]
  readonly directory: string
  readonly identity: Identity
  readonly hostname: string
  readonly terminal: boolean
  /** Of the terminal, in characters: without it a program may look before the runtime has set it. */
  readonly size?: { readonly height: number; readonly width: number } | undefined
  readonly network: 'host' | 'none'
  readonly mounts: readonly BindMount[]
  /** Temporary file systems, by their places, with options as mount(8) has them. */
  readonly temporary?: Readonly<Record<string, readonly string[]>> | undefined
  /** `CAP_…` that its root has. */
  readonly capabilities: readonly string[]
  /** The control group that it gets; absent: none. */
  readonly group?: string | undefined
  /** In a user namespace already, whose root this is. */
  readonly inNamespace: boolean
  /** Whether groups can be set, and everything has an owner there. */
  readonly manyOwners: boolean
}

export const maskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
]
export const readOnlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

/** `config.json` of an OCI runtime bundle (runtime-spec 1.0.2). */
export function runtimeSpec(options: SpecOptions): object {
  const { root, readOnly, command, environment, directory, identity, hostname, terminal, network } = options
  const { uid, gid, groups } = identity
  const bounding = capabilitiesGiven(options)
  const capabilities = uid === 0 ? bounding : []
  return {
    ociVersion: '1.0.2',
    process: {
      terminal,
      ...(options.size && { consoleSize: options.size }),
      user: { uid, gid, ...(options.manyOwners && groups.length > 0 && { additionalGids: groups }) },
      args: command,
      env: environment,
      cwd: directory,
      capabilities: {
        bounding,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
      noNewPrivileges: false,
    },
    root: { path: root, readonly: readOnly },
    hostname,
    mounts: [...systemMounts(options), ...temporaryMounts(options), ...options.mounts.map(bindMount)],
    linux: {
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
        ...(network === 'none' ? [{ type: 'network' }] : []),
      ],
      ...(options.group !== undefined && { cgroupsPath: options.group, resources: { devices: [closedDevices] } }),
      maskedPaths,
      readonlyPaths: readOnlyPaths,
    },
  }
}

/** What a runtime opens again are those that every container has. */
const closedDevices = { allow: false, access: 'rwm' }

/** Nothing but a control group, or a user namespace, keeps who makes a device from what is behind it. */
export function capabilitiesGiven({ capabilities, group, inNamespace }: SpecOptions): readonly string[] {
  return group === undefined && !inNamespace ? capabilities.filter((name) => name !== 'CAP_MKNOD') : capabilities
}

function systemMounts({ inNamespace, manyOwners, network }: SpecOptions): object[] {
  // The file system of a network that is the host's belongs to the host's root.
  const sysfs =
    inNamespace && network === 'host'
      ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'] }
      : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] }
  const terminals = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620']
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    // Group 5 is that of terminals everywhere; a namespace may not have it.
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: manyOwners ? [...terminals, 'gid=5'] : terminals,
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    sysfs,
  ]
}

function temporaryMounts({ temporary = {} }: SpecOptions): object[] {
  return Object.entries(temporary).map(([destination, options]) => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', ...options],
  }))
}

function bindMount({ source, target, readOnly }: BindMount): object {
  return { destination: target, type: 'none', source, options: ['rbind', 'rprivate', readOnly ? 'ro' : 'rw'] }
}
