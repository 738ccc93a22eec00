import { type FileIdentity, fileFormat, fileKey, SumsBatch } from '../layer/content-sums.ts'
import { DigestTable } from '../layer/digest-table.ts'
import type { Digest } from '../model/digest.ts'

/**
 * Digests of files of this machine, by what they were when they were read (layer-semantics E-02): device, inode number,
 * change time and size.
 */
export interface FileDigests {
  known(file: FileIdentity): Digest | undefined
  remember(file: FileIdentity, digest: Digest): void
  /** What is not kept yet is kept now, where there is a place for it. */
  flush(): void
  /** Whether what is remembered can be known in another process. */
  readonly lasting: boolean
}

/** Digests of files in memory, for as long as somebody holds it. */
export function memoryFileDigests(): FileDigests {
  const table = new DigestTable(fileFormat.keySize)
  const batch = new SumsBatch(fileFormat, 1)
  const key = Buffer.allocUnsafeSlow(fileFormat.keySize)
  return {
    lasting: false,
    known: (file) => table.get(fileKey(key, file)),
    remember(file, digest) {
      table.set(batch.add(fileKey(key, file), digest))
      batch.take()
    },
    flush() {},
  }
}

/** A file whose content is younger than this when it is hashed may change again without its time showing it. */
const settledAfter = 2_000_000_000n

/**
 * Whether a file had been left alone for long enough when somebody began to read it, so that its change time tells
 * every later change: clocks of file systems go in steps.
 *
 * @param changed nanoseconds since the epoch
 * @param since milliseconds since the epoch
 */
export function settled(changed: bigint, since: number): boolean {
  return BigInt(Math.floor(since)) * 1_000_000n - changed > settledAfter
}
