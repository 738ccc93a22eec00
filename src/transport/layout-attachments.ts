import { type Digest, digestOf, isDigest } from '../model/digest.ts'
import type { Descriptor, ImageIndex } from '../model/documents.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { isIndexType, isManifestType, manifestLimit, parseIndex } from '../model/parse-documents.ts'
import { type Attached, type Attachments, isAbout, referring } from '../signature/index.ts'
import { collect } from '../stream/collect.ts'
import { type BlobPlace, blobsIn } from './blob-place.ts'
import { pacedStream } from './file.ts'
import { describeDocument, refName } from './layout-source.ts'

/** How `cosign save` calls the signatures of the one image in a layout. */
const cosignKind = 'dev.cosignproject.cosign/sigs'

/**
 * What lies beside the images of a layout: entries of `index.json` by their names, as they come when tags are copied, and manifests in it
 * with a subject (image-spec, image-layout.md); also the index under the fallback tag of a registry.
 */
export function layoutAttachments(place: BlobPlace, readIndex: () => Promise<ImageIndex>): Attachments {
  const read = blobsIn(place)
  const manifest = async (reference: string, operation: Operation = {}) => {
    const entry = isDigest(reference) ? undefined : entryNamed((await readIndex()).manifests, reference)
    const digest = isDigest(reference) ? reference : entry?.digest
    return digest === undefined ? undefined : documentAt(place, digest, operation)
  }
  return {
    manifest,
    blob: read,
    async *referrers(subject, { artifactType, ...operation } = {}) {
      const listed: Attached[] = []
      for (const entry of (await readIndex()).manifests) {
        if (!isManifestType(entry.mediaType) || !isAbout(entry)) continue
        const found = await referrer(place, entry, subject, operation)
        if (found !== undefined) listed.push(found)
      }
      const fallback = await manifest(`sha256-${subject.slice(7)}`, operation)
      if (fallback !== undefined && isIndexType(fallback.descriptor.mediaType)) {
        listed.push(...(parseIndex(fallback.raw, 'the list of referrers').manifests as readonly Attached[]))
      }
      const each = new Map(listed.map((one) => [one.digest, one]))
      for (const one of each.values()) if (artifactType === undefined || one.artifactType === artifactType) yield one
    },
  }
}

function entryNamed(entries: readonly Descriptor[], name: string): Descriptor | undefined {
  const entry = entries.find(({ annotations }) => annotations?.[refName] === name)
  if (entry !== undefined || !name.endsWith('.sig')) return entry
  return entries.find(({ annotations }) => annotations?.kind === cosignKind)
}

/** @throws PLY_DIGEST_MISMATCH, PLY_TOO_LARGE, PLY_BAD_DOCUMENT */
async function documentAt(place: BlobPlace, digest: Digest, operation: Operation) {
  const bytes = place.open(digest)
  if (bytes === undefined) return undefined
  const what = `manifest ${digest}`
  const raw = await collect(
    pacedStream(() => bytes, operation),
    manifestLimit,
    { what },
  )
  const actual = digestOf(raw)
  if (actual !== digest) throw new PlyError('PLY_DIGEST_MISMATCH', { what, expected: digest, actual })
  return { descriptor: describeDocument(raw, what), raw }
}

/** A manifest that refers to a document, as lists of referrers have it. What is damaged refers to nothing. */
async function referrer(
  place: BlobPlace,
  entry: Descriptor,
  subject: Digest,
  operation: Operation,
): Promise<Attached | undefined> {
  try {
    const found = await documentAt(place, entry.digest, operation)
    const refers = found === undefined ? undefined : referring(found.raw)
    if (found === undefined || refers?.subject !== subject) return undefined
    const { artifactType } = refers
    return { ...found.descriptor, ...(artifactType !== undefined && { artifactType }) }
  } catch (error) {
    if (!['PLY_DIGEST_MISMATCH', 'PLY_TOO_LARGE', 'PLY_BAD_DOCUMENT', 'PLY_UNSUPPORTED'].includes(codeOf(error) ?? ''))
      throw error
    return undefined
  }
}
