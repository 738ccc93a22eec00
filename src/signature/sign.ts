import { type Digest, digestOf } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { configLimit, isIndexType, parseManifest } from '../model/parse-documents.ts'
import { collect } from '../stream/collect.ts'
import type { Attachments, WritableAttachments } from './attachments.ts'
import type { Form } from './candidates.ts'
import {
  layerOf,
  referringManifest,
  type SignatureManifest,
  type SignedPayload,
  signatureTag,
  taggedManifest,
  withSignature,
} from './forms.ts'
import type { SigningKey } from './keys.ts'
import { payloadOf } from './payload.ts'
import { judgedSignatures } from './verify.ts'

/** What is signed, and where it goes. */
export interface Signing {
  readonly key: SigningKey
  /** The name that the image has for whoever signs: `HOST/NAME[:TAG]`. */
  readonly identity: string
  readonly annotations: Readonly<Record<string, string>>
  readonly form: Form
  /** Seconds since 1970. */
  readonly created: number
}

/** A signature that is there now. */
export interface Signed {
  readonly subject: Digest
  readonly form: Form
  /** The manifest that it stands in. */
  readonly manifest: Digest
  /** Whether it is new: what the same key has said already is not said again. */
  readonly added: boolean
}

/** Somebody else may write the same tag at the same time. */
const mostTries = 5

/** Signs a document and lays the signature beside it. @throws PLY_BAD_DOCUMENT where something else has the place; what the place throws */
export async function signInto(
  place: WritableAttachments,
  subject: Descriptor,
  signing: Signing,
  operation: Operation = {},
): Promise<Signed> {
  const { key, identity, annotations, form, created } = signing
  const { digest } = subject
  for await (const there of said(place, digest, signing, operation)) {
    return { subject: digest, form, manifest: there, added: false }
  }
  const payload = payloadOf(digest, identity, { annotations, created })
  const signed = { payload, signature: key.sign(payload) }
  await place.putBlob(payload, operation)
  if (form === 'tag')
    return { subject: digest, form, manifest: await putTagged(place, digest, signed, operation), added: true }
  const referring = referringManifest(signed, subject)
  await place.putBlob(referring.config, operation)
  const { digest: manifest } = await place.putManifest(referring.manifest, operation)
  return { subject: digest, form, manifest, added: true }
}

/** Where this key has said the same of it, in the same form. */
async function* said(
  place: Attachments,
  subject: Digest,
  { key, identity, annotations, form }: Signing,
  operation: Operation,
): AsyncGenerator<Digest> {
  const same = { keys: [key.public], signedAs: identity, annotations }
  for await (const one of judgedSignatures([subject], place, same, operation)) {
    if (!('why' in one) && one.form === form && one.signedAs === identity) yield one.manifest
  }
}

async function putTagged(
  place: WritableAttachments,
  subject: Digest,
  signed: SignedPayload,
  operation: Operation,
): Promise<Digest> {
  const layer = layerOf(signed)
  return putUnder(place, signatureTag(subject), operation, (before) =>
    before === undefined ? taggedManifest(signed) : hasLayer(before, layer) ? before : withSignature(before, layer),
  )
}

/**
 * Stores under a tag what `change` makes of what is there, as often as it takes: registries have no way to say "only if nobody else
 * has". `change` answers what it was given where nothing is left to do. Blobs of layers are there already.
 */
export async function putUnder(
  place: WritableAttachments,
  tag: string,
  operation: Operation,
  change: (before: SignatureManifest | undefined) => SignatureManifest,
): Promise<Digest> {
  for (let tries = 0; tries < mostTries; tries++) {
    const before = await readUnder(place, tag, operation)
    const after = change(before)
    if (after === before) return digestOf(before.manifest)
    await place.putBlob(after.config, operation)
    await place.putManifest(after.manifest, { ...operation, tag })
  }
  const last = await readUnder(place, tag, operation)
  if (last !== undefined && change(last) === last) return digestOf(last.manifest)
  throw new PlyError('PLY_CHANGED', { path: tag })
}

/** The signatures under a tag. @throws PLY_BAD_DOCUMENT if it is something else */
async function readUnder(
  place: Attachments,
  tag: string,
  operation: Operation,
): Promise<SignatureManifest | undefined> {
  const found = await place.manifest(tag, operation)
  if (found === undefined) return undefined
  if (isIndexType(found.descriptor.mediaType)) {
    const what = `what lies under ${tag}, where signatures go,`
    throw new PlyError('PLY_BAD_DOCUMENT', { what, reason: 'it is an index' })
  }
  const { config } = parseManifest(found.raw, tag)
  const raw = await collect(place.blob(config, operation), configLimit, { what: `config ${config.digest}` })
  return { manifest: Buffer.from(found.raw), config: raw }
}

/** Whether a manifest has a payload with that very signature. */
export function hasLayer({ manifest }: SignatureManifest, { digest, annotations }: Descriptor): boolean {
  const same = JSON.stringify(annotations)
  return parseManifest(manifest).layers.some((one) => one.digest === digest && JSON.stringify(one.annotations) === same)
}
