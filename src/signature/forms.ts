import { type Digest, digestOf, hexOf, isDigest } from '../model/digest.ts'
import { type Descriptor, mediaTypes } from '../model/documents.ts'
import type { JsonObject } from '../model/field.ts'
import { badDocument, parseJson } from '../model/json.ts'
import { configLimit, manifestLimit, parseConfig, parseManifest } from '../model/parse-documents.ts'
import type { Attached } from './attachments.ts'
import { payloadType, signatureAnnotation } from './payload.ts'

/** What a signature in the form of a referrer is called (cosign, OCI 1.1). */
export const artifactType = 'application/vnd.dev.cosign.artifact.sig.v1+json'

/** The tag beside an image under which its signatures are (SIGNATURE_SPEC.md, tag-based discovery). */
export function signatureTag(subject: Digest): string {
  return `sha256-${hexOf(subject)}.sig`
}

/** A payload with its signature, as a manifest holds it. */
export interface SignedPayload {
  readonly payload: Uint8Array
  readonly signature: Uint8Array
}

/** A manifest to store, with its config. */
export interface SignatureManifest {
  readonly config: Buffer
  readonly manifest: Buffer
}

/** What cosign gives a signature as its config: nothing that is true, so that it looks like an image. */
const emptyConfig = {
  architecture: '',
  config: {},
  created: '0001-01-01T00:00:00Z',
  history: [{ created: '0001-01-01T00:00:00Z' }],
  os: '',
}

/** The manifest under the tag, with one signature. */
export function taggedManifest(signed: SignedPayload): SignatureManifest {
  return manifestOf(signed, mediaTypes.ociConfig, {})
}

/** The manifest that refers to what is signed. */
export function referringManifest(signed: SignedPayload, { mediaType, digest, size }: Descriptor): SignatureManifest {
  return manifestOf(signed, artifactType, { artifactType, subject: { mediaType, digest, size } })
}

/**
 * A manifest with one signature more; what it has stays as it is, unknown fields too. @throws PLY_BAD_DOCUMENT if it is none of signatures
 */
export function withSignature(before: SignatureManifest, layer: Descriptor): SignatureManifest {
  const { layers } = parseManifest(before.manifest, 'the manifest of signatures')
  const { rootfs } = parseConfig(before.config, 'the config of signatures')
  const config = parseJson(before.config, 'config', configLimit) as JsonObject
  const next = Buffer.from(
    JSON.stringify({ ...config, rootfs: { ...rootfs, diff_ids: [...rootfs.diff_ids, layer.digest] } }),
  )
  const manifest = parseJson(before.manifest, 'manifest', manifestLimit) as JsonObject
  const described = { ...(manifest.config as JsonObject), digest: digestOf(next), size: next.length }
  const raw = Buffer.from(JSON.stringify({ ...manifest, config: described, layers: [...layers, layer] }))
  if (raw.length > manifestLimit) throw badDocument('the manifest of signatures', 'there is no room for another one')
  return { config: next, manifest: raw }
}

/** The descriptor of a payload, with its signature. */
export function layerOf({ payload, signature }: SignedPayload): Descriptor {
  return {
    mediaType: payloadType,
    digest: digestOf(payload),
    size: payload.length,
    annotations: { [signatureAnnotation]: Buffer.from(signature).toString('base64') },
  }
}

const refName = 'org.opencontainers.image.ref.name'

/**
 * Whether an entry of an index is a signature, or something else that is said about an image, and none itself: as tags that are copied
 * into a layout call it, as `cosign save` does, or as a referrer without a name.
 */
export function isAbout({ annotations, artifactType }: Attached): boolean {
  const name = annotations?.[refName]
  if (name !== undefined) return /^sha256-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?$/.test(name)
  return artifactType !== undefined || /^dev\.cosignproject\.cosign\/(?!image)/.test(annotations?.kind ?? '')
}

/** What a manifest refers to, and what it is, by itself or by the type of its config. `undefined` if it refers to nothing. */
export function referring(
  raw: Uint8Array,
): { readonly subject: Digest; readonly artifactType: string | undefined } | undefined {
  const {
    subject,
    artifactType: own,
    config,
  } = parseJson(raw, 'manifest', manifestLimit) as {
    readonly subject?: { readonly digest?: unknown } | null
    readonly artifactType?: unknown
    readonly config?: { readonly mediaType?: unknown } | null
  }
  if (!isDigest(subject?.digest)) return undefined
  const type = [own, config?.mediaType].find((one) => typeof one === 'string' && one !== '')
  return { subject: subject.digest, artifactType: type as string | undefined }
}

function manifestOf(signed: SignedPayload, configType: string, more: JsonObject): SignatureManifest {
  const layer = layerOf(signed)
  const config = Buffer.from(JSON.stringify({ ...emptyConfig, rootfs: { type: 'layers', diff_ids: [layer.digest] } }))
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    ...(more.artifactType !== undefined && { artifactType: more.artifactType }),
    config: { mediaType: configType, digest: digestOf(config), size: config.length },
    layers: [layer],
    ...(more.subject !== undefined && { subject: more.subject }),
  }
  return { config, manifest: Buffer.from(JSON.stringify(manifest)) }
}
