import type { Descriptor } from '../model/documents.ts'
import { mediaTypes } from '../model/documents.ts'

/** Docker's name for each of OCI's media types that has one. zstd has none. */
export const toDocker: Readonly<Record<string, string>> = {
  [mediaTypes.ociLayer]: mediaTypes.dockerLayer,
  [mediaTypes.ociLayerGzip]: mediaTypes.dockerLayerGzip,
}

/** OCI's name for each of Docker's media types. */
export const toOci: Readonly<Record<string, string>> = {
  [mediaTypes.dockerManifest]: mediaTypes.ociManifest,
  [mediaTypes.dockerConfig]: mediaTypes.ociConfig,
  [mediaTypes.dockerLayer]: mediaTypes.ociLayer,
  [mediaTypes.dockerLayerGzip]: mediaTypes.ociLayerGzip,
}

/** The descriptor with the other family's media type, where that has one. */
export function retyped(descriptor: Descriptor, types: Readonly<Record<string, string>>): Descriptor {
  return { ...descriptor, mediaType: types[descriptor.mediaType] ?? descriptor.mediaType }
}
