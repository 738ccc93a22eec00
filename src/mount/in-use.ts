import { readdirSync, readlinkSync } from 'node:fs'
import { type ByteString, bytesOf, decodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { mountTable } from '../sys/mount-table.ts'
import { commandOf, processes } from '../sys/processes.ts'

/** A process that keeps a mount busy. */
export interface User {
  readonly pid: number
  /** What it is called. */
  readonly command: string
}

/**
 * Who has something open under a directory, or stands in it, as far as this user may see. `/proc` is asked, and nothing that is mounted
 * is touched.
 */
export function usersOf(target: ByteString): User[] {
  const path = bytesOf(target)
  const found: User[] = []
  for (const pid of processes()) {
    if (pid !== process.pid && links(pid).some((link) => isUnder(link, path)))
      found.push({ pid, command: commandOf(pid) ?? '?' })
  }
  return found
}

/** As messages name them. */
export function usersText(users: readonly User[]): string {
  if (users.length === 0) return 'somebody who cannot be seen from here'
  const shown = users.slice(0, 5).map(({ pid, command }) => `${command} (${pid})`)
  return users.length > 5 ? `${shown.join(', ')} and ${users.length - 5} more` : shown.join(', ')
}

/** The directories below one on which something is mounted. */
export function mountsIn(target: ByteString): ByteString[] {
  return mountTable()
    .map((line) => line.target)
    .filter((one) => one.startsWith(`${target}/`))
}

function* linkPaths(pid: number): Generator<string> {
  for (const name of ['cwd', 'root', 'exe']) yield `/proc/${pid}/${name}`
  for (const directory of ['fd', 'map_files']) {
    let names: string[]
    try {
      names = readdirSync(`/proc/${pid}/${directory}`)
    } catch (error) {
      if (codeOf(error) === undefined) throw error
      continue
    }
    for (const name of names) yield `/proc/${pid}/${directory}/${name}`
  }
}

function links(pid: number): Buffer[] {
  const found: Buffer[] = []
  for (const path of linkPaths(pid)) {
    try {
      found.push(readlinkSync(path, 'buffer'))
    } catch (error) {
      // It has gone, or is not ours to ask.
      if (codeOf(error) === undefined) throw error
    }
  }
  return found
}

function isUnder(link: Buffer, path: Buffer): boolean {
  return (
    link.length >= path.length &&
    link.subarray(0, path.length).equals(path) &&
    (link.length === path.length || link[path.length] === 0x2f)
  )
}

/** @throws PLY_MOUNT_BUSY for EBUSY */
export async function unlessBusy<Done>(target: ByteString, act: () => Promise<Done> | Done): Promise<Done> {
  try {
    return await act()
  } catch (error) {
    if (codeOf(error) === 'EBUSY') throw busyMount(target, error)
    throw error
  }
}

/** Says who is in the way of unmounting. */
export function busyMount(target: ByteString, cause: unknown): PlyError {
  const users = usersOf(target)
  const text = decodeText(target)
  const on = mountsIn(target).map(decodeText)
  const details =
    on.length > 0
      ? { who: `what is mounted in it`, advice: `unmount that first: umount ${on.toReversed().join(' ')}` }
      : {
          who: usersText(users),
          advice: `unmount it once they have left, or take it away from under them: ply umount --detach ${text}`,
        }
  return new PlyError('PLY_MOUNT_BUSY', { target: text, users, ...details }, { cause })
}
