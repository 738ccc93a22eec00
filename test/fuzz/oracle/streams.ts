import { createHash } from 'node:crypto'
import type { ByteStream } from '../../../src/stream/bytes.ts'
import { type Outcome, outcomeOf } from './outcome.ts'

/** What came out of a stream. */
export interface Drained {
  readonly size: number
  readonly hash: string
  /** There was more, which nobody read. */
  readonly cut: boolean
}

/** Bytes that are read of one output: a few hundred of input can say gigabytes. */
export const mostOutput = 3 << 20

const streamRefusals = ['PLY_BAD_COMPRESSION'] as const

/**
 * Reads a stream to its end, or up to so many bytes. Chunks have to be inside of what they may be: not empty for ever, none
 * larger than a few megabytes.
 */
export function drained(stream: ByteStream, codes: readonly string[] = streamRefusals): Promise<Outcome<Drained>> {
  return outcomeOf(codes, async () => {
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of stream) {
      const rest = mostOutput - size
      hash.update(chunk.length > rest ? chunk.subarray(0, rest) : chunk)
      size += Math.min(chunk.length, rest)
      if (chunk.length >= rest) return { size, hash: hash.digest('hex'), cut: true }
    }
    return { size, hash: hash.digest('hex'), cut: false }
  })
}

/** What would have come out of it, from bytes that are known. */
export function drainedBytes(bytes: Uint8Array): Drained {
  const cut = bytes.length >= mostOutput
  const part = cut ? bytes.subarray(0, mostOutput) : bytes
  return { size: part.length, hash: createHash('sha256').update(part).digest('hex'), cut }
}

/** Whether two outcomes are the same: both refused, or the same bytes. */
export function sameOutput(a: Outcome<Drained>, b: Outcome<Drained>): boolean {
  if (a.value === undefined || b.value === undefined) return a.value === b.value
  return a.value.size === b.value.size && a.value.hash === b.value.hash && a.value.cut === b.value.cut
}

export function sayOutput({ value, refusal }: Outcome<Drained>): string {
  return refusal === undefined ? `${value.size} bytes${value.cut ? ' and more' : ''}` : refusal.message
}
