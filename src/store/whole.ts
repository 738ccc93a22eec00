import type { BlobStore } from '../blob/blob-store.ts'
import type { Descriptor } from '../model/documents.ts'
import { codeOf } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { drain } from '../stream/hash.ts'

/**
 * Whether a blob is here and is what its name says. It is read and hashed, which costs about a second a gigabyte:
 * only so is a bit that the disk lost noticed before somebody counts on it. @throws PLY_ABORTED, EIO and the like
 */
export async function isWhole(
  blobs: BlobStore,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  operation: Operation = {},
): Promise<boolean> {
  if ((await blobs.stat(digest))?.size !== size) return false
  try {
    await drain(blobs.stream(digest, operation), { write() {} })
    return true
  } catch (error) {
    if (codeOf(error) === 'PLY_DIGEST_MISMATCH' || codeOf(error) === 'PLY_BLOB_NOT_FOUND') return false
    // A sector that cannot be read holds nothing.
    if (codeOf(error) === 'EIO') return false
    throw error
  }
}
