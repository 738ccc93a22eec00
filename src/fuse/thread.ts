import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Tree } from '../stack/tree.ts'
import { closeFuseDevice, FuseConnection } from '../sys/fuse-device.ts'
import { type IdleProcessors, idleProcessors } from '../sys/idle-processors.ts'
import { type ProcessorWait, processorWait } from '../sys/processor-wait.ts'
import type { WritableUnion } from '../union/union.ts'
import { Attention } from './attention.ts'
import { type Connection, serve } from './serve.ts'
import { abandoned, failureData, type MountedDevice, type ThreadData, type ThreadMessage } from './thread-messages.ts'

/** What a serving thread has opened. */
export interface Opened {
  readonly tree: Tree | WritableUnion
  /** Answers what the user of this process, or root, asks of the mount by `controlCommand`: see `Control`. */
  readonly control?: (asked: unknown) => unknown
  /** Called when nothing is mounted any more. Default: the tree is closed. */
  readonly close?: () => void | Promise<void>
}

/**
 * The program of a serving thread, for `mountFuse`: opens a tree (a union has to be of this thread, which alone uses it), serves it
 * until nothing is mounted any more, and closes it. While it serves, the thread does nothing else: timers and promises go on only while
 * a control request is answered.
 */
export async function serveInThread<Input>(open: (input: Input) => Opened | Promise<Opened>): Promise<void> {
  const port: MessagePort = parentPort!
  const { input, options: asked } = workerData as ThreadData
  const { lowLatency = false, ...options } = asked
  const tell = (message: ThreadMessage): void => port.postMessage(message)
  let opened: Opened | undefined
  let device: number | undefined
  let wait: ProcessorWait | undefined
  let others: IdleProcessors | undefined
  try {
    if (lowLatency) others = idleProcessors()
    opened = await open(input as Input)
    const { tree, control } = opened
    tell({ says: 'opened' })
    const [fd] = (await once(port, 'message')) as [MountedDevice]
    if (fd === abandoned) return
    device = fd
    wait = processorWait()
    const waited = wait?.now
    const attention = new Attention({
      now: () => performance.now(),
      waited,
      processors: availableParallelism(),
      others,
    })
    await serve(tree, (request, reply) => attentive(new FuseConnection(fd, request, reply), attention), {
      ...options,
      ...(control && { control: { uid: process.getuid!(), answer: control } }),
      onReady: () => tell({ says: 'ready' }),
      onMistake: (error) => tell({ says: 'mistake', text: (error as Error).stack ?? String(error) }),
    })
  } catch (error) {
    tell({ says: 'failed', error: failureData(error) })
  } finally {
    // Nobody must go on waiting for an answer that will never come.
    if (device !== undefined) closeFuseDevice(device)
    wait?.close()
    others?.close()
    try {
      if (opened?.close) await opened.close()
      else opened?.tree.close()
    } catch (error) {
      tell({ says: 'failed', error: failureData(error) })
    }
    port.close()
  }
}

function attentive(device: FuseConnection, attention: Attention): Connection {
  return { receive: () => attention.next(device), send: (length) => device.send(length) }
}
