import { codeOf, type ErrorCode, errorCodes, PlyError } from '../../model/errors.ts'
import type { Progress } from '../../model/operation.ts'
import type { Found, Reading } from './reading.ts'

/** What a reading thread is asked: where the blob lies in which open file, and the files to write, which are there. */
export interface ReadingRequest {
  readonly reading: Reading
  readonly source: { readonly fd: number; readonly offset: number; readonly size: number }
  readonly files: { readonly blob: string; readonly tar: string; readonly index: string }
}

/** What it answers; `progress` any number of times before one of the others. */
export type ReadingAnswer =
  | { readonly says: 'progress'; readonly progress: Progress }
  | {
      readonly says: 'found'
      readonly found: Found
      readonly sizes: Readonly<Record<'blob' | 'tar' | 'index', number>>
    }
  | { readonly says: 'failed'; readonly error: PlainError }

/** An error as data: its class does not survive the way between threads. */
export interface PlainError {
  readonly message: string
  readonly stack: string | undefined
  readonly code: string | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly properties: Readonly<Record<string, unknown>>
  readonly cause: PlainError | undefined
}

export function plainError(error: unknown): PlainError {
  const { message, stack, cause, ...properties } =
    error instanceof Error
      ? { ...error, message: error.message, stack: error.stack, cause: error.cause }
      : { message: String(error), stack: undefined, cause: undefined }
  return {
    message,
    stack,
    code: codeOf(error),
    details: error instanceof PlyError ? error.details : undefined,
    properties: JSON.parse(JSON.stringify(properties)),
    cause: cause === undefined ? undefined : plainError(cause),
  }
}

export function errorFrom({ message, stack, code, details, properties, cause }: PlainError): Error {
  const options = cause === undefined ? undefined : { cause: errorFrom(cause) }
  const error =
    details !== undefined && (errorCodes as readonly string[]).includes(code ?? '')
      ? new PlyError(code as ErrorCode, details, options)
      : Object.assign(new Error(message, options), properties)
  if (stack !== undefined) error.stack = stack
  return error
}
