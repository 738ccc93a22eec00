import { type CFunction, libc } from '../../src/sys/libc.ts'
import type { Capability, Credentials } from '../../src/union/user.ts'

/** `CAP_…` of `<linux/capability.h>`. */
const bits: Readonly<Record<Capability, number>> = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_FOWNER: 3,
  CAP_FSETID: 4,
  CAP_SYS_ADMIN: 21,
  CAP_MKNOD: 27,
  CAP_SETFCAP: 31,
}
const version3 = 0x20080522

const setresuid = libc('int setresuid(unsigned int, unsigned int, unsigned int)')
const setresgid = libc('int setresgid(unsigned int, unsigned int, unsigned int)')
const capget = libc('int capget(void*, void*)')
const capset = libc('int capset(void*, void*)')
const header = Buffer.alloc(8)
header.writeUInt32LE(version3)

/**
 * Does something with the very credentials that are given, as the kernel sees them, and is root again afterwards. Only this
 * thread gets the capabilities, so it is for calls that do not leave it. Needs root.
 */
export function as<T>({ uid, gid, groups = [], umask = 0o022, capabilities: able }: Credentials, act: () => T): T {
  const before = process.umask(umask)
  process.setgroups!([...groups])
  succeed(setresgid, gid, gid, 0)
  succeed(setresuid, uid, uid, 0)
  if (able !== undefined) setCapabilities(able)
  try {
    return act()
  } finally {
    if (able !== undefined) setCapabilities()
    succeed(setresuid, 0, 0, 0)
    succeed(setresgid, 0, 0, 0)
    process.setgroups!([])
    process.umask(before)
  }
}

/** Of the permitted ones, which stay, so that root can be had back. Without `able`: all of them. */
function setCapabilities(able?: readonly Capability[]): void {
  const sets = Buffer.alloc(24)
  succeed(capget, header, sets)
  let effective = able === undefined ? sets.readUInt32LE(4) : 0
  for (const capability of able ?? []) effective |= 1 << bits[capability]
  sets.writeUInt32LE(effective >>> 0, 0)
  sets.writeUInt32LE(able === undefined ? sets.readUInt32LE(16) : 0, 12)
  succeed(capset, header, sets)
}

function succeed(call: CFunction, ...given: Parameters<CFunction>): void {
  if (call(...given) !== 0) throw new Error('this process may not become that')
}
