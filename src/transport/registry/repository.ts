import { type Digest, digestOf, isDigest } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { mediaTypes } from '../../model/documents.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { manifestOrIndex, parseIndex, parseManifest } from '../../model/parse-documents.ts'
import { splitReference } from '../../model/reference.ts'
import { type ByteStream, memoryBytes, streamOf } from '../../stream/bytes.ts'
import { verified } from '../../stream/verify.ts'
import { blobStream } from './blob-stream.ts'
import { type Document, deleteBlob, deleteManifest, getManifest, headManifest } from './manifests.ts'
import { pushEndpoint } from './mirrors.ts'
import type { RegistryOptions, Request } from './options.ts'
import { publish, type Referrer, referrersOf, withdraw } from './referrers.ts'
import { remoteName } from './remote-name.ts'
import { Session } from './session.ts'
import { listTags } from './tags.ts'
import { removeTag } from './untag.ts'
import { hasBlob, pushBlob } from './upload.ts'

/**
 * A repository of a registry: everything that the distribution specification has, document by document. Images as a whole go
 * through `openSource` and `openSink`. Every byte that comes from there is checked against its digest. Dispose of it at the end.
 *
 * @throws from every member: PLY_UNREACHABLE, PLY_TLS, PLY_UNAUTHORIZED, PLY_REFUSED, PLY_RATE_LIMITED, PLY_REGISTRY, PLY_ABORTED
 */
export interface Repository extends AsyncDisposable {
  readonly registry: string
  readonly repository: string
  /** The digest behind a tag, or whether there is a digest; `undefined` if there is none. Nothing is transferred. */
  resolve(reference: string, operation?: Operation): Promise<Digest | undefined>
  /** A manifest or an index, with its very bytes, by tag or digest; `undefined` if there is none. */
  manifest(reference: string, operation?: Operation): Promise<Document | undefined>
  /**
   * Stores a manifest or an index as it is, under a tag if one is named. Whatever it points at is there already. What it has as
   * its `subject` lists it from then on, whether the registry does that itself or not.
   */
  putManifest(raw: Uint8Array, options?: { readonly tag?: string | undefined } & Operation): Promise<Descriptor>
  hasBlob(digest: Digest, operation?: Operation): Promise<boolean>
  /** A blob's bytes; the stream fails at its end if they are not what it is called. */
  blob(descriptor: Descriptor, operation?: Operation): ByteStream
  /** Answers how it got there: it was `there`, was `mounted` from another repository, or was `sent`. */
  putBlob(
    content: Uint8Array,
    options?: { readonly mountFrom?: readonly string[] } & Operation,
  ): Promise<{ readonly digest: Digest; readonly size: number; readonly how: 'there' | 'mounted' | 'sent' }>
  /** Every tag, page by page; none if there is no such repository. */
  tags(options?: { readonly pageSize?: number } & Operation): AsyncIterable<string>
  /** What refers to a document: signatures and the like. */
  referrers(subject: Digest, options?: { readonly artifactType?: string } & Operation): AsyncIterable<Referrer>
  /**
   * Takes away a tag and nothing else, or by digest a manifest with all its tags. Answers whether there was one. Where the registry
   * deletes manifests only, a tag is moved to one of nothing first. @throws PLY_UNSUPPORTED where the registry deletes nothing
   */
  delete(reference: string, operation?: Operation): Promise<boolean>
  /** @throws PLY_UNSUPPORTED */
  deleteBlob(digest: Digest, operation?: Operation): Promise<boolean>
}

/** Opens `docker://HOST[:PORT]/NAME`; a tag or a digest in the reference says nothing here. Nothing is asked yet. @throws PLY_BAD_REFERENCE, PLY_USAGE */
export function openRepository(reference: string, options: RegistryOptions = {}): Repository {
  const { transport, details } = splitReference(reference)
  if (transport !== 'docker') {
    throw new PlyError('PLY_USAGE', { reason: `${reference} is in no registry; write docker://HOST/NAME` })
  }
  const name = remoteName(details)
  const session = new Session(pushEndpoint(name, options), { options })
  const asking = ({ signal, onProgress }: Operation = {}): Request => ({ options, signal, onProgress })
  return {
    registry: name.registry,
    repository: name.repository,
    async resolve(wanted, operation) {
      const head = await headManifest(session, wanted, asking(operation))
      if (head === undefined || head.digest !== undefined) return head?.digest
      // A registry need not say it in the answer to HEAD.
      return (await getManifest(session, wanted, asking(operation)))?.descriptor.digest
    },
    manifest: (wanted, operation) => getManifest(session, wanted, asking(operation)),
    async putManifest(raw, { tag, ...operation } = {}) {
      const descriptor = described(raw)
      await publish(session, { descriptor, raw }, tag, asking(operation))
      return descriptor
    },
    hasBlob: (digest, operation) => hasBlob(session, digest, asking(operation)),
    blob: (descriptor, operation) =>
      verified(blobStream(session, descriptor, asking(operation)), {
        digest: descriptor.digest,
        size: descriptor.size,
        what: `blob ${descriptor.digest}`,
      }),
    async putBlob(content, { mountFrom = [], ...operation } = {}) {
      const digest = digestOf(content)
      const blob = { digest, size: content.length, open: () => streamOf(memoryBytes(content)) }
      return { digest, size: content.length, how: await pushBlob(session, blob, mountFrom, asking(operation)) }
    },
    tags: ({ pageSize, ...operation } = {}) => listTags(session, asking(operation), pageSize),
    referrers: (subject, { artifactType, ...operation } = {}) =>
      referrersOf(session, subject, { artifactType, ...asking(operation) }),
    async delete(wanted, operation) {
      const request = asking(operation)
      // What refers to something is in a list there, unless the registry keeps it.
      const document = isDigest(wanted) ? await getManifest(session, wanted, request) : undefined
      const removed = isDigest(wanted)
        ? await deleteManifest(session, wanted, request)
        : await removeTag(session, wanted, request)
      if (document !== undefined) await withdraw(session, document, request)
      return removed
    },
    deleteBlob: (digest, operation) => deleteBlob(session, digest, asking(operation)),
    async [Symbol.asyncDispose]() {
      session[Symbol.dispose]()
    },
  }
}

/** @throws PLY_BAD_DOCUMENT */
function described(raw: Uint8Array): Descriptor {
  const kind = manifestOrIndex(raw, 'manifest')
  const { mediaType } = kind === 'index' ? parseIndex(raw) : parseManifest(raw)
  const assumed = kind === 'index' ? mediaTypes.ociIndex : mediaTypes.ociManifest
  return { mediaType: mediaType ?? assumed, digest: digestOf(raw), size: raw.length }
}
