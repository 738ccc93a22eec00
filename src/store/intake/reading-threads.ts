import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { errorFrom, type ReadingAnswer, type ReadingRequest } from './reading-messages.ts'

/** Starting a thread costs as much as reading so many bytes of blob. */
export const worthAThread = 4 << 20

const program = new URL('./reading-thread.js', import.meta.url)

/** How many threads a machine can keep busy with so many layers; 0 where they are better read one after the other, here. */
export function usefulThreads(layers: number): number {
  // Node runs no TypeScript in threads of its own.
  if (import.meta.url.endsWith('.ts')) return 0
  const threads = Math.min(availableParallelism(), layers)
  return threads > 1 ? threads : 0
}

/** Threads that read layers from files into files. */
export class ReadingThreads {
  readonly #idle: Worker[] = []
  readonly #all: Worker[] = []
  readonly #waiting: { readonly resolve: (worker: Worker) => void; readonly reject: (error: Error) => void }[] = []
  #left: number

  constructor(threads: number) {
    this.#left = threads
  }

  /** Waits for a thread, and for what it finds. @throws what reading the layer throws; PLY_ABORTED */
  async read(
    request: ReadingRequest,
    { onProgress }: Operation = {},
  ): Promise<Pick<Extract<ReadingAnswer, { says: 'found' }>, 'found' | 'sizes'>> {
    const worker = await this.#take()
    try {
      return await new Promise((resolve, reject) => {
        const settled = (act: () => void) => {
          worker.off('message', onMessage).off('error', onError).off('exit', onExit)
          act()
        }
        const onMessage = (answer: ReadingAnswer) => {
          if (answer.says === 'progress') onProgress?.(answer.progress)
          else if (answer.says === 'found') settled(() => resolve(answer))
          else settled(() => reject(errorFrom(answer.error)))
        }
        const onError = (error: Error) => settled(() => reject(error))
        const onExit = () => settled(() => reject(new PlyError('PLY_ABORTED')))
        worker.on('message', onMessage).on('error', onError).on('exit', onExit)
        worker.postMessage(request)
      })
    } finally {
      this.#giveBack(worker)
    }
  }

  /** Ends what they are at; returns when they have ended. Safe to call twice. */
  async end(): Promise<void> {
    this.#left = 0
    for (const { reject } of this.#waiting.splice(0)) reject(new PlyError('PLY_ABORTED'))
    await Promise.all(this.#all.splice(0).map((worker) => worker.terminate()))
  }

  async #take(): Promise<Worker> {
    const idle = this.#idle.pop()
    if (idle !== undefined) return idle
    if (this.#left === 0) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
    this.#left--
    try {
      const worker = new Worker(program)
      this.#all.push(worker)
      return worker
    } catch (error) {
      // Nobody would give one back to those who wait.
      if (this.#all.length === 0) for (const { reject } of this.#waiting.splice(0)) reject(error as Error)
      this.#left++
      throw error
    }
  }

  #giveBack(worker: Worker): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#idle.push(worker)
    else next.resolve(worker)
  }
}
