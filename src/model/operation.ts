import { PlyError } from './errors.ts'

/** How far a long call has come. `done` and `total` are bytes; `total` is absent where nobody knows it. */
export interface Progress {
  /** What is being worked on, for people: a digest, a path, a name. */
  readonly what: string
  readonly done: number
  readonly total?: number
}

/** The last argument of every long call. */
export interface Operation {
  /** Aborting makes the call reject within 100 ms with `PLY_ABORTED` and leave nothing behind. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** @throws PLY_ABORTED if the signal has fired; its reason is the cause. Call between two steps of anything long. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new PlyError('PLY_ABORTED', {}, { cause: signal.reason })
}
