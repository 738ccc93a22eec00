import { once } from 'node:events'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Tree } from '../stack/tree.ts'
import { closeFuseDevice, FuseConnection } from '../sys/fuse-device.ts'
import type { WritableUnion } from '../union/union.ts'
import { serve } from './serve.ts'
import { failureData, mounted, type ThreadData, type ThreadMessage } from './thread-messages.ts'

/**
 * The program of a serving thread, for `mountFuse`: opens a tree (a union has to be of this thread, which alone uses it), serves it
 * until nothing is mounted any more, and closes it. While it serves, the thread does nothing else: no timer and no promise goes on.
 */
export async function serveInThread<Input>(
  open: (input: Input) => Tree | WritableUnion | Promise<Tree | WritableUnion>,
): Promise<void> {
  const port: MessagePort = parentPort!
  const { fd, input, options } = workerData as ThreadData
  const tell = (message: ThreadMessage): void => port.postMessage(message)
  let tree: Tree | WritableUnion | undefined
  try {
    tree = await open(input as Input)
    tell({ says: 'opened' })
    const [word] = await once(port, 'message')
    if (word !== mounted) return
    serve(tree, (request, reply) => new FuseConnection(fd, request, reply), {
      ...options,
      onReady: () => tell({ says: 'ready' }),
      onMistake: (error) => tell({ says: 'mistake', text: (error as Error).stack ?? String(error) }),
    })
  } catch (error) {
    tell({ says: 'failed', error: failureData(error) })
  } finally {
    // Nobody must go on waiting for an answer that will never come.
    closeFuseDevice(fd)
    try {
      tree?.close()
    } catch (error) {
      tell({ says: 'failed', error: failureData(error) })
    }
    port.close()
  }
}
