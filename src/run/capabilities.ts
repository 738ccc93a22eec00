import { PlyError } from '../model/errors.ts'

/** What docker and podman let a container's root do. */
const usual = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
]

const others = [
  'AUDIT_CONTROL',
  'AUDIT_READ',
  'BLOCK_SUSPEND',
  'BPF',
  'CHECKPOINT_RESTORE',
  'DAC_READ_SEARCH',
  'IPC_LOCK',
  'IPC_OWNER',
  'LEASE',
  'LINUX_IMMUTABLE',
  'MAC_ADMIN',
  'MAC_OVERRIDE',
  'NET_ADMIN',
  'NET_BROADCAST',
  'PERFMON',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_MODULE',
  'SYS_NICE',
  'SYS_PACCT',
  'SYS_PTRACE',
  'SYS_RAWIO',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'SYSLOG',
  'WAKE_ALARM',
]

/** What a container's root may do: what is usual, without some and with more. Names with or without `CAP_`, or `ALL`; the additions win. */
export interface CapabilityChanges {
  readonly add?: readonly string[] | undefined
  readonly drop?: readonly string[] | undefined
}

/** @throws PLY_USAGE for a name that is none */
export function capabilitiesOf({ add = [], drop = [] }: CapabilityChanges = {}): readonly string[] {
  const added = add.map(nameOf)
  const dropped = drop.map(nameOf)
  const all = [...usual, ...others]
  const allowed = new Set(dropped.includes('ALL') ? [] : added.includes('ALL') ? all : usual)
  for (const name of dropped) allowed.delete(name)
  for (const name of added) if (name !== 'ALL') allowed.add(name)
  return all.filter((name) => allowed.has(name)).map((name) => `CAP_${name}`)
}

function nameOf(text: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, '')
  if (name === 'ALL' || usual.includes(name) || others.includes(name)) return name
  throw new PlyError('PLY_USAGE', { reason: `there is no capability ${text}; see capabilities(7)` })
}
