import { setImmediate as turn } from 'node:timers/promises'
import { PlyError } from '../model/errors.ts'
import { checkAborted } from '../model/operation.ts'
import type { ByteStream } from './bytes.ts'

/**
 * The same bytes; a read that is pending when the signal fires ends at once. The source is then closed as soon as its
 * own pending read returns, behind the caller's back: nothing can end a read inside somebody else's generator.
 *
 * Where everything is in memory or done by calls that do not wait, promises alone would keep the event loop from
 * turning and no signal could fire; so this lets it turn every 20 ms.
 *
 * @throws PLY_ABORTED
 */
export function abortable(stream: ByteStream, signal: AbortSignal | undefined): ByteStream {
  return signal === undefined ? stream : untilSignalled(stream, signal)
}

/**
 * What the work answers, or `PLY_ABORTED` as soon as the signal fires. The work itself goes on unobserved: whoever calls
 * this cleans up after it.
 */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(new PlyError('PLY_ABORTED', {}, { cause: signal.reason }))
    if (signal.aborted) {
      // The work may fail later, when nobody looks any more.
      work.catch(() => {})
      stop()
      return
    }
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

async function* untilSignalled(stream: ByteStream, signal: AbortSignal): ByteStream {
  checkAborted(signal)
  const source = stream[Symbol.asyncIterator]()
  let open = true
  // Not `performance`, which takes Node longer to load than a small file to be read.
  let turned = Date.now()
  try {
    for (;;) {
      if (Math.abs(Date.now() - turned) > 20) {
        await turn()
        turned = Date.now()
      }
      checkAborted(signal)
      const { done, value } = await untilAborted(source.next(), signal)
      if (done) {
        open = false
        return
      }
      yield value
    }
  } finally {
    if (open) await close(source, signal.aborted)
  }
}

async function close(source: AsyncIterator<Uint8Array>, inBackground: boolean): Promise<void> {
  const closing = source.return?.()
  if (closing === undefined) return
  // The caller has its PLY_ABORTED already; what closing says after that has no reader.
  if (inBackground) void closing.catch(() => {})
  else await closing
}
