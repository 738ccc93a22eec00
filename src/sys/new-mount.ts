import { closeSync, readFileSync, readSync } from 'node:fs'
import type { ByteString } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { lastErrno, libc, systemError } from './libc.ts'
import { type Path, pathBytes, shown } from './path.ts'

/** What a mount does, for `fsmount(2)` and `mount_setattr(2)`. */
export const mountAttributes = { readOnly: 1, noSuid: 2, noDevices: 4, idMapped: 0x100000 } as const

/** The longest parameter that `fsconfig(2)` takes, in bytes. */
export const longestParameter = 255

const closeOnExec = 1
const closeOnExecTree = 0o2000000
const cloneTree = 1
const emptyPath = 0x1000
const fromEmptyPath = 4
const targetSymlinks = 0x10
const atWorkingDirectory = -100
/** Commands of `fsconfig(2)`. */
const commands = { flag: 0, string: 1, file: 5, create: 6 } as const
const messageSize = 1024

const fsopen = libc('int fsopen(void*, unsigned int)')
const fsconfig = libc('int fsconfig(int, unsigned int, void*, void*, int)')
const fsmount = libc('int fsmount(int, unsigned int, unsigned int)')
const moveMountCall = libc('int move_mount(int, void*, int, void*, unsigned int)')
const openTree = libc('int open_tree(int, void*, unsigned int)')
const mountSetattr = libc('int mount_setattr(int, void*, unsigned int, void*, size_t)')

/**
 * A file system that is being set up (`fsopen(2)`), parameter by parameter: no string of options can overflow, and no value needs
 * escaping. What the kernel says of a failure stands in the error's details as `reason`.
 */
export class NewFileSystem implements Disposable {
  readonly #fd: number
  readonly #type: string
  #open = true

  /** @throws ENODEV if the kernel does not know the type, EPERM without CAP_SYS_ADMIN; PLY_NO_NATIVE */
  constructor(type: string) {
    const fd = Number(fsopen(pathBytes(type), closeOnExec))
    if (fd < 0) throw systemError('fsopen', lastErrno(), type)
    this.#fd = fd
    this.#type = type
  }

  /** @throws E2BIG beyond `longestParameter`; EINVAL for what the file system does not know, ENOENT … */
  set(key: string, value: Path): this {
    if (value.length > longestParameter) throw new PlyError('E2BIG', { syscall: 'fsconfig', path: shown(value) })
    return this.#configure(commands.string, key, pathBytes(value))
  }

  flag(key: string): this {
    return this.#configure(commands.flag, key, null)
  }

  /** @throws EINVAL where the file system takes only paths, or only others */
  setFile(key: string, fd: number): this {
    return this.#configure(commands.file, key, null, fd)
  }

  /**
   * Makes the file system, mounted nowhere: the descriptor of its root, with which it goes if it is closed first.
   * @param attributes of `mountAttributes`
   */
  mount(attributes: number): number {
    this.#configure(commands.create, undefined, null)
    const fd = Number(fsmount(this.#fd, closeOnExec, attributes))
    if (fd < 0) throw this.#failure('fsmount', lastErrno())
    return fd
  }

  [Symbol.dispose](): void {
    if (this.#open) closeSync(this.#fd)
    this.#open = false
  }

  #configure(command: number, key: string | undefined, value: Uint8Array | null, aux = 0): this {
    if (fsconfig(this.#fd, command, key === undefined ? null : pathBytes(key), value, aux) === 0) return this
    throw this.#failure('fsconfig', lastErrno(), key)
  }

  #failure(syscall: string, errno: number, key?: string): PlyError {
    const error = systemError(syscall, errno, key === undefined ? this.#type : `${this.#type} ${key}`)
    const reason = this.#said()
    return reason === '' ? error : new PlyError(error.code, { ...error.details, reason }, { cause: error })
  }

  /** What the kernel has said: messages that begin with `e `, `w ` or `i `, one a read. */
  #said(): string {
    const lines: string[] = []
    const room = Buffer.alloc(messageSize)
    try {
      for (let length = 1; length > 0 && lines.length < 20; ) {
        length = readSync(this.#fd, room, 0, room.length, null)
        lines.push(room.toString('utf8', 0, length).trim().slice(2))
      }
    } catch (error) {
      // ENODATA is the end.
      if (codeOf(error) === undefined) throw error
    }
    return lines.join('; ')
  }
}

/** Puts a mount that is mounted nowhere on a directory. A last symlink is followed. @throws ENOENT, ENOTDIR, EPERM, EINVAL */
export function moveMount(fd: number, target: Path): void {
  const flags = fromEmptyPath | targetSymlinks
  if (moveMountCall(fd, pathBytes(''), atWorkingDirectory, pathBytes(target), flags) !== 0)
    throw systemError('move_mount', lastErrno(), shown(target))
}

/** A copy, mounted nowhere, of the mount that a path is in, from there on; nothing that is mounted below. @throws ENOENT, EPERM … */
export function cloneMount(path: Path): number {
  const fd = Number(openTree(atWorkingDirectory, pathBytes(path), cloneTree | closeOnExecTree))
  if (fd < 0) throw systemError('open_tree', lastErrno(), shown(path))
  return fd
}

/**
 * Has a mount that is mounted nowhere show owners as a user namespace maps them: its inner numbers are those of the file system, its
 * outer ones are shown. @throws EINVAL where the file system cannot, or it is mounted already; EPERM
 */
export function mapOwners(fd: number, userNamespace: number): void {
  const attributes = Buffer.alloc(32)
  attributes.writeBigUInt64LE(BigInt(mountAttributes.idMapped), 0)
  attributes.writeBigUInt64LE(BigInt(userNamespace), 24)
  if (mountSetattr(fd, pathBytes(''), emptyPath, attributes, attributes.length) !== 0)
    throw systemError('mount_setattr', lastErrno())
}

/** What the mount namespace will call the mount that a descriptor is in. */
export function mountIdOf(fd: number): number {
  return Number(/^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1])
}

/** The name of an open file as a path of this process: short, and nothing in it needs escaping. */
export function pathOfDescriptor(fd: number): ByteString {
  return `/proc/self/fd/${fd}`
}
