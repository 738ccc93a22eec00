import type { Digest } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { isIndexType, parseManifest } from '../model/parse-documents.ts'
import { collect } from '../stream/collect.ts'
import type { Attachments } from './attachments.ts'
import { bundleIn, bundleType } from './bundle.ts'
import { artifactType, signatureTag } from './forms.ts'
import { type Claim, parsePayload, payloadLimit, payloadType, signatureAnnotation } from './payload.ts'

/** Where a signature was found. */
export type Form = 'tag' | 'referrers'

/** Something that says it is a signature of a document. Nothing of it is to be believed before a key says so. */
export interface Candidate {
  /** What it is said to be of. */
  readonly subject: Digest
  readonly form: Form
  /** The manifest that it stands in. */
  readonly manifest: Digest
  /** What was signed. */
  readonly message: Uint8Array
  readonly signatures: readonly Uint8Array[]
  /** What was claimed. @throws PLY_BAD_DOCUMENT */
  claim(): Claim
}

/** Something in the place of a signature that is none. */
export interface Refused {
  readonly subject: Digest
  readonly manifest: Digest | undefined
  readonly why: string
}

/** More than anybody has, of each form: who floods the one does not hide the other. What comes behind is not looked at. */
const mostSignatures = 1000
const mostListed = 10_000
/** Bytes of manifests and payloads that are read of one document's signatures, in each form. Real ones have about a kilobyte each. */
const mostBytes = 16 << 20
/** What one that was refused counts for. */
const refusalBytes = 512 << 10
/** Base64 of the longest signature that a key here makes is below 3000 characters. */
const longestSignature = 8192

/** Answers of a place that are about what lies there, and not about whether it can be asked. */
const contentCodes: readonly (string | undefined)[] = [
  'PLY_BAD_DOCUMENT',
  'PLY_BLOB_NOT_FOUND',
  'PLY_DIGEST_MISMATCH',
  'PLY_SIZE_MISMATCH',
  'PLY_TOO_LARGE',
  'PLY_UNSUPPORTED',
]

/**
 * What may be signatures of a document: those under its tag, then those that refer to it. Bounded, whoever has laid them there; what is
 * damaged or makes no sense is a refusal, and not an end. @throws what the place throws where it cannot be asked
 */
export async function* candidatesFor(
  subject: Digest,
  place: Attachments,
  operation: Operation,
): AsyncGenerator<Candidate | Refused> {
  const spent = { tag: { signatures: 0, bytes: 0 }, referrers: { signatures: 0, bytes: 0 } }
  for await (const { form, entry } of manifestsFor(subject, place, operation)) {
    checkAborted(operation.signal)
    const so = spent[form]
    if ('why' in entry) {
      so.bytes += refusalBytes
      yield entry
    } else {
      so.bytes += entry.raw.length
      for await (const one of signaturesIn(entry, { subject, form, place }, operation)) {
        so.bytes += 'why' in one ? refusalBytes : one.message.length
        if (++so.signatures > mostSignatures || so.bytes > mostBytes) break
        yield one
      }
    }
    if (so.signatures <= mostSignatures && so.bytes <= mostBytes) continue
    const manifest = 'why' in entry ? entry.manifest : entry.digest
    yield { subject, manifest, why: `only the first ${mostSignatures}, or ${mostBytes >> 20} MiB, are looked at` }
    if (form === 'referrers') return
  }
}

interface ManifestAt {
  readonly digest: Digest
  readonly raw: Uint8Array
}

async function* manifestsFor(
  subject: Digest,
  place: Attachments,
  operation: Operation,
): AsyncGenerator<{ readonly form: Form; readonly entry: ManifestAt | Refused }> {
  const tagged = await manifestAt(signatureTag(subject), subject, place, operation)
  if (tagged !== undefined) yield { form: 'tag', entry: tagged }
  let listed = 0
  for await (const one of attachedTo(subject, place, operation)) {
    if (++listed > mostListed) return
    if (one.artifactType !== artifactType && bundleType(one.artifactType) === undefined) continue
    const found = await manifestAt(one.digest, subject, place, operation)
    const missing = { subject, manifest: one.digest, why: 'it is listed, and not there' }
    yield { form: 'referrers', entry: found ?? missing }
  }
}

