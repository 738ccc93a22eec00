import * as fs from 'node:fs'
import { type ByteString, bytesOf } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import { makeNode } from '../sys/nodes.ts'
import { renameExchange, renameWhiteout } from '../sys/rename.ts'
import { syncFileSystem } from '../sys/sync.ts'
import { setTimes } from '../sys/times.ts'
import { getXattr, listXattrs, removeXattr, setXattr } from '../sys/xattr.ts'

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

  names(path: ByteString): ByteString[] {
    return fs.readdirSync(native(path), 'latin1')
  }

  readlink(path: ByteString): ByteString {
    return fs.readlinkSync(native(path), 'latin1')
  }

  xattrNames(path: ByteString): readonly ByteString[] {
    return listXattrs(path)
  }

  xattr(path: ByteString, name: ByteString): Buffer | undefined {
    return getXattr(path, name)
  }

  setXattr(path: ByteString, name: ByteString, value: Uint8Array): void {
    setXattr(path, name, value)
  }

  removeXattr(path: ByteString, name: ByteString): void {
    removeXattr(path, name)
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

  chown(path: ByteString, uid: number, gid: number): void {
    fs.lchownSync(native(path), uid, gid)
  }

  chmod(path: ByteString, mode: number): void {
    fs.chmodSync(native(path), mode)
  }

  /** Modify and access time, in nanoseconds. */
  setTimes(path: ByteString, mtime: bigint): void {
    setTimes(path, { mtime, atime: mtime })
  }

  setMtime(path: ByteString, mtime: bigint): void {
    setTimes(path, { mtime })
  }

  /** Returns when everything on this file system is on its disk. */
  sync(path: ByteString): void {
    syncFileSystem(native(path))
  }

  open(path: ByteString, flags: string | number, mode?: number): number {
    return fs.openSync(native(path), flags, mode)
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
