import { digestOf } from '../model/digest.ts'
import type { Descriptor, ImageConfig, Manifest } from '../model/documents.ts'
import { mediaTypes } from '../model/documents.ts'
import { badDocument, canonicalJson } from '../model/json.ts'
import { parseConfig, parseManifest } from '../model/parse-documents.ts'
import type { Image, Layer } from './image.ts'

/** The documents of an image, as bytes. */
export interface RawDocuments {
  readonly descriptor: Descriptor
  readonly rawManifest: Uint8Array
  readonly rawConfig: Uint8Array
}

/** The documents of an image, read and found to fit together. */
export interface Documents extends RawDocuments {
  readonly manifest: Manifest
  readonly config: ImageConfig
}

/**
 * Reads the documents of an image. Nothing is hashed here. Whoever had to read the manifest to find the config hands it in.
 *
 * @throws PLY_BAD_DOCUMENT if one is wrong or they disagree about the number of layers, PLY_UNSUPPORTED
 */
export function readDocuments(
  raw: RawDocuments,
  manifest = parseManifest(raw.rawManifest, `manifest ${raw.descriptor.digest}`),
): Documents {
  const config = parseConfig(raw.rawConfig, `config ${manifest.config.digest}`)
  const claimed = config.rootfs.diff_ids.length
  if (claimed !== manifest.layers.length) {
    throw badDocument(
      `image ${raw.descriptor.digest}`,
      `its manifest has ${manifest.layers.length} layers, its config has ${claimed}`,
    )
  }
  return { ...raw, manifest, config }
}

/** An image from documents that fit together and their layers, base first. */
export function imageOf(documents: Documents, layers: readonly Layer[]): Image {
  const { descriptor, rawManifest, manifest, rawConfig, config } = documents
  return { descriptor, digest: descriptor.digest, rawManifest, manifest, rawConfig, config, layers }
}

/** What is new in an image that is made from another. */
export interface Parts {
  readonly manifest: Omit<Manifest, 'config' | 'layers'> & { readonly config: Pick<Descriptor, 'mediaType'> }
  readonly config: Omit<ImageConfig, 'rootfs'>
  readonly layers: readonly Layer[]
}

/**
 * A new image: manifest and config are written as canonical JSON, so the same parts give the same digest. Layers and
 * diffIDs in the documents are those of `layers`.
 */
export function composeImage({ manifest, config, layers }: Parts): Image {
  const rawConfig = canonicalJson({
    ...config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
  })
  const rawManifest = canonicalJson({
    ...manifest,
    config: { ...manifest.config, digest: digestOf(rawConfig), size: rawConfig.length },
    layers: layers.map((layer) => layer.descriptor),
  })
  const mediaType = manifest.mediaType ?? mediaTypes.ociManifest
  const descriptor: Descriptor = { mediaType, digest: digestOf(rawManifest), size: rawManifest.length }
  return imageOf(readDocuments({ descriptor, rawManifest, rawConfig }), layers)
}
