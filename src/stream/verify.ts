import type { Digest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import type { ByteStream } from './bytes.ts'
import { Tally } from './hash.ts'

/** What a stream is claimed to be. What is absent is not checked. */
export interface Claim {
  readonly digest?: Digest | undefined
  /** Bytes. */
  readonly size?: number | undefined
  /** What the bytes are, for people. The digest by default. */
  readonly what?: string
}

/**
 * The same bytes, checked as they flow (layer-semantics Z-05). The stream fails at its end, not at its start, if they are not what was
 * claimed: believe nothing before it has ended. Bytes beyond the size are noticed at once (Z-04).
 *
 * @throws PLY_SIZE_MISMATCH, PLY_DIGEST_MISMATCH
 */
export async function* verified(stream: ByteStream, { digest, size, what = digest ?? 'the input' }: Claim): ByteStream {
  const tally = digest === undefined ? undefined : new Tally()
  let actual = 0
  for await (const chunk of stream) {
    actual += chunk.length
    if (size !== undefined && actual > size) {
      throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: size, actual: `at least ${actual}` })
    }
    tally?.write(chunk)
    yield chunk
  }
  if (size !== undefined && actual !== size) throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: size, actual })
  if (tally !== undefined && tally.digest() !== digest) {
    throw new PlyError('PLY_DIGEST_MISMATCH', { what, expected: digest, actual: tally.digest() })
  }
}
