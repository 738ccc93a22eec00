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
export async function* verified(stream: ByteStream, claim: Claim): ByteStream {
  const check = checkOf(claim)
  for await (const chunk of stream) {
    check.write(chunk)
    yield chunk
  }
  check.end()
}

/** What bytes are written to, in order, to learn whether they are what was claimed. */
export interface Check {
  /** @throws PLY_SIZE_MISMATCH at the first byte too many */
  write(chunk: Uint8Array): void
  /** After the last byte. @throws PLY_SIZE_MISMATCH, PLY_DIGEST_MISMATCH */
  end(): void
}

/** The same for who reads bytes otherwise than as a stream. */
export function checkOf({ digest, size, what = digest ?? 'the input' }: Claim): Check {
  const tally = digest === undefined ? undefined : new Tally()
  let actual = 0
  return {
    write(chunk) {
      actual += chunk.length
      if (size !== undefined && actual > size) {
        throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: size, actual: `at least ${actual}` })
      }
      tally?.write(chunk)
    },
    end() {
      if (size !== undefined && actual !== size)
        throw new PlyError('PLY_SIZE_MISMATCH', { what, expected: size, actual })
      if (tally !== undefined && tally.digest() !== digest) {
        throw new PlyError('PLY_DIGEST_MISMATCH', { what, expected: digest, actual: tally.digest() })
      }
    },
  }
}
