import { closeSync, openSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ByteString } from '../model/bytes.ts'
import { codeOf } from '../model/errors.ts'
import { type MountLine, mountTable } from './mount-table.ts'
import { mountIdOf } from './new-mount.ts'
import { mountNamespaceOf, processes } from './processes.ts'

const openPath = 0o10000000

/**
 * Processes that have something open in a mount, work in it or have mapped a file of it, as far as this user may see: also where the mount
 * is on no directory any more. Every open file of the machine is looked at.
 *
 * @param id what its namespace calls, or called, the mount
 */
function mountHolders(id: number): number[] {
  return processes().filter((pid) => links(pid).some((link) => mountIdAt(link) === id))
}

/**
 * A process of each other mount namespace where a mount shows, as far as this user may see. A namespace begins with all mounts of the one it
 * is made in, and keeps them when they are unmounted there.
 */
export function mountedElsewhere(isThat: (line: MountLine) => boolean): number[] {
  const seen = new Set([mountNamespaceOf('self')])
  return processes().filter((pid) => {
    try {
      const namespace = mountNamespaceOf(pid)
      if (seen.has(namespace)) return false
      seen.add(namespace)
      return mountTable(pid).some(isThat)
    } catch (error) {
      // It has gone, or is not ours to ask.
      if (codeOf(error) === undefined) throw error
      return false
    }
  })
}

/** Who has a mount that is on no directory here any more: those who are still in it, and those whose namespaces have it. */
export function holdersLeft({ id, source }: { readonly id: number; readonly source: ByteString }): number[] {
  const elsewhere = mountedElsewhere((line) => line.source === source)
  // Numbers of mounts that are gone are given to others.
  const isAnothers = (line: MountLine) => line.id === id && line.source !== source
  return mountTable().some(isAnothers) || mountedElsewhere(isAnothers).length > 0
    ? elsewhere
    : [...mountHolders(id), ...elsewhere]
}

/** Waits for the end of what serves a mount that is unmounted here, but not for those who have it in namespaces of theirs. */
export async function endedHere(ended: Promise<void>, isThat: (line: MountLine) => boolean): Promise<void> {
  const done = ended.then(() => true)
  for (let pause = 50; ; pause = Math.min(1000, pause * 2)) {
    if (await Promise.race([done, sleep(pause, false)])) return
    if (mountedElsewhere(isThat).length > 0) {
      done.catch(() => {})
      return
    }
  }
}

function links(pid: number): string[] {
  const at = `/proc/${pid}`
  const found = [`${at}/cwd`, `${at}/root`, `${at}/exe`]
  for (const directory of ['fd', 'map_files']) {
    try {
      for (const name of readdirSync(`${at}/${directory}`)) found.push(`${at}/${directory}/${name}`)
    } catch (error) {
      // It has gone, or is not ours to ask.
      if (codeOf(error) === undefined) throw error
    }
  }
  return found
}

function mountIdAt(link: string): number | undefined {
  let fd: number
  try {
    fd = openSync(link, openPath)
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return undefined
  }
  try {
    return mountIdOf(fd)
  } finally {
    closeSync(fd)
  }
}
