import { closeSync, constants, lstatSync, openSync, readlinkSync, realpathSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ByteString, bytesOf, decodeText, encodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { tryFlock } from '../sys/flock.ts'
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
 * @throws PLY_MOUNT_TARGET for what is no directory; PLY_USAGE for a place that may not be; PLY_MOUNT_EXISTS where something of ours is mounted already
 */
export async function mountTarget(path: string, stores: readonly string[]): Promise<ByteString> {
  if (path === '') throw refused('the directory to mount on has no name; name one')
  const target = await directoryAt(resolve(path))
  const bytes = encodeText(target)
  const there = mountAt(bytes)
  if (there && isMountOfPly(there)) throw new PlyError('PLY_MOUNT_EXISTS', { target })
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
 * Keeps others from mounting on a directory meanwhile: of two who come at the same time one would be hidden by the other. It is the directory
 * itself that is locked, so that it is so across stores. Nothing happens where it cannot be.
 *
 * @throws PLY_MOUNT_TARGET while somebody else is mounting there; PLY_MOUNT_EXISTS if he has done so
 */
export function targetClaimed(target: ByteString): Disposable {
  const text = decodeText(target)
  let fd: number
  try {
    fd = openSync(bytesOf(target), constants.O_RDONLY | constants.O_DIRECTORY)
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return { [Symbol.dispose]() {} }
  }
  try {
    if (isTaken(fd)) throw unfit(text, 'somebody else is mounting there just now; try again when that is done')
    const there = mountAt(target)
    if (there && isMountOfPly(there)) throw new PlyError('PLY_MOUNT_EXISTS', { target: text })
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return { [Symbol.dispose]: () => closeSync(fd) }
}

function isTaken(fd: number): boolean {
  try {
    return !tryFlock(fd, { shared: false })
  } catch (error) {
    // No locks on this file system.
    if (codeOf(error) === undefined) throw error
    return false
  }
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

/** @throws PLY_MOUNT_TARGET */
async function directoryAt(path: string): Promise<string> {
  try {
    const target = await resolved(path)
    if (lstatSync(target).isDirectory()) return target
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') throw unfit(path, missing(path), error)
    if (code === 'ELOOP') throw unfit(path, 'its symlinks lead nowhere', error)
    if (code === 'EACCES') throw unfit(path, 'this user may not get there; name a directory of your own', error)
    if (code !== 'ENOTDIR') throw error
  }
  throw unfit(path, 'it is no directory; name one')
}

function missing(path: string): string {
  const link = lstatSync(path, { throwIfNoEntry: false })
  return link === undefined
    ? `there is no such directory; make it first: mkdir -p ${path}`
    : `it is a symlink to ${readlinkSync(path)}, which is not there; make that first, or name another directory`
}

function unfit(target: string, reason: string, cause?: unknown): PlyError {
  return new PlyError('PLY_MOUNT_TARGET', { target, reason }, { cause })
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
