import { Worker } from 'node:worker_threads'
import { byteString } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { abortFuseConnection } from '../sys/fuse-connections.ts'
import { closeFuseDevice, type FuseMountOptions, mountFuseDevice, openFuseDevice } from '../sys/fuse-device.ts'
import { umount, unmountFlags } from '../sys/mount.ts'
import { endedHere } from '../sys/mount-holders.ts'
import { mountAt, whereMounted } from '../sys/mount-table.ts'
import type { Path } from '../sys/path.ts'
import { widenReadAhead } from '../sys/read-ahead.ts'
import type { FuseDoor, OpenDoor } from './door.ts'
import { largestTransfer } from './negotiate.ts'
import { abandoned, errorOf, type ThreadData, type ThreadMessage, type ThreadOptions } from './thread-messages.ts'

export interface FuseMountRequest extends FuseMountOptions, ThreadOptions {
  /** The directory to mount on, a byte string. */
  readonly target: Path
  /** The program of the serving thread: a module that calls `serveInThread`. */
  readonly program: URL | string
  /** What that program opens its tree from: it is cloned. */
  readonly input: unknown
  /** How the mount is made. Default: by `mount(2)`, with `flags` and `allowOther`. */
  readonly door?: FuseDoor
}

/** A mounted union, served by a thread of this process. It ends when it is unmounted, by whomever, or with the process. */
export interface FuseMount extends AsyncDisposable {
  readonly target: Path
  /** Settles when the thread has ended and closed its tree: rejects with why, if it was not that nothing is mounted any more. */
  readonly ended: Promise<void>
  /**
   * Unmounts, and returns when the thread has ended; where another mount namespace has taken the mount along, at once, and that is served
   * on. With `detach` the name goes at once, and serving goes on until the last file in it is closed; with `force` everybody in it is cut
   * off. Safe to call twice. @throws EBUSY while somebody is in it
   */
  unmount(how?: { readonly detach?: boolean; readonly force?: boolean }): Promise<void>
}

/**
 * Mounts a union by FUSE, and returns when it answers. Without another door the caller needs CAP_SYS_ADMIN in its user namespace.
 *
 * The thread cannot be called back while it waits for the kernel: `process.exit` would wait for it for ever, so the mount is cut off
 * then. A process that is killed leaves a dead mount behind (ENOTCONN), which `umount` removes.
 *
 * @throws PLY_UNSUPPORTED where there is no device for this user, EPERM, ENOENT, ENOTDIR; whatever opening the tree throws
 */
export async function mountFuse(asked: FuseMountRequest): Promise<FuseMount> {
  const { target, program, input, flags = 0, allowOther = true, door, ...options } = asked
  const data: ThreadData = { input, options }
  const worker = new Worker(program, { workerData: data })
  let failure: Error | undefined
  let mount: OpenDoor | undefined
  const cutOff = (): void => {
    mount?.cutOff()
    mount = undefined
  }
  const ended = new Promise<void>((resolve, reject) => {
    worker.on('error', (error) => {
      failure ??= error
    })
    worker.on('exit', async () => {
      process.off('exit', cutOff)
      // Its connection is closed: what is still mounted is dead. Without a failure nothing is, or something else.
      if (failure) mount?.cutOff()
      await mount?.close()
      mount = undefined
      if (failure) reject(failure)
      else resolve()
    })
  })
  // Whoever waits for it is told; nobody has to.
  ended.catch(() => {})
  worker.on('message', (message: ThreadMessage) => {
    if (message.says === 'failed') failure ??= errorOf(message.error)
    if (message.says === 'mistake') process.emitWarning(message.text, { code: 'PLY_FUSE_MISTAKE' })
  })
  const told = (wanted: ThreadMessage['says']): Promise<void> =>
    new Promise((resolve, reject) => {
      worker.on('message', ({ says }: ThreadMessage) => {
        if (says === wanted) resolve()
      })
      ended.then(
        () => reject(new PlyError('PLY_ABORTED')),
        () => reject(failure),
      )
    })
  await told('opened')
  process.on('exit', cutOff)
  try {
    mount = await (door ?? deviceDoor({ flags, allowOther })).open(target)
  } catch (error) {
    worker.postMessage(abandoned)
    await ended
    throw error
  }
  const ready = told('ready')
  worker.postMessage(mount.fd)
  await ready
  const device = mountAt(typeof target === 'string' ? target : byteString(target))?.minor
  if (device !== undefined) widenReadAhead(device, largestTransfer)

  async function unmount({ detach = false, force = false } = {}): Promise<void> {
    await mount?.unmount({ detach, force })
    await (detach || force ? ended : endedHere(ended, ({ type, minor }) => type.startsWith('fuse') && minor === device))
  }
  return { target, ended, unmount, [Symbol.asyncDispose]: () => unmount({ detach: true }) }
}

/** The way for who has CAP_SYS_ADMIN: `mount(2)`. */
export function deviceDoor({ flags = 0, allowOther = true, source = 'ply' }: FuseMountOptions): FuseDoor {
  return {
    open(target) {
      const fd = openFuseDevice()
      try {
        mountFuseDevice(fd, target, { flags, allowOther, source })
      } catch (error) {
        closeFuseDevice(fd)
        throw error
      }
      let isMounted = true
      const device = mountAt(typeof target === 'string' ? target : byteString(target))?.minor
      return {
        fd,
        unmount({ detach, force }) {
          if (force && device !== undefined) abortFuseConnection(device)
          if (!isMounted) return
          const where = whereMounted((line) => line.minor === device && line.type.startsWith('fuse')) ?? target
          if (force) forget(where, unmountFlags.force)
          try {
            umount(where, detach || force ? unmountFlags.detach : 0)
          } catch (error) {
            // Somebody else has unmounted it.
            if (codeOf(error) !== 'EINVAL') throw error
          }
          isMounted = false
        },
        cutOff() {
          if (isMounted) forget(target, unmountFlags.force)
          if (isMounted) forget(target, unmountFlags.detach)
          isMounted = false
        },
        close() {
          isMounted = false
        },
      }
    },
  }
}

/** Unmounts what may not be mounted any more. */
function forget(target: Path, flags: number): void {
  try {
    umount(target, flags)
  } catch (error) {
    if (codeOf(error) === undefined) throw error
  }
}
