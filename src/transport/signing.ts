import { type Candidate, chooseImage, isImageEntry } from '../image/choose.ts'
import type { ImageSource } from '../image/image.ts'
import type { Digest } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { isIndexType } from '../model/parse-documents.ts'
import { splitReference } from '../model/reference.ts'
import {
  checkRequirement,
  documentsUnder,
  type Form,
  type ImageSignature,
  identityText,
  judgedSignatures,
  type Refused,
  type SignatureRequirement,
  type Signed,
  type SigningKey,
  type SourceAttachments,
  signInto,
  unsigned,
  type WritableAttachments,
} from '../signature/index.ts'
import { openSink, openSource } from './open.ts'
import type { TransportOptions } from './options.ts'
import { remoteName } from './registry/remote-name.ts'
import { openRepository } from './registry/repository.ts'
import { asIn, subjectsOf } from './signed-source.ts'

/** With which key an image is signed, and for which name. */
export interface SignOptions extends TransportOptions {
  readonly key: SigningKey
  /** What is signed besides: texts by their names. `creator` and `timestamp` are taken. */
  readonly annotations?: Readonly<Record<string, string>> | undefined
  /** Under the tag `sha256-HEX.sig`, which every tool finds, or as a referrer (OCI 1.1); default: the tag. */
  readonly form?: Form | undefined
  /** The name that the signature is for; default: the reference, in a registry. */
  readonly signedAs?: string | undefined
  /** Also everything that an index lists, which podman and skopeo look for; default: what the reference points at. */
  readonly recursive?: boolean | undefined
  /** Seconds since 1970; default: now. */
  readonly created?: number | undefined
}

/** An image that was signed, and where its signature is. */
export interface SignedImage {
  /** What the reference points at. */
  readonly digest: Digest
  readonly signedAs: string
  /** The public key's. */
  readonly key: Digest
  readonly signatures: readonly Signed[]
}

/** Whose signatures count, and for which name. */
export interface VerifyOptions extends TransportOptions, SignatureRequirement {}

/** An image with the signatures that vouch for it. */
export interface VerifiedImage {
  /** The manifest or the index that the reference points at. */
  readonly digest: Digest
  /** The image that it leads to here; the same where it is no index. */
  readonly image: Digest
  /** At least one. */
  readonly signatures: readonly ImageSignature[]
  /** What lies in the place of a signature, and does not count. */
  readonly refused: readonly Refused[]
}

/**
 * Signs what a reference points at, `docker://HOST/NAME[:TAG][@DIGEST]` or `oci:DIR[:TAG][@DIGEST]`: the manifest, or the index, or with
 * `platform` that image of the index. The signature is laid beside it. What the same key has said already is not said again.
 *
 * @throws PLY_USAGE where no name for the signature follows from the reference; PLY_IMAGE_NOT_FOUND; what the place throws
 */
export async function signImage(reference: string, options: SignOptions): Promise<SignedImage> {
  const { key, annotations = {}, form = 'tag', platform, recursive = false, created = now(), signal } = options
  checkAborted(signal)
  for (const name of ['creator', 'timestamp']) {
    if (Object.hasOwn(annotations, name))
      throw new PlyError('PLY_USAGE', {
        reason: `the annotation ${name} has a meaning of its own; choose another name`,
      })
  }
  return inPlaceOf(reference, options, async (found) => {
    const signedAs = options.signedAs ?? found.identity
    if (signedAs === undefined) {
      const reason = `${reference} has no name that others would know it by; say which, such as HOST/NAME:TAG`
      throw new PlyError('PLY_USAGE', { reason })
    }
    const signing = { key, annotations, form, identity: identityText(signedAs), created }
    const { place } = found
    const subjects = platform === undefined ? found.roots : [await chosen(found, platform, reference, { signal })]
    const signatures: Signed[] = []
    for await (const one of recursive ? documentsUnder(subjects, place, { signal }) : subjects) {
      signatures.push(await signInto(place, one, signing, { signal }))
    }
    const { digest } = subjects[0]!
    return { digest, signedAs: signing.identity, key: key.public.fingerprint, signatures }
  })
}

/**
 * Every signature that holds of what a reference points at, or of the image that it leads to on a platform.
 *
 * @throws PLY_UNSIGNED if there is none; PLY_USAGE without a key; what the place throws
 */
