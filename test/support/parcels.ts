import { gzipSync } from 'node:zlib'
import { append, scratch } from '../../src/image/append.ts'
import { composeImage } from '../../src/image/assemble.ts'
import { configure } from '../../src/image/configure.ts'
import type { Image, Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { type IndexParcel, indexOver, type ManifestParcel, parcelOf } from '../../src/image/parcel.ts'
import { digestOf } from '../../src/model/digest.ts'
import { type Descriptor, type Manifest, mediaTypes } from '../../src/model/documents.ts'
import { canonicalJson } from '../../src/model/json.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { collect } from '../../src/stream/collect.ts'
import { gzipLayer, sampleImage, withPlatform } from './images.ts'

const described = (bytes: Uint8Array, mediaType: string): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
})

/** A manifest over any blobs. */
function manifestOver(
  more: Readonly<Record<string, unknown>>,
  config: readonly [Uint8Array, string],
  layers: readonly (readonly [Uint8Array, string])[],
): ManifestParcel {
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    ...more,
    config: described(...config),
    layers: layers.map((layer) => described(...layer)),
  } as Manifest
  const raw = canonicalJson(manifest)
  const blobs = [...layers, config].map(([bytes, mediaType]) => ({
    descriptor: described(bytes, mediaType),
    compressed: () => streamOf(memoryBytes(bytes)),
  }))
  return { is: 'manifest', descriptor: described(raw, mediaTypes.ociManifest), raw, manifest, blobs }
}

/** An artifact that is no image. */
export function artifact(): ManifestParcel {
  const type = 'application/vnd.example.thing'
  const empty = [Buffer.from('{}'), 'application/vnd.oci.empty.v1+json'] as const
  return manifestOver({ artifactType: type }, empty, [[Buffer.from('anything at all'), `${type}.part`]])
}

/** An attestation as BuildKit makes it: an image to look at, whose layers are none. */
function attestation(about: Descriptor): ManifestParcel {
  const statement = Buffer.from(JSON.stringify({ predicateType: 'test', subject: [{ digest: about.digest }] }))
  const config = canonicalJson({
    architecture: 'unknown',
    os: 'unknown',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(statement)] },
  })
  const made = manifestOver({}, [config, mediaTypes.ociConfig], [[statement, 'application/vnd.in-toto+json']])
  const descriptor = {
    ...made.descriptor,
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': about.digest,
    },
  }
  return { ...made, descriptor }
}

/** An index of the sample for two platforms, with an attestation of the first. */
export async function sampleIndex(): Promise<IndexParcel> {
  const image = await sampleImage()
  const members = ['amd64', 'arm64'].map((architecture) => {
    const parcel = parcelOf(withPlatform(image, `linux/${architecture}`))
    return { ...parcel, descriptor: { ...parcel.descriptor, platform: { os: 'linux', architecture } } }
  })
  return indexOver([...members, attestation(members[0]!.descriptor)], { annotations: { kept: 'yes' } })
}

/** Two layers, one of them compressed. */
export async function smallImage(): Promise<Image> {
  const base = append(scratch, await gzipLayer({ '/etc/motd': 'hello\n', '/bin/app': { content: 'x', mode: 0o755 } }))
  return configure(append(base, layerFrom({ '/etc/issue': 'two\n' })), { cmd: ['/bin/app'] })
}

/** So many layers, each of which changes a file and adds one. */
export async function deepImage(layers: number): Promise<Image> {
  let image: Image = scratch
  for (let at = 0; at < layers; at++)
    image = append(image, layerFrom({ '/changed': `${at}`, [`/d/${at}`]: `${at}` }), { created_by: `step ${at}` })
  return image
}

/** An image whose base may not be distributed: who wants it fetches it from an address. */
export async function foreignImage(urls: readonly string[]): Promise<{ readonly image: Image; readonly blob: Buffer }> {
  const tar = await collect(layerFrom({ '/licensed': 'not ours to hand on' }).uncompressed(), 1 << 20)
  const blob = gzipSync(tar)
  const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'
  const foreign: Layer = layerFromBlob({ ...described(blob, mediaType), urls }, digestOf(tar), () =>
    streamOf(memoryBytes(blob)),
  )
  const { manifest, config } = scratch
  const base = composeImage({
    manifest,
    config: { os: config.os, architecture: config.architecture },
    layers: [foreign],
  })
  return { image: append(base, layerFrom({ '/own': 'ours' })), blob }
}
