import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { closeUnmanaged } from './close.ts'
import { errnoName, lastErrno, libc, systemError } from './libc.ts'
import { type Path, PathSlot, shown } from './path.ts'

/** How a file system names an inode for good: the name is not used again, unlike its number. */
export interface FileHandle {
  readonly type: number
  readonly id: Buffer
}

/** `MAX_HANDLE_SZ`. */
const largest = 128
/** Length and type, 32 bits each. */
const headerSize = 8
/** `FS_IOC_GETFSUUID`, Linux 6.9: a length, and as many bytes. */
const getUuid = 0x80111500
const uuidSize = 16
const atWorkingDirectory = -100
const openPath = 0o10000000

const slot = new PathSlot()
const nameToHandle = libc('int name_to_handle_at(int, uintptr_t, void*, void*, int)')
const openByHandle = libc('int open_by_handle_at(int, void*, int)')
const ioctl = libc('int ioctl(int, unsigned long, void*)')

/** What tells nothing but that there is no such thing here. */
const lacking = ['EOPNOTSUPP', 'ENOTSUP', 'ENOTTY', 'ENOSYS', 'EINVAL', 'EOVERFLOW']

/**
 * The handle of an inode, by a path whose last symlink is not followed; `undefined` where the file system has none.
 *
 * @throws ENOENT, EACCES …; PLY_NO_NATIVE.
 */
export function fileHandle(path: Path): FileHandle | undefined {
  const handle = Buffer.alloc(headerSize + largest)
  handle.writeUInt32LE(largest, 0)
  if (nameToHandle(atWorkingDirectory, slot.put(path), handle, Buffer.alloc(8), 0) !== 0) {
    const errno = lastErrno()
    if (lacking.includes(errnoName(errno))) return undefined
    throw systemError('name_to_handle_at', errno, shown(path))
  }
  const size = handle.readUInt32LE(0)
  return { type: handle.readInt32LE(4), id: handle.subarray(headerSize, headerSize + size) }
}

/**
 * The number of the inode that a handle names, on the file system of an open directory; `undefined` if it is gone, or this process
 * may not ask (CAP_DAC_READ_SEARCH).
 */
export function inodeOfHandle(directory: number, { type, id }: FileHandle): number | undefined {
  const handle = Buffer.alloc(headerSize + id.length)
  handle.writeUInt32LE(id.length, 0)
  handle.writeInt32LE(type, 4)
  handle.set(id, headerSize)
  const fd = Number(openByHandle(directory, handle, openPath))
  if (fd < 0) {
    const errno = lastErrno()
    if ([...lacking, 'ESTALE', 'EPERM'].includes(errnoName(errno))) return undefined
    throw systemError('open_by_handle_at', errno)
  }
  try {
    return fstatSync(fd).ino
  } finally {
    closeUnmanaged(fd)
  }
}

/** The uuid of the file system that a directory is on; `undefined` where the kernel does not say it. */
export function fileSystemUuid(directory: string | Buffer): Buffer | undefined {
  const answer = Buffer.alloc(1 + uuidSize)
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    if (ioctl(fd, getUuid, answer) !== 0) return undefined
  } finally {
    closeSync(fd)
  }
  return answer[0] === uuidSize ? answer.subarray(1) : undefined
}
