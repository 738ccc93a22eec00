import type { Digest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { configLimit, isIndexType, parseManifest } from '../model/parse-documents.ts'
import { collect } from '../stream/collect.ts'
import type { Attachments, WritableAttachments } from './attachments.ts'
import { bundleType } from './bundle.ts'
import { artifactType, type SignatureManifest, signatureTag, withSignature } from './forms.ts'
import { payloadLimit } from './payload.ts'
import { hasLayer, putUnder } from './sign.ts'

/** What went along with an image. */
export interface CarriedSignatures {
  /** Of which document. */
  readonly subject: Digest
  readonly manifests: readonly Digest[]
}

/** More referrers with signatures than any document has. */
const mostReferrers = 1000

/**
 * Takes the signatures of documents from one place to another, as they are: nothing is judged. What is in the target stays; under a tag that
 * both have, the signatures of both are then. @throws PLY_BAD_DOCUMENT, PLY_TOO_LARGE for what cannot be one; what the places throw
 */
export async function carrySignatures(
  subjects: readonly Digest[],
  from: Attachments,
  to: WritableAttachments,
  operation: Operation = {},
): Promise<CarriedSignatures[]> {
  const carried: CarriedSignatures[] = []
  for (const subject of subjects) {
    const manifests: Digest[] = []
    const tagged = await carryTagged(signatureTag(subject), from, to, operation)
    if (tagged !== undefined) manifests.push(tagged)
    for await (const { digest, artifactType: type } of from.referrers(subject, operation)) {
      if (type !== artifactType && bundleType(type) === undefined) continue
      const one = await signatureManifest(digest, from, to, operation)
      if (one === undefined) continue
      await to.putBlob(one.config, operation)
      await to.putManifest(one.manifest, operation)
      manifests.push(digest)
      if (manifests.length > mostReferrers) throw tooMany(subject)
    }
    if (manifests.length > 0) carried.push({ subject, manifests })
  }
  return carried
}

async function carryTagged(
  tag: string,
  from: Attachments,
  to: WritableAttachments,
  operation: Operation,
): Promise<Digest | undefined> {
  const brought = await signatureManifest(tag, from, to, operation)
  if (brought === undefined) return undefined
  return putUnder(to, tag, operation, (before) => (before === undefined ? brought : merged(before, brought)))
}

/** Both signatures, those of the target first. The very same value if it has them all. */
function merged(before: SignatureManifest, brought: SignatureManifest): SignatureManifest {
  let all = before
  for (const layer of parseManifest(brought.manifest).layers) if (!hasLayer(all, layer)) all = withSignature(all, layer)
  return all
}

/** A manifest of signatures with its config; its payloads are in the target then. */
async function signatureManifest(
  reference: string,
  from: Attachments,
  to: WritableAttachments,
  operation: Operation,
): Promise<SignatureManifest | undefined> {
  const found = await from.manifest(reference, operation)
  if (found === undefined) return undefined
  const what = `the signatures ${reference}`
  if (isIndexType(found.descriptor.mediaType))
    throw new PlyError('PLY_BAD_DOCUMENT', { what, reason: 'it is an index' })
  const { config, layers } = parseManifest(found.raw, what)
  const sent = new Set<Digest>()
  for (const layer of layers) {
    if (sent.has(layer.digest)) continue
    sent.add(layer.digest)
    const payload = await collect(from.blob(layer, operation), payloadLimit, { what: `payload ${layer.digest}` })
    await to.putBlob(payload, operation)
  }
  const raw = await collect(from.blob(config, operation), configLimit, { what: `config ${config.digest}` })
  return { manifest: Buffer.from(found.raw), config: raw }
}

function tooMany(subject: Digest): PlyError {
  return new PlyError('PLY_TOO_LARGE', { what: `the list of what refers to ${subject}`, limit: mostReferrers })
}
