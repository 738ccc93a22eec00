import type { ByteString } from '../../src/model/bytes.ts'
import { errnoName, koffi, lastErrno, libc } from '../../src/sys/libc.ts'
import { PathSlot } from '../../src/sys/path.ts'

/**
 * System calls as they are, without an error object for what is refused: most random operations are. Paths are byte strings.
 * A result below 0 is a refusal, whose name `refused` answers, right after the call.
 */
const here = -100
const noFollow = 0x100
const emptyPath = 0x1000
export const largestRead = 1 << 20

const slots = { path: new PathSlot(), to: new PathSlot(), name: new PathSlot() }

const c = {
  openat: libc('int openat(int, uintptr_t, int, unsigned int)'),
  close: libc('int close(int)'),
  pread: libc('long pread(int, uintptr_t, size_t, long)'),
  read: libc('long read(int, uintptr_t, size_t)'),
  pwrite: libc('long pwrite(int, void*, size_t, long)'),
  write: libc('long write(int, void*, size_t)'),
  ftruncate: libc('int ftruncate(int, long)'),
  truncate: libc('int truncate(uintptr_t, long)'),
  fallocate: libc('int fallocate(int, int, long, long)'),
  lseek: libc('long lseek(int, long, int)'),
  copy: libc('long copy_file_range(int, void*, int, void*, size_t, unsigned int)'),
  fsync: libc('int fsync(int)'),
  syncfs: libc('int syncfs(int)'),
  mkdirat: libc('int mkdirat(int, uintptr_t, unsigned int)'),
  unlinkat: libc('int unlinkat(int, uintptr_t, int)'),
  renameat2: libc('int renameat2(int, uintptr_t, int, uintptr_t, unsigned int)'),
  linkat: libc('int linkat(int, uintptr_t, int, uintptr_t, int)'),
  symlinkat: libc('int symlinkat(uintptr_t, int, uintptr_t)'),
  readlinkat: libc('long readlinkat(int, uintptr_t, uintptr_t, size_t)'),
  mknodat: libc('int mknodat(int, uintptr_t, unsigned int, unsigned long)'),
  chmod: libc('int chmod(uintptr_t, unsigned int)'),
  fchmod: libc('int fchmod(int, unsigned int)'),
  fchownat: libc('int fchownat(int, uintptr_t, unsigned int, unsigned int, int)'),
  utimensat: libc('int utimensat(int, uintptr_t, uintptr_t, int)'),
  futimens: libc('int futimens(int, uintptr_t)'),
  statx: libc('int statx(int, uintptr_t, int, unsigned int, uintptr_t)'),
  getdents: libc('long getdents64(int, uintptr_t, size_t)'),
  setxattr: libc('int setxattr(uintptr_t, uintptr_t, void*, size_t, int)'),
  lsetxattr: libc('int lsetxattr(uintptr_t, uintptr_t, void*, size_t, int)'),
  fsetxattr: libc('int fsetxattr(int, uintptr_t, void*, size_t, int)'),
  getxattr: libc('long getxattr(uintptr_t, uintptr_t, uintptr_t, size_t)'),
  lgetxattr: libc('long lgetxattr(uintptr_t, uintptr_t, uintptr_t, size_t)'),
  fgetxattr: libc('long fgetxattr(int, uintptr_t, uintptr_t, size_t)'),
  listxattr: libc('long listxattr(uintptr_t, uintptr_t, size_t)'),
  llistxattr: libc('long llistxattr(uintptr_t, uintptr_t, size_t)'),
  flistxattr: libc('long flistxattr(int, uintptr_t, size_t)'),
  removexattr: libc('int removexattr(uintptr_t, uintptr_t)'),
  lremovexattr: libc('int lremovexattr(uintptr_t, uintptr_t)'),
  fremovexattr: libc('int fremovexattr(int, uintptr_t)'),
  umask: libc('unsigned int umask(unsigned int)'),
  unshare: libc('int unshare(int)'),
}

/** Where the kernel puts what it answers. */
const scratch = Buffer.allocUnsafeSlow(largestRead)
const record = Buffer.alloc(256)
const times = new BigInt64Array(4)
let addresses: { readonly scratch: bigint; readonly record: bigint; readonly times: bigint } | undefined

function at(): NonNullable<typeof addresses> {
  if (addresses !== undefined) return addresses
  const { address } = koffi('the oracle')
  return (addresses = { scratch: address(scratch), record: address(record), times: address(times) })
}

