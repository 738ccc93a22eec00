import { type Digest, digestOf, isDigest } from '../../model/digest.ts'
import { type Descriptor, mediaTypes } from '../../model/documents.ts'
import { PlyError } from '../../model/errors.ts'
import { badDocument } from '../../model/json.ts'
import {
  isIndexType,
  isManifestType,
  manifestLimit,
  manifestOrIndex,
  parseIndex,
  parseManifest,
} from '../../model/parse-documents.ts'
import { memoryBytes, streamOf } from '../../stream/bytes.ts'
import { collect } from '../../stream/collect.ts'
import { wireError } from './answers.ts'
import type { Scope } from './authority.ts'
import type { Request } from './options.ts'
import { Patience } from './patience.ts'
import { type Answer, type Endpoint, isInterruption, type Session, unexpected } from './session.ts'

/** A manifest or an index, with its bytes. */
export interface Document {
  readonly descriptor: Descriptor
  readonly raw: Buffer
}

const accepted = [mediaTypes.ociIndex, mediaTypes.ociManifest, mediaTypes.dockerIndex, mediaTypes.dockerManifest]
// Docker's schema 1 is refused by name: a registry that has nothing else would say "not found".
const accept = [...accepted, 'application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.1', '*/*;q=0.05'].join(', ')

/** It becomes part of an address. @throws PLY_BAD_REFERENCE for what is neither a tag nor a digest */
function checked(reference: string): string {
  if (isDigest(reference) || /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(reference)) return reference
  throw new PlyError('PLY_BAD_REFERENCE', {
    text: JSON.stringify(reference),
    reason: 'it is neither a tag nor a sha256 digest',
  })
}

/** What a token is asked for. */
export function scopeOf(repository: string, actions: 'pull' | 'pull,push' | 'delete' | '*'): Scope {
  return `repository:${repository}:${actions}`
}

/**
 * The document behind a tag or a digest, its bytes as they are. `undefined` if there is none. What is asked for by digest hashes to it.
 *
 * @throws PLY_DIGEST_MISMATCH; PLY_BAD_DOCUMENT; PLY_UNSUPPORTED for Docker's schema 1; PLY_TOO_LARGE; what `Session.call` throws
 */
export async function getManifest(
  session: Session,
  reference: string,
  request: Request,
): Promise<Document | undefined> {
  const patience = new Patience(request.options.patience, request.signal)
  for (;;) {
    const answer = await askFor(session, 'GET', reference, request)
    if (answer === undefined) return undefined
    const what = `manifest ${reference} of ${session.endpoint.repository}`
    let raw: Buffer
    try {
      raw = await collect(answer.body, manifestLimit, { what })
    } catch (error) {
      if (!isInterruption(error)) throw error
      if (await patience.next()) continue
      throw wireError(error, session.endpoint.registry)
    }
    const digest = digestOf(raw)
    const said = isDigest(reference) ? reference : answer.headers['docker-content-digest']
    if (isDigest(said) && said !== digest)
      throw new PlyError('PLY_DIGEST_MISMATCH', { what, expected: said, actual: digest })
    return { descriptor: { mediaType: mediaTypeOf(raw, answer, what), digest, size: raw.length }, raw }
  }
}

/** What a registry says of a tag or a digest, without its bytes. `undefined` if there is none; no digest if it does not say. */
export async function headManifest(
  session: Session,
  reference: string,
  request: Request,
): Promise<{ readonly digest: Digest | undefined; readonly mediaType: string; readonly size: number } | undefined> {
  const answer = await askFor(session, 'HEAD', reference, request)
  if (answer === undefined) return undefined
  await answer.discard()
  const digest = answer.headers['docker-content-digest']
  return {
    digest: isDigest(digest) ? digest : undefined,
    mediaType: typeOf(answer),
    size: Number(answer.headers['content-length'] ?? 0),
  }
}

/**
 * Stores a manifest or an index under its digest, and under a tag where one is named. What it points at is there already.
 * Answers whether the registry has taken note of its `subject`, where it has one.
 */