/** A list that makes no sense is none. */
async function* attachedTo(subject: Digest, place: Attachments, operation: Operation) {
  try {
    yield* place.referrers(subject, operation)
  } catch (error) {
    if (!contentCodes.includes(codeOf(error)) && !isNoList(error)) throw error
  }
}

/** Registries without such lists are to answer 404; some have other ways to say it. */
function isNoList(error: unknown): boolean {
  const status = error instanceof PlyError && error.code === 'PLY_REGISTRY' ? error.details.status : undefined
  return typeof status === 'number' && status >= 400 && status < 500
}

async function manifestAt(
  reference: string,
  subject: Digest,
  place: Attachments,
  operation: Operation,
): Promise<ManifestAt | Refused | undefined> {
  try {
    const found = await place.manifest(reference, operation)
    if (found === undefined) return undefined
    const { digest, mediaType } = found.descriptor
    if (isIndexType(mediaType)) return { subject, manifest: digest, why: 'it is an index' }
    return { digest, raw: found.raw }
  } catch (error) {
    return refused(error, subject, undefined)
  }
}

async function* signaturesIn(
  { digest: manifest, raw }: ManifestAt,
  { subject, form, place }: { readonly subject: Digest; readonly form: Form; readonly place: Attachments },
  operation: Operation,
): AsyncGenerator<Candidate | Refused> {
  let layers: readonly Descriptor[]
  try {
    ;({ layers } = parseManifest(raw, `manifest ${manifest}`))
  } catch (error) {
    yield refused(error, subject, manifest)
    return
  }
  const read = payloads(place, operation)
  for (const layer of layers) {
    const bundle = bundleType(layer.mediaType) !== undefined
    if (!bundle && layer.mediaType !== payloadType) continue
    const where = { subject, form, manifest }
    try {
      yield { ...where, ...(bundle ? bundleIn(await read(layer)) : await simple(layer, read)) }
    } catch (error) {
      yield refused(error, subject, manifest)
    }
  }
}

async function simple(
  layer: Descriptor,
  read: (layer: Descriptor) => Promise<Buffer>,
): Promise<Pick<Candidate, 'message' | 'signatures' | 'claim'>> {
  const text = layer.annotations?.[signatureAnnotation] ?? ''
  const sound = text.length <= longestSignature && /^[A-Za-z0-9+/]+={0,2}$/.test(text)
  const signatures = sound ? [Buffer.from(text, 'base64')] : []
  const message = sound ? await read(layer) : Buffer.alloc(0)
  return { message, signatures, claim: () => parsePayload(message) }
}

/** Reads payloads, each once: several signatures may be of the same one. */
function payloads(place: Attachments, operation: Operation): (layer: Descriptor) => Promise<Buffer> {
  let last: { readonly digest: Digest; readonly bytes: Buffer } | undefined
  return async (layer) => {
    const what = `payload ${layer.digest}`
    if (last?.digest === layer.digest) return last.bytes
    // What is said to be too long is not asked for.
    const bytes = await collect(
      layer.size > payloadLimit ? tooLong(layer) : place.blob(layer, operation),
      payloadLimit,
      {
        what,
      },
    )
    last = { digest: layer.digest, bytes }
    return bytes
  }
}

async function* tooLong({ size }: Descriptor) {
  yield Buffer.alloc(Math.min(size, payloadLimit + 1))
}

/** @throws what is not about the content */
function refused(error: unknown, subject: Digest, manifest: Digest | undefined): Refused {
  if (!contentCodes.includes(codeOf(error))) throw error
  return { subject, manifest, why: (error as Error).message }
}
