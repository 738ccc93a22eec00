import { randomBytes } from 'node:crypto'
import { digestOf } from '../../model/digest.ts'
import { mediaTypes } from '../../model/documents.ts'
import { PlyError } from '../../model/errors.ts'
import { memoryBytes, streamOf } from '../../stream/bytes.ts'
import { deleteManifest, getManifest, putManifest } from './manifests.ts'
import type { Request } from './options.ts'
import type { Session } from './session.ts'
import { pushBlob } from './upload.ts'

/**
 * Takes a tag away and nothing else. Many registries delete manifests only, with all their tags: there the tag is first moved to a
 * manifest of nothing, which is deleted; before that it is found out that the registry deletes anything. Answers whether there was
 * such a tag.
 *
 * @throws PLY_UNSUPPORTED where nothing can be deleted; the tag is then what it was
 */
export async function removeTag(session: Session, tag: string, request: Request): Promise<boolean> {
  try {
    if (await deleteManifest(session, tag, request)) return true
  } catch (error) {
    if (!isRefusalOfTags(error)) throw error
  }
  const before = await getManifest(session, tag, request)
  if (before === undefined) return false
  const nothing = await putNothing(session, request)
  await deleteManifest(session, nothing.descriptor.digest, request)
  await putManifest(session, nothing, tag, request)
  try {
    await deleteManifest(session, nothing.descriptor.digest, request)
  } catch (error) {
    await putManifest(session, before, tag, request)
    throw error
  }
  return true
}

/** What registries answer that take a digest alone. */
function isRefusalOfTags(error: unknown): boolean {
  if (!(error instanceof PlyError)) return false
  return error.code === 'PLY_UNSUPPORTED' || (error.code === 'PLY_REGISTRY' && error.details.status === 400)
}

/** A manifest that nobody else has, so that no other tag leads to it. */
async function putNothing(session: Session, request: Request) {
  const content = Buffer.from(JSON.stringify({ removed: randomBytes(16).toString('hex') }))
  const config = { mediaType: mediaTypes.ociConfig, digest: digestOf(content), size: content.length }
  const blob = { digest: config.digest, size: config.size, open: () => streamOf(memoryBytes(content)) }
  await pushBlob(session, blob, [], request)
  const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] }))
  const document = { descriptor: { mediaType: mediaTypes.ociManifest, digest: digestOf(raw), size: raw.length }, raw }
  await putManifest(session, document, undefined, request)
  return document
}