/** What `statx` says, as numbers; `ino` is exact up to 2^53, which the kernel's numbers on one file system stay below. */
export interface RawStat {
  mode: number
  links: number
  uid: number
  gid: number
  ino: number
  size: number
  major: number
  minor: number
  atime: bigint
  mtime: bigint
}

export type On = { readonly path: ByteString; readonly follow: boolean } | { readonly fd: number }

/** The errno name of the call that just failed; ENOTSUP for both of its names. */
export function refused(): string {
  return errnoName(lastErrno())
}

export const sys = {
  setMask: (mask: number) => c.umask(mask),
  /** From here on the calling thread has mounts of its own. */
  unshareMounts: () => Number(c.unshare(0x20000)),
  open: (path: ByteString, flags: number, mode = 0) => Number(c.openat(here, slots.path.put(path), flags, mode)),
  close: (fd: number) => Number(c.close(fd)),
  /** At most `largestRead` bytes. The answer is a part of one buffer, valid until the next call; `undefined`: refused. */
  pread(fd: number, size: number, position: number): Buffer | undefined {
    const count = Number(c.pread(fd, at().scratch, Math.min(size, largestRead), position))
    return count < 0 ? undefined : scratch.subarray(0, count)
  },
  read(fd: number, size: number): Buffer | undefined {
    const count = Number(c.read(fd, at().scratch, Math.min(size, largestRead)))
    return count < 0 ? undefined : scratch.subarray(0, count)
  },
  pwrite: (fd: number, bytes: Buffer, position: number) => Number(c.pwrite(fd, bytes, bytes.length, position)),
  write: (fd: number, bytes: Buffer) => Number(c.write(fd, bytes, bytes.length)),
  ftruncate: (fd: number, size: number) => Number(c.ftruncate(fd, size)),
  truncate: (path: ByteString, size: number) => Number(c.truncate(slots.path.put(path), size)),
  fallocate: (fd: number, mode: number, position: number, size: number) =>
    Number(c.fallocate(fd, mode, position, size)),
  lseek: (fd: number, position: number, whence: number) => Number(c.lseek(fd, position, whence)),
  copy: (from: number, fromAt: number, to: number, toAt: number, size: number) =>
    Number(c.copy(from, new BigInt64Array([BigInt(fromAt)]), to, new BigInt64Array([BigInt(toAt)]), size, 0)),
  fsync: (fd: number) => Number(c.fsync(fd)),
  syncfs: (fd: number) => Number(c.syncfs(fd)),
  mkdir: (path: ByteString, mode: number) => Number(c.mkdirat(here, slots.path.put(path), mode)),
  unlink: (path: ByteString) => Number(c.unlinkat(here, slots.path.put(path), 0)),
  rmdir: (path: ByteString) => Number(c.unlinkat(here, slots.path.put(path), 0x200)),
  rename: (path: ByteString, to: ByteString, flags: number) =>
    Number(c.renameat2(here, slots.path.put(path), here, slots.to.put(to), flags)),
  link: (path: ByteString, to: ByteString, follow: boolean) =>
    Number(c.linkat(here, slots.path.put(path), here, slots.to.put(to), follow ? 0x400 : 0)),
  linkHandle: (fd: number, to: ByteString) =>
    Number(c.linkat(fd, slots.path.put(''), here, slots.to.put(to), emptyPath)),
  symlink: (target: ByteString, path: ByteString) =>
    Number(c.symlinkat(slots.to.put(target), here, slots.path.put(path))),
  readlink(path: ByteString): ByteString | undefined {
    const count = Number(c.readlinkat(here, slots.path.put(path), at().scratch, 65536))
    return count < 0 ? undefined : scratch.toString('latin1', 0, count)
  },
  mknod: (path: ByteString, mode: number, major: number, minor: number) =>
    Number(c.mknodat(here, slots.path.put(path), mode, (major << 8) | minor)),
  chmod: (on: On, mode: number) => Number('fd' in on ? c.fchmod(on.fd, mode) : c.chmod(slots.path.put(on.path), mode)),
  chown: (on: On, uid: number, gid: number) =>
    Number(
      'fd' in on
        ? c.fchownat(on.fd, slots.path.put(''), uid, gid, emptyPath)
        : c.fchownat(here, slots.path.put(on.path), uid, gid, on.follow ? 0 : noFollow),
    ),
  /** Nanoseconds; `omit` and `now` as `utimensat` has them. */
  utimens(on: On, atime: bigint | 'now' | 'omit', mtime: bigint | 'now' | 'omit'): number {
    putTime(0, atime)
    putTime(2, mtime)
    return Number(
      'fd' in on
        ? c.futimens(on.fd, at().times)
        : c.utimensat(here, slots.path.put(on.path), at().times, on.follow ? 0 : noFollow),
    )
  },
  /** The answer is one object, valid until the next call. */
  stat(on: On): RawStat | undefined {
    const result =
      'fd' in on
        ? c.statx(on.fd, slots.path.put(''), emptyPath, 0x7ff, at().record)
        : c.statx(here, slots.path.put(on.path), on.follow ? 0 : noFollow, 0x7ff, at().record)
    return result === 0 ? decodeStat() : undefined
  },
  /** Names with the inode numbers and the kinds (`DT_…`) that the listing gives them. */
  list(path: ByteString): { name: ByteString; ino: number; type: number }[] | undefined {
    const fd = this.open(path, 0o200000)
    if (fd < 0) return undefined
    const found: { name: ByteString; ino: number; type: number }[] = []
    for (;;) {
      const count = Number(c.getdents(fd, at().scratch, largestRead))
      if (count <= 0) break
      for (let offset = 0; offset < count; ) {
        const length = scratch.readUInt16LE(offset + 16)
        const name = scratch.toString('latin1', offset + 19, scratch.indexOf(0, offset + 19))
        if (name !== '.' && name !== '..')
          found.push({ name, ino: Number(scratch.readBigUInt64LE(offset)), type: scratch[offset + 18]! })
        offset += length
      }
    }
    c.close(fd)
    return found
  },
  setXattr(on: On, name: ByteString, value: Buffer, flags: number): number {
    const nameAt = slots.name.put(name)
    if ('fd' in on) return Number(c.fsetxattr(on.fd, nameAt, value, value.length, flags))
    return Number((on.follow ? c.setxattr : c.lsetxattr)(slots.path.put(on.path), nameAt, value, value.length, flags))
  },
  getXattr(on: On, name: ByteString): Buffer | undefined {
    const nameAt = slots.name.put(name)
    const count = Number(
      'fd' in on
        ? c.fgetxattr(on.fd, nameAt, at().scratch, 65536)
        : (on.follow ? c.getxattr : c.lgetxattr)(slots.path.put(on.path), nameAt, at().scratch, 65536),
    )
    return count < 0 ? undefined : scratch.subarray(0, count)
  },
  listXattrs(on: On): ByteString[] | undefined {
    const count = Number(
      'fd' in on
        ? c.flistxattr(on.fd, at().scratch, 65536)
        : (on.follow ? c.listxattr : c.llistxattr)(slots.path.put(on.path), at().scratch, 65536),
    )
    if (count < 0) return undefined
    return count === 0 ? [] : scratch.toString('latin1', 0, count - 1).split('\0')
  },
  removeXattr(on: On, name: ByteString): number {
    const nameAt = slots.name.put(name)
    if ('fd' in on) return Number(c.fremovexattr(on.fd, nameAt))
    return Number((on.follow ? c.removexattr : c.lremovexattr)(slots.path.put(on.path), nameAt))
  },
}

