import type { BlobStore } from '../../blob/blob-store.ts'
import { digestOf } from '../../model/digest.ts'
import { checkAborted } from '../../model/operation.ts'
import { manifestLimit } from '../../model/parse-documents.ts'
import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'

/** Manifests and configs are small, and a store may hold ten thousand: each is read and checked in one step. */
export function documentsAtOnce({
  disk,
  layout,
  blobs,
}: {
  readonly disk: Disk
  readonly layout: Layout
  readonly blobs: BlobStore
}): BlobStore {
  return {
    stat: (digest) => blobs.stat(digest),
    open: (digest) => blobs.open(digest),
    write: (content, expected, operation) => blobs.write(content, expected, operation),
    draft: () => blobs.draft(),
    delete: (digest) => blobs.delete(digest),
    list: () => blobs.list(),
    async *stream(digest, operation) {
      checkAborted(operation?.signal)
      const path = layout.blobOf(digest)
      const size = disk.fs.statSync(path, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY
      const raw = size <= manifestLimit ? (disk.fs.readFileSync(path) as Buffer) : undefined
      // Whatever is wrong with it is told by who reads patiently.
      if (raw !== undefined && digestOf(raw) === digest) yield raw
      else yield* blobs.stream(digest, operation)
    },
  }
}
