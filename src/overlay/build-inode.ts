import * as fs from 'node:fs'
import type { ByteString } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Disk } from '../sys/disk.ts'
import type { Creation } from '../union/upper.ts'
import { copyContent } from './copy-content.ts'
import type { Marks } from './marks.ts'
import type { UpperDisk } from './upper-disk.ts'

export interface Blueprint {
  readonly creation: Creation
  readonly content: Bytes | undefined
  /** Marks that the inode has from its first moment, by stored name. */
  readonly marks: ReadonlyMap<ByteString, Uint8Array>
}

/**
 * Makes an inode at a path of the work directory: data, owner, xattrs, mode, times, in that order, so that set-id bits
 * and capabilities survive (layer-semantics O-03). What fails half-way is the caller's to discard.
 *
 * @throws ENOTSUP for what this process or this disk cannot store.
 */
export function buildInode(to: UpperDisk, disk: Disk, path: ByteString, names: Marks, plan: Blueprint): void {
  const { creation, content, marks } = plan
  const { kind, uid, gid, mode, mtime, target = '', major = 0, minor = 0 } = creation
  switch (kind) {
    case 'file':
      buildFile(to, disk, path, content)
      break
    case 'directory':
      to.makeDirectory(path, 0o700)
      break
    case 'symlink':
      to.symlink(target, path)
      break
    case 'character':
    case 'block':
    case 'fifo':
    case 'socket':
      // It would be a whiteout (layer-semantics D-09).
      if (kind === 'character' && major === 0 && minor === 0) throw new PlyError('ENOTSUP', { syscall: 'mknod' })
      storing(() => to.makeNode(path, kind, major, minor))
      break
    default:
      kind satisfies never
  }
  storing(() => to.chown(path, uid, gid))
  for (const [name, value] of creation.xattrs ?? []) storing(() => to.setXattr(path, names.stored(name), value))
  for (const [name, value] of marks) storing(() => to.setXattr(path, name, value))
  if (kind !== 'symlink') to.chmod(path, mode)
  to.setTimes(path, mtime)
}

/** Runs what may fail because this process may not do it or the disk has no place for it, and says so. */
export function storing(store: () => void): void {
  try {
    store()
  } catch (error) {
    const code = codeOf(error)
    if (code !== 'EPERM' && code !== 'EOPNOTSUPP' && code !== 'ENOTSUP') throw error
    throw new PlyError('ENOTSUP', { syscall: (error as NodeJS.ErrnoException).syscall ?? 'open' }, { cause: error })
  }
}

function buildFile(to: UpperDisk, disk: Disk, path: ByteString, content: Bytes | undefined): void {
  const fd = to.open(path, 'wx', 0o600)
  try {
    if (content) copyContent(disk, content, fd)
  } finally {
    fs.closeSync(fd)
  }
}
