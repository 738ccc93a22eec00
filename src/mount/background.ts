import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { errorOf, type FailureData } from '../fuse/thread-messages.ts'
import { type ByteString, decodeText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { inheritNothing } from '../sys/inherited.ts'
import { endedHere } from '../sys/mount-holders.ts'
import { whereMounted } from '../sys/mount-table.ts'
import { startOf } from '../sys/processes.ts'
import { type FuseOptions, sourceOf } from './fuse-mount.ts'
import { unlessBusy } from './in-use.ts'
import type { Attached } from './mounted.ts'
import { type OwnerRanges, rangesOf } from './owner-ranges.ts'
import { programPath } from './program-path.ts'
import { servingFlags } from './serving-flags.ts'
import type { Standing } from './standing.ts'
import { type Server, serverEnded, unmountFuse } from './unmount-fuse.ts'

/** What a background server is told, in this order. */
export type BackgroundOrder =
  | { readonly order: 'mount'; readonly standing: Standing; readonly target: ByteString; readonly options: MountData }
  /** Its mount is recorded: whatever becomes of who started it, it serves on. */
  | { readonly order: 'keep' }

/** What it answers, once. */
export type BackgroundAnswer = { readonly says: 'mounted' } | { readonly says: 'failed'; readonly error: FailureData }

/** `MountOptions` that can be sent to another process. */
export interface MountData
  extends Pick<FuseOptions, 'readOnly' | 'suid' | 'devices' | 'allowOther' | 'lowLatency' | 'id'> {
  readonly owners?: OwnerRanges | undefined
}

/** A mount that a process of its own serves. */
export interface BackgroundMount extends Attached {
  readonly server: number
  /**
   * Lets the server serve on, whatever becomes of this process: it ends with it until then. To be called when the mount is recorded.
   * Returns when it has heard it.
   */
  keep(): Promise<void>
}

/**
 * As `mountByFuse`, by a process in the background: it has a session of its own, nothing of this process's descriptors, and `/` as its
 * working directory, so it outlives this process and its terminal. It unmounts and ends on SIGINT and SIGTERM.
 */
export async function mountInBackground(
  standing: Standing,
  target: ByteString,
  { signal, onProgress: _, owners, via: __, background: ___, ...options }: FuseOptions = {},
): Promise<BackgroundMount> {
  inheritNothing()
  const child = fork(programPath('background-server'), [decodeText(target)], {
    detached: true,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [...servingFlags()],
  })
  const ended = once(child, 'exit').then(() => {})
  const order: BackgroundOrder = {
    order: 'mount',
    standing,
    target,
    options: { ...options, ...(owners && { owners: rangesOf(owners) }) },
  }
  await readied(child, order, signal)
  const server: Server = { pid: child.pid!, started: startOf(child.pid!) ?? '' }
  return {
    server: server.pid,
    ended,
    async keep() {
      if (!child.connected) return
      const heard = once(child, 'disconnect')
      child.send({ order: 'keep' } satisfies BackgroundOrder, () => {})
      await heard
      child.unref()
    },
    async unmount(how = {}) {
      const where = whereMounted(({ source }) => source === sourceOf(options.id)) ?? target
      const device = await unlessBusy(where, () => unmountFuse(where, how))
      if (how.detach) return
      await endedHere(serverEnded(server), ({ type, minor }) => type.startsWith('fuse') && minor === device)
    },
  }
}

/** Sends the order, and returns when the mount answers. What goes wrong there is thrown here. @throws PLY_ABORTED */
async function readied(child: ChildProcess, order: BackgroundOrder, signal: AbortSignal | undefined): Promise<void> {
  const stop = (): void => {
    child.kill('SIGTERM')
  }
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  try {
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject)
      child.on('message', (answer: BackgroundAnswer) => {
        if (answer.says === 'mounted') resolve()
        else reject(errorOf(answer.error))
      })
      child.on('exit', (status, killed) =>
        reject(
          signal?.aborted
            ? new PlyError('PLY_ABORTED', {}, { cause: signal.reason })
            : new PlyError('PLY_SERVER_ENDED', { how: killed ?? `exit ${status}` }),
        ),
      )
      child.send(order)
    })
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}
