import type { Digest } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import type { Operation } from '../model/operation.ts'
import type { ByteStream } from '../stream/bytes.ts'

/** What is known of a document that refers to another one without opening it. */
export interface Attached extends Descriptor {
  readonly artifactType?: string
}

/**
 * What lies beside an image where that is: in the same repository, in the same layout. Every byte is checked against the digest it
 * was asked for by; a `Repository` is one.
 */
export interface Attachments {
  /** A manifest or an index by tag or digest, with its very bytes; `undefined` if there is none. @throws PLY_BAD_DOCUMENT */
  manifest(
    reference: string,
    operation?: Operation,
  ): Promise<{ readonly descriptor: Descriptor; readonly raw: Uint8Array } | undefined>
  /** A blob's bytes; the stream fails at its end if they are not what it is called. */
  blob(descriptor: Descriptor, operation?: Operation): ByteStream
  /** What refers to a document. */
  referrers(subject: Digest, options?: { readonly artifactType?: string } & Operation): AsyncIterable<Attached>
}

/** Where something can be laid beside an image. */
export interface WritableAttachments extends Attachments {
  putBlob(content: Uint8Array, options?: Operation): Promise<unknown>
  /** Stores a document whose blobs are there. What it has as its `subject` lists it from then on. */
  putManifest(raw: Uint8Array, options?: { readonly tag?: string | undefined } & Operation): Promise<Descriptor>
}

/** The attachments of a place that images come from. */
export interface SourceAttachments extends Attachments {
  /** What a name, or else the place's reference, leads to: an image, or the indexes that one is chosen from. */
  roots(name: string | undefined, operation?: Operation): Promise<readonly Descriptor[]>
  /** The name of an image there as signatures have it, `HOST/NAME[:TAG]`; `undefined` where images have no such names. */
  identity(name: string | undefined): string | undefined
}
