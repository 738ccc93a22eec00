import { constants, openSync } from 'node:fs'
import { endianness, constants as numbers } from 'node:os'
import { codeOf, PlyError } from '../model/errors.ts'
import { closeUnmanaged } from './close.ts'
import { errnoName, koffi, lastErrno, libc, systemError } from './libc.ts'
import { mount } from './mount.ts'
import type { Path } from './path.ts'

const device = '/dev/fuse'

const read = libc('long read(int, uintptr_t, size_t)')
const write = libc('long write(int, uintptr_t, size_t)')
const poll = libc('int poll(void*, unsigned long, int)')
const fcntl = libc('int fcntl(int, int, int)')

const { EAGAIN } = numbers.errno
const setStatusFlags = 4
/** POLLIN, as it stands in a `struct pollfd`. */
const readable = 1

/** Nothing is wrong: somebody else's signal, or a request that its caller has given up. */
const again = new Set(['EINTR', 'ENOENT'])

/**
 * Opens `/dev/fuse` for one mount. @throws PLY_UNSUPPORTED, with what to do, where it may not be opened or is not there; EMFILE
 */
export function openFuseDevice(): number {
  if (process.platform !== 'linux' || endianness() !== 'LE')
    throw unsupported('it takes Linux on a little-endian machine')
  try {
    return openSync(device, 'r+')
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EACCES' || code === 'EPERM')
      throw unsupported(`${device} is closed to this user; as root, open it: chmod 0666 ${device}`, error)
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'ENXIO')
      throw unsupported(
        `there is no ${device}; load the kernel's fuse module, or pass the device to the container`,
        error,
      )
    throw error
  }
}

export interface FuseMountOptions {
  /** Of `mountFlags`. */
  readonly flags?: number
  /** Whether other users may enter. Default: true. */
  readonly allowOther?: boolean
  /** What the table of mounts says that it comes from. Default: `ply`. */
  readonly source?: string
}

/**
 * Mounts the connection of an open device by `mount(2)`. The kernel checks permissions by mode, owner and ACLs. It speaks first, at
 * once: from here on whoever touches the target waits for answers.
 *
 * @throws EPERM without CAP_SYS_ADMIN, ENOENT, ENOTDIR, EBUSY …; PLY_NO_NATIVE
 */
export function mountFuseDevice(
  fd: number,
  target: Path,
  { flags = 0, allowOther = true, source = 'ply' }: FuseMountOptions = {},
): void {
  const owner = `user_id=${process.getuid!()},group_id=${process.getgid!()}`
  const options = `fd=${fd},rootmode=40000,${owner},default_permissions${allowOther ? ',allow_other' : ''}`
  mount(source, target, 'fuse.ply', flags, options)
}

/** An open device that is mounted, for one thread: requests are read into one place in memory, and answered from another. */
export class FuseConnection {
  readonly #fd: number
  readonly #request: bigint
  readonly #room: number
  readonly #reply: bigint
  /** `struct pollfd` */
  readonly #polled = Buffer.alloc(8)
  /** They must live as long as their addresses are used. */
  readonly memory: readonly Buffer[]

  constructor(fd: number, request: Buffer, reply: Buffer) {
    const { address } = koffi('serving a mount')
    this.#fd = fd
    this.#room = request.length
    this.#request = address(request)
    this.#reply = address(reply)
    this.memory = [request, reply]
    this.#polled.writeInt32LE(fd, 0)
    this.#polled.writeInt16LE(readable, 4)
    if (fcntl(fd, setStatusFlags, constants.O_RDWR | constants.O_NONBLOCK) < 0)
      throw systemError('fcntl', lastErrno(), device)
  }

  /**
   * Takes a request, if one is there: its length; 0 if there is none yet, `undefined` when nothing is mounted any more.
   * @throws EINVAL, EIO, EPERM before mounting
   */
  take(): number | undefined {
    const length = read(this.#fd, this.#request, this.#room)
    if (length >= 0) return Number(length)
    const errno = lastErrno()
    if (errno === EAGAIN) return 0
    const name = errnoName(errno)
    if (name === 'ENODEV' || name === 'ECONNABORTED') return undefined
    if (!again.has(name)) throw systemError('read', errno, device)
    return 0
  }

  /** Returns when there is something to take, or after so many milliseconds, or sooner. Default: however long it takes. */
  sleep(milliseconds = -1): void {
    poll(this.#polled, 1, milliseconds)
  }

  /** Sends so many bytes of the answer. That whoever asked has gone is no error. @throws EINVAL for what is no answer */
  send(length: number): void {
    if (write(this.#fd, this.#reply, length) >= 0) return
    const errno = lastErrno()
    const name = errnoName(errno)
    // Gone: the one who asked, or the mount, which the next `receive` tells.
    if (name !== 'ENOENT' && name !== 'ENODEV' && name !== 'ECONNABORTED') throw systemError('write', errno, device)
  }
}

/** Closes a device, in any thread: with the last descriptor of it everybody who waits for an answer gets ENOTCONN. */
export function closeFuseDevice(fd: number): void {
  closeUnmanaged(fd)
}

function unsupported(reason: string, cause?: unknown): PlyError {
  return new PlyError('PLY_UNSUPPORTED', { what: 'a FUSE mount here', reason }, { cause })
}
