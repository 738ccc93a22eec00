import { type ErrorCode, errorCodes, PlyError } from '../model/errors.ts'
import type { ServingOptions } from './session.ts'

/** What a serving thread is started with. */
export interface ThreadData {
  /** For the program that opens the tree: what can be cloned. */
  readonly input: unknown
  readonly options: ThreadOptions
}

export interface ThreadOptions extends Omit<ServingOptions, 'now' | 'control'> {
  /**
   * Whether the machine's idle processors are kept awake while requests come: each is answered in a third to two thirds of the time
   * where waking a processor takes long, as in many virtual machines, and takes more power. For root. Default: no.
   */
  readonly lowLatency?: boolean | undefined
}

/** What it tells, in this order; `failed` at any time. */
export type ThreadMessage =
  | { readonly says: 'opened' }
  | { readonly says: 'ready' }
  | { readonly says: 'mistake'; readonly text: string }
  | { readonly says: 'failed'; readonly error: FailureData }

/** An error as data: its class does not survive the way between threads. */
export interface FailureData {
  readonly message: string
  readonly code: string | undefined
  readonly details: Readonly<Record<string, unknown>>
}

/** What a serving thread is told when its tree is open: the open device that is mounted, which it closes, or that there will be none. */
export type MountedDevice = number | typeof abandoned
export const abandoned = 'abandoned'

export function failureData(error: unknown): FailureData {
  const { code, message } = error as { readonly code?: string; readonly message?: string }
  const details = error instanceof PlyError ? JSON.parse(JSON.stringify(error.details)) : {}
  return { message: message ?? String(error), code, details }
}

export function errorOf({ message, code, details }: FailureData): Error {
  if ((errorCodes as readonly string[]).includes(code ?? '')) return new PlyError(code as ErrorCode, details)
  return Object.assign(new Error(message), code !== undefined && { code })
}
