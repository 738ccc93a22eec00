import fs from 'node:fs'
import { join } from 'node:path'
import type { Image } from '../image/image.ts'
import { type Digest, digestOf } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import { badDocument } from '../model/json.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import type { ByteStream } from '../stream/bytes.ts'
import { memoryBytes, streamOf } from '../stream/bytes.ts'
import { verified } from '../stream/verify.ts'
import { onDisk } from './disk-errors.ts'
import { kindAt } from './file.ts'
import { StagedFile } from './staged-file.ts'

/** One blob of an image and where its bytes come from. */
export interface OutgoingBlob {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  content(operation: Operation): ByteStream
}

/** Everything an image consists of, each blob once: layers base first, config, manifest. */
export function blobsOf(image: Image): OutgoingBlob[] {
  const config = image.manifest.config
  const blobs: OutgoingBlob[] = [
    ...image.layers.map((layer) => ({
      digest: layer.descriptor.digest,
      size: layer.descriptor.size,
      content: (operation: Operation) => layer.compressed(operation),
    })),
    inMemory(config, image.rawConfig),
    inMemory(image.descriptor, image.rawManifest),
  ]
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()]
}

function inMemory({ digest }: Descriptor, bytes: Uint8Array): OutgoingBlob {
  // An image may come from code of the caller's; what is written under a digest has that digest.
  if (digestOf(bytes) !== digest) throw badDocument(`image document ${digest}`, `its bytes hash to ${digestOf(bytes)}`)
  return { digest, size: bytes.length, content: () => streamOf(memoryBytes(bytes)) }
}

/**
 * Writes the blobs that a directory lacks, all or none: first under temporary names in a directory of their own, then
 * all are renamed. A blob that is there with the right size is kept. `pathOf` says where a blob belongs.
 *
 * @throws PLY_DIGEST_MISMATCH, PLY_SIZE_MISMATCH naming the blob; PLY_ABORTED; ENOSPC and the like. Nothing stays behind.
 */
export async function writeBlobs(
  root: string,
  blobs: readonly OutgoingBlob[],
  pathOf: (digest: Digest) => string,
  operation: Operation,
): Promise<void> {
  const stage = await onDisk(root, () => fs.promises.mkdtemp(join(root, '.ply-')))
  try {
    const written: { readonly from: string; readonly to: string }[] = []
    for (const [i, { digest, size, content }] of blobs.entries()) {
      checkAborted(operation.signal)
      const to = pathOf(digest)
      if (kindAt(to) === 'file' && fs.statSync(to).size === size) continue
      const from = join(stage, String(i))
      await using file = await StagedFile.open(from)
      const checked = verified(content(operation), { digest, size, what: `blob ${digest}` })
      await file.writeAll(checked, { ...operation, what: digest, total: size })
      await file.publish()
      written.push({ from, to })
    }
    checkAborted(operation.signal)
    for (const { from, to } of written) await onDisk(to, () => fs.promises.rename(from, to))
  } finally {
    await fs.promises.rm(stage, { recursive: true, force: true })
  }
}
