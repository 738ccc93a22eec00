import { type BlobReader, verifiedBlobs } from '../image/image-from-blobs.ts'
import type { Digest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import { pacedStream } from './file.ts'

/** Somewhere blobs lie at rest, under their digests: a directory, an archive. */
export interface BlobPlace {
  /** For messages. */
  readonly where: string
  /** `undefined` if it is not there. The caller closes it. */
  open(digest: Digest): Bytes | undefined
}

/** Reads blobs from a place, checking every byte. @throws PLY_BLOB_NOT_FOUND naming the blob */
export function blobsIn(place: BlobPlace): BlobReader {
  return verifiedBlobs(({ digest }, operation) => pacedStream(() => blobAt(place, digest), operation))
}

/** A blob where it lies. The caller closes it. @throws PLY_BLOB_NOT_FOUND naming it */
export function blobAt(place: BlobPlace, digest: Digest): Bytes {
  const bytes = place.open(digest)
  if (bytes === undefined) throw new PlyError('PLY_BLOB_NOT_FOUND', { digest, where: place.where })
  return bytes
}
