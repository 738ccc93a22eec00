import * as fs from 'node:fs'
import { type ByteString, bytesOf } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import { codeOf } from '../model/errors.ts'
import type { DiskRoom } from '../sys/disk.ts'
import { type ExactStat, exactStat } from '../sys/exact-stat.ts'
import { makeNode } from '../sys/nodes.ts'
import { renameExchange, renameWhiteout } from '../sys/rename.ts'
import { roomAt } from '../sys/room.ts'
import { syncFileSystem } from '../sys/sync.ts'
import { setTimes } from '../sys/times.ts'
import { nameUnnamed, openUnnamed } from '../sys/unnamed-file.ts'
import { getXattr, listXattrs, removeXattr, setXattr } from '../sys/xattr.ts'

const { O_RDWR, O_CREAT, O_EXCL, O_NOATIME = 0 } = fs.constants
const makingFlags = O_RDWR | O_CREAT | O_EXCL | O_NOATIME

/** A real inode: by its path, or by an open descriptor where it has none. */
export type Spot = ByteString | number

/**
 * The real disk, by byte-string paths: what overlayfs's form needs of it. Nothing here follows a symlink at the end of
 * a path. Errors are errnos.
 */
export class UpperDisk {
  lstat(path: ByteString): fs.Stats {
    return fs.lstatSync(native(path))
  }

  /** With times to the nanosecond. */
  lstatExact(path: ByteString): fs.BigIntStats {
    return fs.lstatSync(native(path), { bigint: true })
  }

  /** As `lstatExact`, for what is asked often. */
  exactStat(at: Spot): ExactStat {
    return exactStat(at)
  }

  names(path: ByteString): ByteString[] {
    return fs.readdirSync(native(path), 'latin1')
  }

  readlink(path: ByteString): ByteString {
    return fs.readlinkSync(native(path), 'latin1')
  }

  readAll(path: ByteString): ByteString {
    return fs.readFileSync(native(path), 'latin1')
  }

  xattrNames(at: Spot): readonly ByteString[] {
    return listXattrs(at)
  }

  xattr(at: Spot, name: ByteString): Buffer | undefined {
    return getXattr(at, name)
  }

  setXattr(at: Spot, name: ByteString, value: Uint8Array): void {
    setXattr(at, name, value)
  }

  removeXattr(at: Spot, name: ByteString): void {
    removeXattr(at, name)
  }

  makeDirectory(path: ByteString, mode: number): void {
    fs.mkdirSync(native(path), mode)
  }

  makeNode(
    path: ByteString,
    kind: Kind & ('character' | 'block' | 'fifo' | 'socket'),
    major: number,
    minor: number,
  ): void {
    makeNode(path, { kind, major, minor, mode: 0o600 })
  }

  symlink(target: ByteString, path: ByteString): void {
    fs.symlinkSync(bytesOf(target), native(path))
  }

  link(path: ByteString, newPath: ByteString): void {
    fs.linkSync(native(path), native(newPath))
  }

  rename(from: ByteString, to: ByteString): void {
    fs.renameSync(native(from), native(to))
  }

  exchange(a: ByteString, b: ByteString): void {
    renameExchange(a, b)
  }

  renameLeavingWhiteout(from: ByteString, to: ByteString): void {
    renameWhiteout(from, to)
  }

  unlink(path: ByteString): void {
    fs.unlinkSync(native(path))
  }

  removeDirectory(path: ByteString): void {
    fs.rmdirSync(native(path))
  }

  chown(at: Spot, uid: number, gid: number): void {
    if (typeof at === 'number') fs.fchownSync(at, uid, gid)
    else fs.lchownSync(native(at), uid, gid)
  }

  chmod(at: Spot, mode: number): void {
    if (typeof at === 'number') fs.fchmodSync(at, mode)
    else fs.chmodSync(native(at), mode)
  }

  /** In nanoseconds, or the moment by the disk's clock; what is absent stays. */
  setTimes(
    at: Spot,
    times: { readonly mtime?: bigint | 'now' | undefined; readonly atime?: bigint | 'now' | undefined },
  ): void {
    setTimes(at, times)
  }

  /** A file without a name on the file system of a directory, open for reading and writing; `undefined` where there are none. */
  openUnnamed(directory: ByteString): number | undefined {
    return openUnnamed(directory, 0o600)
  }

  nameUnnamed(fd: number, path: ByteString): void {
    nameUnnamed(fd, path)
  }

  room(path: ByteString): DiskRoom {
    return roomAt(native(path))
  }

  /** Returns when everything on this file system is on its disk. */
  sync(path: ByteString): void {
    syncFileSystem(native(path))
  }

  open(path: ByteString, flags: string | number, mode?: number): number {
    return fs.openSync(native(path), flags, mode)
  }

  /** As `open`, so that reading moves no access time, where this process may say so: what it does not own it may not. */
  openQuietly(path: ByteString, flags: number): number {
    try {
      return fs.openSync(native(path), flags | O_NOATIME)
    } catch (error) {
      if (codeOf(error) !== 'EPERM') throw error
      return fs.openSync(native(path), flags)
    }
  }

  /** Makes a file where there is none, open for reading and writing. */
  make(path: ByteString, mode: number): number {
    return fs.openSync(native(path), makingFlags, mode)
  }

  close(fd: number): void {
    fs.closeSync(fd)
  }

  openDirectory(path: ByteString): number {
    return fs.openSync(native(path), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  }

  closeDirectory(fd: number): void {
    fs.closeSync(fd)
  }

  exists(path: ByteString): boolean {
    return fs.lstatSync(native(path), { throwIfNoEntry: false }) !== undefined
  }
}

/** As `node:fs` takes it: text where it is the same, else the bytes. */
export function native(path: ByteString): string | Buffer {
  for (let i = 0; i < path.length; i++) if (path.charCodeAt(i) > 0x7f) return bytesOf(path)
  return path
}
