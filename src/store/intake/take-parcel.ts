import type { BlobStore } from '../../blob/blob-store.ts'
import type { Image } from '../../image/image.ts'
import { documentsIn, imageOfParcel, manifestsIn, type Parcel } from '../../image/parcel.ts'
import { checkAborted, type Operation } from '../../model/operation.ts'
import { memoryBytes, streamOf } from '../../stream/bytes.ts'

/** Where a parcel goes. */
export interface ParcelPlace {
  readonly blobs: BlobStore
  /** Takes an image in, without a name. */
  write(image: Image): Promise<unknown>
}

/**
 * Takes a parcel into a store: its images as images, their layers judged; what is no image (artifacts, attestations) as the blobs
 * that it is; indexes last. Whoever calls this holds off collections, and sets the name. What fails in the middle leaves blobs that
 * no name leads to, for the next collection.
 */
export async function takeParcel(parcel: Parcel, { blobs, write }: ParcelPlace, operation: Operation): Promise<void> {
  const { signal } = operation
  for (const manifest of manifestsIn(parcel)) {
    checkAborted(signal)
    const image = await imageOfParcel(manifest, { signal })
    if (image !== undefined) {
      await write(image)
      continue
    }
    for (const blob of manifest.blobs) {
      const { digest, size } = blob.descriptor
      if (!blob.elsewhere) await blobs.write(blob.compressed({ signal }), { digest, size }, operation)
    }
  }
  for (const { raw, descriptor } of documentsIn(parcel)) {
    const { digest, size } = descriptor
    await blobs.write(streamOf(memoryBytes(raw)), { digest, size }, { signal })
  }
}
