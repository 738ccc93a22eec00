import { lstatSync, readlinkSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ByteString, decodeText, encodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { isMountOfPly, mountAt, mountTable } from '../sys/mount-table.ts'
import { unmountFuse } from './unmount-fuse.ts'

/** Links that are followed one after the other, as the kernel does it. */
const mostLinks = 40

/**
 * The directory to mount on, from the root and without symlinks. A mount of ours that nobody serves any more is removed from it first.
 *
 * Who serves a mount must never need what lies under it: so it may not hold the stores, nor this program, and nothing is mounted
 * into a store.
 *
 * @param path text, from the working directory
 * @param stores directories
 * @throws ENOENT, ENOTDIR; PLY_USAGE for a place that may not be; PLY_MOUNT_EXISTS where something of ours is mounted already
 */
export async function mountTarget(path: string, stores: readonly string[]): Promise<ByteString> {
  const target = await resolved(resolve(path))
  const bytes = encodeText(target)
  const there = mountAt(bytes)
  if (there && isMountOfPly(there)) throw new PlyError('PLY_MOUNT_EXISTS', { target })
  if (!lstatSync(target).isDirectory()) throw new PlyError('ENOTDIR', { syscall: 'mount', path: target })
  if (target === '/') throw refused('/ is where everything lies; mount elsewhere')
  for (const store of stores.map((one) => realpathSync(one))) {
    if (isIn(target, store)) throw refused(`${target} lies in the store ${store}; mount elsewhere`)
    if (isIn(store, target))
      throw refused(`the store ${store} lies in ${target}, and the mount would hide it; mount elsewhere`)
  }
  const program = dirname(fileURLToPath(import.meta.url))
  if (isIn(program, target))
    throw refused(`${target} holds the program that serves the mount (${program}); mount elsewhere`)
  return bytes
}

/**
 * A directory by which a mount is named, dead or alive: without symlinks on the way, and nothing that is mounted right there is touched.
 */
export function namedTarget(path: string): ByteString {
  const whole = resolve(path)
  const table = mountTable()
  const isMounted = (at: string) => mountAt(encodeText(at), table) !== undefined
  for (let at = whole, links = 0; links < mostLinks; links++) {
    if (isMounted(at)) return encodeText(at)
    try {
      at = at === '/' ? at : join(realpathSync(dirname(at)), at.slice(at.lastIndexOf('/') + 1))
      if (isMounted(at)) return encodeText(at)
      at = resolve(dirname(at), readlinkSync(at))
    } catch (error) {
      // Not a symlink, not there, or behind a mount that is dead: it is what it is called.
      if (codeOf(error) === undefined) throw error
      return encodeText(at)
    }
  }
  return encodeText(whole)
}

async function resolved(path: string): Promise<string> {
  for (let at = path, links = 0; links < mostLinks; links++) {
    try {
      return realpathSync(at)
    } catch (error) {
      if (codeOf(error) !== 'ENOTCONN') throw error
      at = await withoutDead(at, error)
    }
  }
  throw new PlyError('ELOOP', { syscall: 'realpath', path })
}

/** Removes the dead mount that is in the way of a path, if it is one of ours and the path itself; answers with the path. */
async function withoutDead(path: string, error: unknown): Promise<string> {
  const target = namedTarget(path)
  const there = mountAt(target)
  if (there?.type === 'fuse.ply') {
    await unmountFuse(target, { detach: true })
    return path
  }
  const dead = mountTable().findLast(
    ({ target: one, type }) => type.startsWith('fuse') && isIn(decodeText(target), decodeText(one)),
  )
  if (!dead) throw error
  const where = decodeText(dead.target)
  throw refused(
    `${where} is a mount that nobody serves any more; remove it: ${dead.type === 'fuse.ply' ? 'ply umount' : 'umount'} ${where}`,
  )
}

function isIn(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`)
}

function refused(reason: string): PlyError {
  return new PlyError('PLY_USAGE', { reason })
}
