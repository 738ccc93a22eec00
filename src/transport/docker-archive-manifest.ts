import type { RawDocuments } from '../image/assemble.ts'
import { digestOf } from '../model/digest.ts'
import type { Descriptor, ImageConfig } from '../model/documents.ts'
import { mediaTypes } from '../model/documents.ts'
import { canonicalJson } from '../model/json.ts'

/**
 * The manifest that a docker-archive lacks, for its config's very bytes and its layers as they lie in the archive. The
 * same image gives the same digest, whoever wrote the archive.
 */
export function synthesised(rawConfig: Uint8Array, layers: readonly Descriptor[]): RawDocuments {
  const rawManifest = canonicalJson({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: digestOf(rawConfig), size: rawConfig.length },
    layers,
  })
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: digestOf(rawManifest), size: rawManifest.length }
  return { descriptor, rawManifest, rawConfig }
}

/** The descriptors of layers that lie uncompressed in an archive. `sizes` are bytes, base first. */
export function plainLayers(config: ImageConfig, sizes: readonly number[]): Descriptor[] {
  return config.rootfs.diff_ids.map((digest, i) => ({ mediaType: mediaTypes.ociLayer, digest, size: sizes[i]! }))
}