export async function putManifest(
  session: Session,
  { descriptor, raw }: { readonly descriptor: Descriptor; readonly raw: Uint8Array },
  tag: string | undefined,
  request: Request,
): Promise<{ readonly subjectKnown: boolean }> {
  const { repository } = session.endpoint
  const { digest, mediaType } = descriptor
  const answer = await session.call(
    {
      method: 'PUT',
      path: `${repository}/manifests/${checked(tag ?? digest)}`,
      headers: { 'content-type': mediaType },
      body: { size: raw.length, stream: () => streamOf(memoryBytes(raw)) },
      scopes: [scopeOf(repository, 'pull,push')],
    },
    request,
  )
  if (answer.status !== 201 && answer.status !== 200 && answer.status !== 202)
    throw await unexpected(answer, session.endpoint, `manifest ${digest} is not taken`)
  await answer.discard()
  const stored = answer.headers['docker-content-digest']
  if (isDigest(stored) && stored !== digest) {
    const what = `manifest as ${session.endpoint.registry} has stored it`
    throw new PlyError('PLY_DIGEST_MISMATCH', { what, expected: digest, actual: stored })
  }
  return { subjectKnown: answer.headers['oci-subject'] !== undefined }
}

/** Takes a manifest away by its digest, or a tag by its name. Answers whether there was one. @throws PLY_UNSUPPORTED */
export async function deleteManifest(session: Session, reference: string, request: Request): Promise<boolean> {
  return remove(session, `manifests/${checked(reference)}`, reference, request)
}

/** Takes a blob away. Answers whether there was one. @throws PLY_UNSUPPORTED */
export async function deleteBlob(session: Session, digest: Digest, request: Request): Promise<boolean> {
  return remove(session, `blobs/${checked(digest)}`, digest, request)
}

async function remove(session: Session, path: string, name: string, request: Request): Promise<boolean> {
  const { repository } = session.endpoint
  const scopes = [scopeOf(repository, 'delete'), scopeOf(repository, 'pull')]
  const answer = await session.call({ method: 'DELETE', path: `${repository}/${path}`, scopes }, request)
  if (answer.status === 404) {
    await answer.discard()
    return false
  }
  if (answer.status !== 202 && answer.status !== 200 && answer.status !== 204) {
    throw await unexpected(answer, session.endpoint, `${name} is not deleted`)
  }
  await answer.discard()
  return true
}

async function askFor(
  session: Session,
  method: 'GET' | 'HEAD',
  reference: string,
  request: Request,
): Promise<Answer | undefined> {
  const { repository } = session.endpoint
  const scopes = [scopeOf(repository, 'pull')]
  const path = `${repository}/manifests/${checked(reference)}`
  const answer = await session.call({ method, path, headers: { accept }, scopes }, request)
  if (answer.status === 404) {
    await answer.discard()
    return undefined
  }
  if (answer.status !== 200)
    throw await unexpected(answer, session.endpoint, `${reference} of ${repository} cannot be had`)
  return answer
}

/** Two readers must not read the same bytes as different things (CVE-2021-41190). */
function mediaTypeOf(raw: Uint8Array, answer: Answer, what: string): string {
  const kind = manifestOrIndex(raw, what)
  const { mediaType } = kind === 'index' ? parseIndex(raw, what) : parseManifest(raw, what)
  const said = typeOf(answer)
  const wrongKind = kind === 'index' ? isManifestType(said) : isIndexType(said)
  if (wrongKind)
    throw badDocument(what, `the registry calls it ${said}, and it is ${kind === 'index' ? 'an' : 'a'} ${kind}`)
  const known = isManifestType(said) || isIndexType(said) ? said : undefined
  return mediaType ?? known ?? (kind === 'index' ? mediaTypes.ociIndex : mediaTypes.ociManifest)
}

function typeOf({ headers }: Answer): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]!.trim()
}

/** `host/repository` for messages. */
export function placeOf({ registry, repository }: Endpoint): string {
  return `${registry}/${repository}`
}
