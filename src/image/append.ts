import type { History, Manifest } from '../model/documents.ts'
import { mediaTypes } from '../model/documents.ts'
import { thisPlatform } from '../model/platform.ts'
import { composeImage } from './assemble.ts'
import { retyped, toDocker, toOci } from './families.ts'
import type { Image, Layer } from './image.ts'

/** The image of nothing: no layers, for this machine's platform. */
export const scratch: Image = composeImage({
  manifest: { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: { mediaType: mediaTypes.ociConfig } },
  config: { ...thisPlatform() },
  layers: [],
})

/**
 * The image with one more layer on top. Its creation time becomes that of the history entry, where that has one. In an
 * image of Docker's media types the layer takes Docker's type; if it has none (zstd), the whole image takes OCI's.
 */
export function append(image: Image, layer: Layer, history: History = {}): Image {
  const { manifest, layers } = inOneFamily(image, layer)
  const { rootfs: _, history: steps, ...config } = image.config
  return composeImage({
    manifest,
    config: {
      ...config,
      ...(history.created !== undefined && { created: history.created }),
      history: [...knownHistory(image, steps), { ...history, empty_layer: undefined }],
    },
    layers,
  })
}

/** The next entry must stand for the new layer, so layers that nobody described get an entry too. */
function knownHistory(image: Image, steps: readonly History[] = []): readonly History[] {
  const described = steps.filter((step) => step.empty_layer !== true).length
  const missing = Math.max(0, image.layers.length - described)
  return [...steps, ...Array.from({ length: missing }, () => ({}))]
}

function inOneFamily(image: Image, layer: Layer): { manifest: Manifest; layers: Layer[] } {
  const { manifest } = image
  const mediaType = manifest.mediaType ?? image.descriptor.mediaType
  if (mediaType !== mediaTypes.dockerManifest) {
    return { manifest: { ...manifest, mediaType }, layers: [...image.layers, typed(layer, toOci)] }
  }
  const { mediaType: wanted } = layer.descriptor
  if (wanted in toDocker || Object.values(toDocker).includes(wanted)) {
    return { manifest: { ...manifest, mediaType }, layers: [...image.layers, typed(layer, toDocker)] }
  }
  return {
    manifest: { ...manifest, mediaType: mediaTypes.ociManifest, config: retyped(manifest.config, toOci) },
    layers: [...image.layers, layer].map((one) => typed(one, toOci)),
  }
}

function typed(layer: Layer, types: Readonly<Record<string, string>>): Layer {
  return { ...layer, descriptor: retyped(layer.descriptor, types) }
}
