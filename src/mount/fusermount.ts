import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FuseDoor, OpenDoor } from '../fuse/door.ts'
import { bytesOf, decodeText, encodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { abortFuseConnection, usersMayAllowOther } from '../sys/fuse-connections.ts'
import { mountAt, whereMounted } from '../sys/mount-table.ts'
import { type Path, shown } from '../sys/path.ts'
import { movedAbove, receiveDescriptor, socketPair } from '../sys/unix-socket.ts'
import { closedDevice, noWayIn } from './no-way-in.ts'

const program = 'fusermount3'
/** Its messages are read. */
const environment = (): NodeJS.ProcessEnv => ({ ...process.env, LC_ALL: 'C' })

export interface FusermountOptions {
  readonly readOnly: boolean
  readonly suid: boolean
  readonly devices: boolean
  readonly allowOther: boolean
  /** What the table of mounts says that it comes from. */
  readonly source: string
}

/**
 * The way for ordinary users: the program `fusermount3`, which is root's, mounts and sends the open device. It stays, and unmounts when
 * this process ends, however it ends.
 *
 * @throws from `open`: PLY_UNSUPPORTED with what to do; PLY_MOUNT_TARGET, ENOENT, ENOTDIR about the target; PLY_ABORTED
 */
export function fusermountDoor(options: FusermountOptions, signal?: AbortSignal): FuseDoor {
  return { open: (target) => openByFusermount(target, options, signal) }
}

async function openByFusermount(
  target: Path,
  { readOnly, suid, devices, allowOther, source }: FusermountOptions,
  signal: AbortSignal | undefined,
): Promise<OpenDoor> {
  if ((suid || devices) && process.getuid!() !== 0)
    throw noWayIn('only root can mount with set-id bits or devices that count; leave --suid and --dev away')
  if (allowOther && process.getuid!() !== 0 && !usersMayAllowOther())
    throw noWayIn('other users may enter only where /etc/fuse.conf has the line user_allow_other; root can add it')
  const path = textOf(target)
  if (signal?.aborted) throw new PlyError('PLY_ABORTED', {}, { cause: signal.reason })
  const wishes = [
    `default_permissions,fsname=${source},subtype=ply,auto_unmount`,
    ...(readOnly ? ['ro'] : []),
    ...(suid ? ['suid'] : []),
    ...(devices ? ['dev'] : []),
    ...(allowOther ? ['allow_other'] : []),
  ].join(',')
  const [mine, theirs] = socketPair()
  let child: ChildProcess
  try {
    child = spawn(program, ['-o', wishes, '--', path], {
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      env: { ...environment(), _FUSE_COMMFD: '3' },
      cwd: '/',
      // What a terminal sends to all of its foreground must not end it halfway.
      detached: true,
    })
  } catch (error) {
    closeSync(mine)
    throw error
  } finally {
    closeSync(theirs)
  }
  let said = ''
  child.stderr!.setEncoding('latin1').on('data', (text: string) => {
    said += text
  })
  let failure: Error | undefined
  child.on('error', (error) => {
    failure = error
  })
  const gone = once(child, 'close').catch(() => {})
  try {
    const fd = await received(mine)
    if (fd === undefined) {
      await gone
      throw failure ? unstarted(failure) : refused(said, path)
    }
    // It stays as long as the mount, and nobody waits for it.
    child.unref()
    ;(child.stderr as unknown as { unref(): void }).unref()
    // The program looks whether the mount is dead when the socket closes: the device has to be closed by then.
    return new FusermountMount(target, path, fd, movedAbove(mine, fd), { child, gone })
  } catch (error) {
    closeSync(mine)
    throw error
  }
}

/** The program that stays. */
interface Helper {
  readonly child: ChildProcess
  readonly gone: Promise<unknown>
}

class FusermountMount implements OpenDoor {
  readonly fd: number
  readonly #target: Path
  readonly #path: string
  readonly #helper: Helper
  readonly #device: number | undefined
  #socket: number | undefined

  constructor(target: Path, path: string, fd: number, socket: number, helper: Helper) {
    this.fd = fd
    this.#target = target
    this.#path = path
    this.#socket = socket
    this.#helper = helper
    this.#device = mountAt(encodeText(path))?.minor
  }

  async unmount({ detach, force }: { readonly detach: boolean; readonly force: boolean }): Promise<void> {
    if (force && this.#device !== undefined) abortFuseConnection(this.#device)
    const where = whereMounted((line) => line.minor === this.#device && line.type.startsWith('fuse'))
    await unmountByFusermount(where ?? this.#target, { detach: detach || force })
  }

  cutOff(): void {
    if (this.#device !== undefined) abortFuseConnection(this.#device)
    spawnSync(program, ['-u', '-z', '--', this.#path], { stdio: 'ignore', cwd: '/' })
  }

  /** The program that stayed must have gone before somebody mounts there again: it unmounts what it finds. */
  async close(): Promise<void> {
    if (this.#socket === undefined) return
    closeSync(this.#socket)
    this.#socket = undefined
    this.#helper.child.ref()
    await Promise.race([this.#helper.gone, sleep(5000, undefined, { ref: false })])
    this.#helper.child.unref()
  }
}

/**
 * Unmounts what this user has mounted, dead or alive, by `fusermount3 -u`. What is not mounted any more is no error.
 * @throws EBUSY; EPERM for what another user has mounted; PLY_UNSUPPORTED without the program
 */
export async function unmountByFusermount(target: Path, { detach }: { readonly detach: boolean }): Promise<void> {
  const path = textOf(target)
  const child = spawn(program, ['-u', ...(detach ? ['-z'] : []), '--', path], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: environment(),
    cwd: '/',
    detached: true,
  })
  let said = ''
  child.stderr.setEncoding('latin1').on('data', (text: string) => {
    said += text
  })
  const [status] = await once(child, 'close').catch((error: unknown) => {
    throw unstarted(error as Error)
  })
  if (status === 0 || /not found in|not mounted|Invalid argument/.test(said)) return
  const details = { syscall: 'umount', path }
  if (/busy/.test(said)) throw new PlyError('EBUSY', details)
  if (/not permitted|denied/.test(said)) throw new PlyError('EPERM', details, { cause: new Error(said.trim()) })
  throw new PlyError('EIO', details, { cause: new Error(said.trim()) })
}

/**
 * The descriptor that the program sends, soon; `undefined` when it has closed its end without one. It has to be waited for, whoever asks to
 * stop: a program that has mounted and finds nobody to send it to ends without unmounting, and leaves a dead mount that nobody knows of.
 */
async function received(socket: number): Promise<number | undefined> {
  for (let pause = 1; ; pause = Math.min(20, pause * 2)) {
    const found = receiveDescriptor(socket)
    if (found === 'closed') return undefined
    if (found !== undefined) return found
    await sleep(pause)
  }
}

function refused(said: string, path: string): PlyError {
  const text = said.replace(/^fusermount3: /gm, '').trim()
  if (/\/dev\/fuse/.test(text)) return closedDevice(text)
  if (/no write access|not owned|Permission denied/.test(text)) {
    const reason = `${program} mounts only where this user may write; name a directory of your own`
    return new PlyError('PLY_MOUNT_TARGET', { target: path, reason }, { cause: new Error(text) })
  }
  if (/No such file/.test(text)) return new PlyError('ENOENT', { syscall: 'mount', path })
  if (/Not a directory|not a directory/.test(text)) return new PlyError('ENOTDIR', { syscall: 'mount', path })
  return noWayIn(`${program} says: ${text || 'nothing'}`)
}

function unstarted(error: Error): Error {
  if (codeOf(error) !== 'ENOENT') return error
  return noWayIn(`there is no ${program}; install the package fuse3, or use a namespace: ply mount … -- COMMAND`)
}

/** Programs take text. */
function textOf(target: Path): string {
  const text = shown(target)
  const bytes = typeof target === 'string' ? bytesOf(target) : target
  if (!Buffer.from(text).equals(bytes)) throw noWayIn(`${decodeText(encodeText(text))} is not UTF-8; mount elsewhere`)
  return text
}
