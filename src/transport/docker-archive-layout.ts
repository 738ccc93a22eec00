import type { BlobReader } from '../image/image-from-blobs.ts'
import { readDocument } from '../image/image-from-blobs.ts'
import type { Digest } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import type { Operation } from '../model/operation.ts'
import { isManifestType, manifestLimit, parseIndex, parseManifest } from '../model/parse-documents.ts'
import { type BlobPlace, blobsIn } from './blob-place.ts'
import { flatten } from './layout-source.ts'
import { archivePlace, readMember } from './oci-archive.ts'
import type { Archive } from './open-archive.ts'

/**
 * The OCI manifest of an image in a docker-archive that is an OCI layout as well, found by its config; `undefined` where
 * there is none, or not all of its blobs are there. With it the image keeps the digest that docker shows.
 */
export async function layoutManifest(
  archive: Archive,
  config: Digest,
  operation: Operation,
): Promise<{ readonly descriptor: Descriptor; readonly read: BlobReader; readonly place: BlobPlace } | undefined> {
  const raw = await readMember(archive, 'index.json', manifestLimit)
  if (raw === undefined) return undefined
  const place = archivePlace(archive)
  const read = blobsIn(place)
  const isThere = ({ digest }: Descriptor) => place.open(digest) !== undefined
  // Docker names indexes of all platforms and saves the blobs of one.
  const manifests = await flatten(read, parseIndex(raw, `index.json in ${archive.where}`).manifests, operation, isThere)
  for (const descriptor of manifests) {
    if (!isManifestType(descriptor.mediaType)) continue
    const manifest = parseManifest(
      await readDocument(descriptor, read, manifestLimit, operation),
      `manifest ${descriptor.digest}`,
    )
    if (manifest.config.digest === config && [manifest.config, ...manifest.layers].every(isThere))
      return { descriptor, read, place }
  }
  return undefined
}