const view = new DataView(record.buffer, record.byteOffset, record.length)
const stat: RawStat = {
  mode: 0,
  links: 0,
  uid: 0,
  gid: 0,
  ino: 0,
  size: 0,
  major: 0,
  minor: 0,
  atime: 0n,
  mtime: 0n,
}

function decodeStat(): RawStat {
  stat.links = view.getUint32(16, true)
  stat.uid = view.getUint32(20, true)
  stat.gid = view.getUint32(24, true)
  stat.mode = view.getUint16(28, true)
  stat.ino = Number(view.getBigUint64(32, true))
  stat.size = Number(view.getBigUint64(40, true))
  stat.atime = view.getBigInt64(64, true) * 1_000_000_000n + BigInt(view.getUint32(72, true))
  stat.mtime = view.getBigInt64(112, true) * 1_000_000_000n + BigInt(view.getUint32(120, true))
  stat.major = view.getUint32(128, true)
  stat.minor = view.getUint32(132, true)
  return stat
}

const nanoseconds = 1_000_000_000n

function putTime(index: number, time: bigint | 'now' | 'omit'): void {
  if (typeof time === 'string') {
    times[index] = 0n
    times[index + 1] = time === 'now' ? 0x3fffffffn : 0x3ffffffen
    return
  }
  const rest = ((time % nanoseconds) + nanoseconds) % nanoseconds
  times[index] = (time - rest) / nanoseconds
  times[index + 1] = rest
}
