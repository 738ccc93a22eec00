/**
 * A thread that reads layers, one at a time, as it is asked by `ReadingThreads`. It writes with system calls that wait: nothing else
 * runs here. Who wants it to stop terminates it.
 */
import { readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import type { ByteStream } from '../../stream/bytes.ts'
import { type FileSink, fileSink } from '../../sys/file-sink.ts'
import { zstdDecoders } from '../../sys/libzstd.ts'
import { readLayer } from './reading.ts'
import { plainError, type ReadingAnswer, type ReadingRequest } from './reading-messages.ts'

/** Milliseconds between two reports of progress. */
const progressEvery = 50

const port = parentPort!
const answer = (message: ReadingAnswer): void => port.postMessage(message)

port.on('message', (request: ReadingRequest) => {
  void perform(request).catch((error) => answer({ says: 'failed', error: plainError(error) }))
})

async function perform({ reading, source, files }: ReadingRequest): Promise<void> {
  const open = new Map<string, FileSink>()
  const sink = (name: 'blob' | 'tar' | 'index'): FileSink => {
    const opened = fileSink(files[name])
    open.set(name, opened)
    return opened
  }
  let told = performance.now()
  const onProgress = (progress: { what: string; done: number; total?: number }) => {
    const now = performance.now()
    if (now - told < progressEvery) return
    told = now
    answer({ says: 'progress', progress })
  }
  try {
    const into = { blob: sink('blob'), openTar: async () => sink('tar'), openIndex: async () => sink('index') }
    const found = await readLayer(chunksOf(source), into, reading, { zstd: zstdDecoders(), onProgress })
    for (const one of open.values()) await one.close()
    const size = (name: string) => open.get(name)?.size ?? 0
    answer({ says: 'found', found, sizes: { blob: size('blob'), tar: size('tar'), index: size('index') } })
  } catch (error) {
    await Promise.allSettled([...open.values()].map((one) => one.close()))
    throw error
  }
}

const chunkSize = 1 << 18

/** A part of a file that the asker has open, and closes. All chunks are one buffer: new ones would keep the garbage collector busy. */
async function* chunksOf({ fd, offset, size }: ReadingRequest['source']): ByteStream {
  const buffer = Buffer.allocUnsafeSlow(Math.min(chunkSize, size))
  for (let position = 0; position < size; ) {
    const got = readSync(fd, buffer, 0, Math.min(buffer.length, size - position), offset + position)
    if (got === 0) return
    position += got
    yield buffer.subarray(0, got)
  }
}
