import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Platform } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { formatPlatform, normalPlatform, thisPlatform } from '../model/platform.ts'

/** What QEMU calls an architecture, where it is not what images call it. */
const qemuNames: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  '386': 'i386',
  arm64: 'aarch64',
  loong64: 'loongarch64',
  mips64le: 'mips64el',
  mipsle: 'mipsel',
}
/** Architectures whose programs a machine of another one runs by itself. */
const alsoRuns: Readonly<Record<string, readonly string[]>> = { amd64: ['386'] }

/**
 * Refuses what this machine cannot run: commands of another architecture, for which the kernel has no emulation that works in a container
 * (binfmt_misc, with the flag F).
 *
 * @param registered where the kernel tells what it emulates
 * @throws PLY_UNSUPPORTED
 */
export function checkRunnable(image: Platform, registered = '/proc/sys/fs/binfmt_misc'): void {
  const { os, architecture } = normalPlatform(image)
  const machine = thisPlatform()
  const native = [machine.architecture, ...(alsoRuns[machine.architecture] ?? [])].includes(architecture)
  if (os === 'linux' && (native || isEmulated(architecture, registered))) return
  throw new PlyError('PLY_UNSUPPORTED', {
    what: `running a command of ${formatPlatform(image)} on ${formatPlatform(machine)}`,
    reason:
      os === 'linux'
        ? `the kernel has no emulation of it for containers; install qemu-user-static with binfmt-support, or leave RUN to a stage FROM --platform=$BUILDPLATFORM`
        : 'only Linux is run here',
  })
}

function isEmulated(architecture: string, registered: string): boolean {
  const wanted = `qemu-${qemuNames[architecture] ?? architecture}`
  try {
    if (readFileSync(join(registered, 'status'), 'utf8').trim() !== 'enabled') return false
    return readdirSync(registered)
      .filter((name) => name === wanted || name.startsWith(`${wanted}-`))
      .some((name) => worksInContainers(readFileSync(join(registered, name), 'utf8')))
  } catch {
    // Without the file system there is no emulation either.
    return false
  }
}

function worksInContainers(entry: string): boolean {
  return /^enabled$/m.test(entry) && /^flags: \w*F/m.test(entry)
}