export async function verifySignatures(reference: string, options: VerifyOptions): Promise<VerifiedImage> {
  const { keys: _, signedAs: __, annotations: ___, ...opening } = options
  checkRequirement(options)
  await using source = await openSource(reference, opening)
  const attachments = attachmentsOf(source, reference)
  const operation = { signal: options.signal }
  const roots = await attachments.roots(undefined, operation)
  const [top] = roots
  const image = await imageOf(source, roots, operation)
  const subjects = await subjectsOf(attachments, image, undefined, operation)
  const signatures: ImageSignature[] = []
  const refused: Refused[] = []
  for await (const one of judgedSignatures(subjects, attachments, asIn(attachments, undefined, options), operation)) {
    if ('why' in one) refused.push(one)
    else signatures.push(one)
  }
  if (signatures.length === 0) throw unsigned(`${reference} (${subjects[0]})`, refused)
  return { digest: subjects.length > 1 ? subjects[0]! : (top?.digest ?? image), image, signatures, refused }
}

/** What runs here of an index; anything else as it is: what is signed need not be an image. */
async function imageOf(source: ImageSource, roots: readonly Descriptor[], operation: Operation): Promise<Digest> {
  const [only] = roots
  if (roots.length === 1 && !isIndexType(only!.mediaType)) return only!.digest
  return (await source.image(undefined, operation)).digest
}

/** Where something is signed, and what. */
interface Signable {
  readonly place: WritableAttachments
  readonly roots: readonly Descriptor[]
  readonly identity: string | undefined
}

/** Opens the place where something is signed, for as long as `act` runs. */
async function inPlaceOf<T>(reference: string, options: SignOptions, act: (found: Signable) => Promise<T>): Promise<T> {
  const { transport, details } = splitReference(reference)
  if (transport === 'docker') return inRepository(reference, details, options, act)
  const { signal } = options
  await using source = await openSource(reference, options)
  await using sink = transport === 'oci' ? await openSink(withoutDigest(reference), options) : undefined
  const place = sink?.attaching
  if (place === undefined) {
    const reason = 'copy it to a registry or to a layout (oci:DIR), and sign it there'
    throw new PlyError('PLY_UNSUPPORTED', { what: `signing in ${transport}:`, reason })
  }
  const roots = await attachmentsOf(source, reference).roots(undefined, { signal })
  return await act({ place, roots, identity: undefined })
}

/** What the registry has itself: no mirror says what is signed. */
async function inRepository<T>(
  reference: string,
  details: string,
  { registry: options, signal }: SignOptions,
  act: (found: Signable) => Promise<T>,
): Promise<T> {
  const { registry, repository, digest, tag } = remoteName(details)
  await using place = openRepository(reference, options)
  const found = await place.manifest(digest ?? tag!, { signal })
  if (found === undefined) {
    const name = `${registry}/${repository}${digest === undefined ? `:${tag}` : `@${digest}`}`
    const available = 'other names, or nothing'
    throw new PlyError('PLY_IMAGE_NOT_FOUND', { name, where: registry, available })
  }
  const identity = `${registry}/${repository}${digest === undefined ? `:${tag}` : ''}`
  return await act({ place, roots: [found.descriptor], identity })
}

/** The image for a platform among what an index lists. @throws PLY_PLATFORM_NOT_FOUND */
async function chosen(
  { place, roots }: Signable,
  platform: string,
  reference: string,
  operation: Operation,
): Promise<Descriptor> {
  const candidates: Candidate[] = []
  for await (const { above: _, ...one } of documentsUnder(roots, place, operation)) {
    if (!isIndexType(one.mediaType) && isImageEntry(one)) candidates.push({ descriptor: one, platform: one.platform })
  }
  return chooseImage(candidates, reference, platform)
}

function withoutDigest(reference: string): string {
  return reference.replace(/@sha256:[0-9a-f]{64}$/, '')
}

/** @throws PLY_UNSUPPORTED */
function attachmentsOf({ attachments }: ImageSource, reference: string): SourceAttachments {
  if (attachments !== undefined) return attachments
  const { transport } = splitReference(reference)
  const reason = `there is no place for them; they are kept in registries, in oci: and in oci-archive:`
  throw new PlyError('PLY_UNSUPPORTED', { what: `looking for signatures in ${transport}:`, reason })
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}
