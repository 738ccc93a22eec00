import type { Tree } from '../stack/tree.ts'
import type { WritableUnion } from '../union/union.ts'
import { Dispatcher } from './dispatcher.ts'
import { largestTransfer } from './negotiate.ts'
import { Reply } from './reply.ts'
import { Request } from './request.ts'
import type { ServingOptions } from './session.ts'

/** The other end of a connection: the kernel, or what stands for it in tests. */
export interface Connection {
  /** Waits for a request and puts it there. Answers with its length; `undefined` at the end, when nothing is mounted any more. */
  receive(): number | undefined
  /** Sends so many bytes. Whoever asked may have gone meanwhile, which is nobody's concern. */
  send(length: number): void
}

export interface ServeOptions extends ServingOptions {
  /** Told when the kernel has agreed on how to speak: from here on names under the mount point are answered. */
  readonly onReady?: () => void
  readonly onMistake?: (error: unknown) => void
}

/** Beside what is read or written: headers, names, structures. */
const around = 8192

/**
 * Serves a tree, or a union that may be written, until nothing is mounted any more, and answers one request after the other. It waits for the
 * kernel without letting anything else run, and for the answers of control requests alone by promises: it wants a thread of its own. That thread must never touch what lies under the mount point. What the
 * kernel left open is closed then; the tree stays the caller's.
 */
export async function serve(
  tree: Tree | WritableUnion,
  connect: (request: Buffer, reply: Buffer) => Connection,
  { onReady, onMistake, ...options }: ServeOptions = {},
): Promise<void> {
  const request = new Request(largestTransfer + around)
  const reply = new Reply(largestTransfer + around)
  const dispatcher = new Dispatcher(tree, request, reply, options)
  if (onMistake) dispatcher.onMistake = onMistake
  const connection = connect(request.memory, reply.memory)
  let told = false
  try {
    for (let length = connection.receive(); length !== undefined; length = connection.receive()) {
      const size = dispatcher.answer(length)
      if (size > 0) connection.send(size)
      if (dispatcher.isAsked) connection.send(await dispatcher.control())
      for (let late = dispatcher.late(); late > 0; late = dispatcher.late()) connection.send(late)
      if (!told && dispatcher.ready) {
        told = true
        onReady?.()
      }
    }
  } finally {
    dispatcher.close()
  }
}
