import type { DiffId } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import { codeOf } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { configLimit, manifestLimit, parseManifest } from '../model/parse-documents.ts'
import { abortable } from '../stream/abort.ts'
import type { ByteStream, Bytes } from '../stream/bytes.ts'
import { collect } from '../stream/collect.ts'
import { type DecompressionOptions, decompressed } from '../stream/compression.ts'
import { drain } from '../stream/hash.ts'
import { verified } from '../stream/verify.ts'
import { imageOf, readDocuments } from './assemble.ts'
import type { Image, Layer } from './image.ts'

/**
 * The bytes of a blob, as a blob store or an archive hands them out. The stream fails at its end, not at its start, if
 * the bytes do not match their digest: see `verifiedBlobs`.
 */
export type BlobReader = (descriptor: Descriptor, operation?: Operation) => ByteStream

/** A reader that checks what another one reads against the descriptor's digest and size. */
export function verifiedBlobs(read: BlobReader): BlobReader {
  return (descriptor, operation) =>
    verified(read(descriptor, operation), {
      digest: descriptor.digest,
      size: descriptor.size,
      what: `blob ${descriptor.digest}`,
    })
}

/**
 * The image that a manifest's descriptor points at. Manifest and config are read and checked now, layers when they are
 * asked for.
 *
 * @throws PLY_DIGEST_MISMATCH, PLY_SIZE_MISMATCH, PLY_BAD_DOCUMENT, PLY_UNSUPPORTED, PLY_TOO_LARGE, what `read` throws
 */
export async function imageFromBlobs(
  descriptor: Descriptor,
  read: BlobReader,
  options: LayerSource & Operation = {},
): Promise<Image> {
  const rawManifest = await readDocument(descriptor, read, manifestLimit, options)
  const manifest = parseManifest(rawManifest, `manifest ${descriptor.digest}`)
  const rawConfig = await readDocument(manifest.config, read, configLimit, options)
  const documents = readDocuments({ descriptor, rawManifest, rawConfig }, manifest)
  const diffIds = documents.config.rootfs.diff_ids
  return imageOf(
    documents,
    manifest.layers.map((layer, i) => layerFromBlob(layer, diffIds[i]!, read, options)),
  )
}

/** How layers are read beside the stream of their blobs. */
export interface LayerSource extends DecompressionOptions {
  /** A blob where it lies, as `Layer.atRest` has it. */
  readonly atRest?: ((descriptor: Descriptor) => Bytes) | undefined
}

/** A small blob, in memory and checked. `limit` is in bytes. */
export async function readDocument(
  descriptor: Descriptor,
  read: BlobReader,
  limit: number,
  operation: Operation = {},
): Promise<Buffer> {
  const { digest, size } = descriptor
  const what = `blob ${digest}`
  return collect(abortable(verified(read(descriptor, operation), { digest, size, what }), operation.signal), limit, {
    what,
  })
}

/** A layer whose blob a reader has. */
export function layerFromBlob(
  descriptor: Descriptor,
  diffId: DiffId,
  read: BlobReader,
  { zstd, maxWindow, lenient, atRest }: LayerSource = {},
): Layer {
  const compressed = (operation: Operation = {}) =>
    abortable(
      // The reader checks the digest; a manifest that gives another size than the blob has is still wrong.
      verified(read(descriptor, operation), { size: descriptor.size, what: `blob ${descriptor.digest}` }),
      operation.signal,
    )
  async function* uncompressed(operation: Operation = {}): ByteStream {
    const { signal } = operation
    const { stream } = decompressed(compressed(operation), { signal, zstd, maxWindow, lenient })
    try {
      yield* verified(stream, { digest: diffId, what: `layer ${descriptor.digest}, uncompressed` })
    } catch (error) {
      // Damage is found by the decompressor first; a blob that is not what its name says should be called that.
      if (codeOf(error) === 'PLY_BAD_COMPRESSION') await drain(compressed(operation), { write() {} })
      throw error
    }
  }
  const own = descriptor.digest === diffId ? compressed : uncompressed
  return { descriptor, diffId, compressed, uncompressed: own, ...(atRest && { atRest: () => atRest(descriptor) }) }
}
