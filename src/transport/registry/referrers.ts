import { type Digest, digestOf, hexOf, isDigest } from '../../model/digest.ts'
import { type Descriptor, mediaTypes } from '../../model/documents.ts'
import type { JsonObject } from '../../model/field.ts'
import { parseJson } from '../../model/json.ts'
import { manifestLimit, parseIndex } from '../../model/parse-documents.ts'
import { type Document, getManifest, putManifest } from './manifests.ts'
import type { Request } from './options.ts'
import type { Session } from './session.ts'
import { pagesOf } from './tags.ts'

/** A referrer as it is listed: what kind of thing it is, and what it says of itself. */
export interface Referrer extends Descriptor {
  readonly artifactType?: string
}

/** Under which tag the referrers of a document are listed where the registry does not do it (distribution-spec, referrers tag schema). */
function fallbackTag(subject: Digest): string {
  return `sha256-${hexOf(subject)}`
}

/**
 * What refers to a document: signatures, bills of materials, attestations. The registry is asked, or the index under the fallback
 * tag, where it cannot answer. `artifactType` filters, whoever does it.
 */
export async function* referrersOf(
  session: Session,
  subject: Digest,
  { artifactType, ...request }: Request & { readonly artifactType?: string | undefined },
): AsyncGenerator<Referrer> {
  const { repository } = session.endpoint
  const wanted = (one: Referrer) => artifactType === undefined || one.artifactType === artifactType
  const query = artifactType === undefined ? '' : `?${new URLSearchParams({ artifactType })}`
  const first = `${repository}/referrers/${subject}${query}`
  for await (const page of pagesOf(session, first, request, `the referrers of ${subject}`)) {
    if (page === undefined) {
      const found = await getManifest(session, fallbackTag(subject), request)
      if (found !== undefined) yield* referrersIn(found.raw).filter(wanted)
      return
    }
    yield* referrersIn(Buffer.from(JSON.stringify(page.object()))).filter(wanted)
  }
}

/**
 * Stores a document, under a tag where one is named; if it refers to another one and the registry takes no note of that, it is
 * entered in the index under the fallback tag.
 */
export async function publish(
  session: Session,
  document: { readonly descriptor: Descriptor; readonly raw: Uint8Array },
  tag: string | undefined,
  request: Request,
): Promise<void> {
  const { subjectKnown } = await putManifest(session, document, tag, request)
  const content = parseJson(document.raw, 'manifest', manifestLimit) as JsonObject
  const subject = (content.subject as { digest?: unknown } | null | undefined)?.digest
  if (subjectKnown || !isDigest(subject)) return
  await enter(session, subject, referrerOf(document.descriptor, content), request)
}

/** Takes a document out of the fallback index of what it refers to. */
export async function withdraw(session: Session, document: Document, request: Request): Promise<void> {
  const content = parseJson(document.raw, 'manifest', manifestLimit) as JsonObject
  const subject = (content.subject as { digest?: unknown } | null | undefined)?.digest
  if (!isDigest(subject)) return
  const index = await getManifest(session, fallbackTag(subject), request)
  if (index === undefined) return
  const entries = referrersIn(index.raw)
  const left = entries.filter(({ digest }) => digest !== document.descriptor.digest)
  if (left.length < entries.length) await putIndex(session, subject, index, left, request)
}

async function enter(session: Session, subject: Digest, referrer: Referrer, request: Request): Promise<void> {
  const index = await getManifest(session, fallbackTag(subject), request)
  const entries = index === undefined ? [] : referrersIn(index.raw)
  if (entries.some(({ digest }) => digest === referrer.digest)) return
  await putIndex(session, subject, index, [...entries, referrer], request)
}

async function putIndex(
  session: Session,
  subject: Digest,
  before: Document | undefined,
  manifests: readonly Referrer[],
  request: Request,
): Promise<void> {
  const kept = before === undefined ? {} : (parseJson(before.raw, 'index', manifestLimit) as JsonObject)
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, ...kept, manifests }
  const raw = Buffer.from(JSON.stringify(index))
  const descriptor = { mediaType: mediaTypes.ociIndex, digest: digestOf(raw), size: raw.length }
  await putManifest(session, { descriptor, raw }, fallbackTag(subject), request)
}

/** An artifact says what it is by itself, or by the type of its config. */
function referrerOf({ mediaType, digest, size }: Descriptor, content: JsonObject): Referrer {
  const config = (content.config as { mediaType?: unknown } | undefined)?.mediaType
  const artifactType = [content.artifactType, config].find((one) => typeof one === 'string' && one !== '')
  const annotations = content.annotations as Referrer['annotations']
  return {
    mediaType,
    digest,
    size,
    ...(typeof artifactType === 'string' && { artifactType }),
    ...(annotations && { annotations }),
  }
}

function referrersIn(raw: Uint8Array): Referrer[] {
  return parseIndex(raw, 'the list of referrers').manifests as Referrer[]
}
