import type { Digest } from '../model/digest.ts'
import type { ExecutionConfig } from '../model/documents.ts'
import { formatPlatform } from '../model/platform.ts'
import { historyOf } from './history.ts'
import type { Image } from './image.ts'

/** An image as plain JSON, for `inspect`. Layers and history are base first; sizes are bytes. */
export interface ImageDescription {
  readonly digest: Digest
  readonly mediaType: string
  /** Digest of the config: what docker and podman call the image id. */
  readonly id: Digest
  readonly created?: string
  readonly author?: string
  readonly platform: string
  /** Bytes of manifest, config and layers as they travel. */
  readonly size: number
  readonly annotations: Readonly<Record<string, string>>
  readonly config: ExecutionConfig
  readonly layers: readonly {
    readonly digest: Digest
    readonly diffId: Digest
    readonly mediaType: string
    readonly size: number
  }[]
  readonly history: readonly {
    readonly created?: string
    readonly createdBy?: string
    readonly author?: string
    readonly comment?: string
    /** Absent for a step that changed the configuration only. */
    readonly layer?: Digest
    readonly size: number
  }[]
}

/** What an image says of itself. Reads nothing but what the image holds already. */
export function describeImage(image: Image): ImageDescription {
  const { created, author, os, architecture, variant, config = {} } = image.config
  return {
    digest: image.digest,
    mediaType: image.descriptor.mediaType,
    id: image.manifest.config.digest,
    ...(created !== undefined && { created }),
    ...(author !== undefined && { author }),
    platform: formatPlatform({ os, architecture, ...(variant !== undefined && { variant }) }),
    size: sizeOf(image),
    annotations: image.manifest.annotations ?? {},
    config,
    layers: image.layers.map(({ descriptor, diffId }) => ({
      digest: descriptor.digest,
      diffId,
      mediaType: descriptor.mediaType,
      size: descriptor.size,
    })),
    history: historyOf(image).map(({ step, layer }) => ({
      ...(step.created !== undefined && { created: step.created }),
      ...(step.created_by !== undefined && { createdBy: step.created_by }),
      ...(step.author !== undefined && { author: step.author }),
      ...(step.comment !== undefined && { comment: step.comment }),
      ...(layer !== undefined && { layer: layer.descriptor.digest }),
      size: layer?.descriptor.size ?? 0,
    })),
  }
}

/** Bytes of manifest, config and layers as they travel. */
function sizeOf(image: Image): number {
  return image.layers.reduce(
    (total, layer) => total + layer.descriptor.size,
    image.rawManifest.length + image.manifest.config.size,
  )
}
