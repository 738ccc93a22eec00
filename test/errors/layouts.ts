import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { digestOf } from '../../src/model/digest.ts'

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
}

export interface LayoutWords {
  /** What the manifest says of its layer that is not so. */
  readonly layer?: Readonly<Record<string, unknown>>
  /** The bytes that lie where the layer should: `undefined` for none. */
  readonly lies?: Uint8Array | undefined
  readonly config?: Readonly<Record<string, unknown>>
  readonly diffId?: string
  readonly names?: readonly string[]
}

/** An OCI layout with an image of one layer, in which something is wrong. Answers its reference. */
export function layout(directory: string, tar: Uint8Array, wrong: LayoutWords = {}): string {
  const blobs = join(directory, 'blobs', 'sha256')
  mkdirSync(blobs, { recursive: true })
  const blob = (mediaType: string, bytes: Uint8Array, lies: Uint8Array | undefined = bytes) => {
    if (lies.length > 0) writeFileSync(join(blobs, digestOf(bytes).slice(7)), lies)
    return { mediaType, digest: digestOf(bytes), size: bytes.length }
  }
  const json = (mediaType: string, value: unknown) => blob(mediaType, Buffer.from(JSON.stringify(value)))
  const config = json(types.config, {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [wrong.diffId ?? digestOf(tar)] },
    ...wrong.config,
  })
  const layer = { ...blob(types.layer, tar, 'lies' in wrong ? (wrong.lies ?? new Uint8Array()) : tar), ...wrong.layer }
  const manifest = json(types.manifest, { schemaVersion: 2, mediaType: types.manifest, config, layers: [layer] })
  const manifests = (wrong.names ?? ['1']).map((name) => ({
    ...manifest,
    annotations: { 'org.opencontainers.image.ref.name': name },
  }))
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests }))
  return `oci:${directory}`
}
