import type { Digest } from '../model/digest.ts'
import type { Operation } from '../model/operation.ts'
import type { ByteSink, ByteStream, Bytes } from '../stream/bytes.ts'

export interface BlobStat {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

/** What is known of a blob before it is read. */
export interface Expected {
  readonly digest?: Digest | undefined
  readonly size?: number | undefined
}

/** A file that somebody else writes, from its beginning to its end. */
export interface WritableFile {
  readonly path: string
  /** Says how many bytes it has got, once they are written. */
  written(size: number): void
}

/**
 * A blob on its way in. Nothing is visible until `commit`; `discard` (or the end of the process and the next
 * sweep of `tmp/`) leaves nothing. `commit` hashes nothing: the caller says the digest of what it wrote, because it
 * has hashed the bytes on their way.
 */
export interface Draft extends ByteSink, AsyncDisposable {
  /** Syncs what was written; nothing can be written after it. `commit` then only names. @throws PLY_ABORTED, ENOSPC … */
  finish(operation?: Operation): Promise<void>
  /**
   * Syncs, names the blob, syncs the directory. Naming bytes that are there already changes nothing, unless `anew` says that
   * they are not what their name says: then these take their place, in one step.
   * Until the name is set, which is one step, an abort leaves nothing. @throws PLY_ABORTED, ENOSPC …
   */
  commit(digest: Digest, operation?: { readonly anew?: boolean } & Operation): Promise<BlobStat>
  /** The file, for somebody who writes it from another thread. Absent where there is none that others can open. */
  readonly file?: WritableFile | undefined
  /** Safe to call twice, and after `commit`. */
  discard(): Promise<void>
}

/**
 * Bytes by digest.
 *
 * A blob is either wholly here or not here: `write` stores under a temporary name, checks, syncs, then renames.
 * Writing bytes that are already present succeeds and changes nothing. `stream` fails at its end, not at its start, if
 * the bytes do not match their name; treat nothing as read until it has ended. `open` gives random access to bytes
 * that nobody has checked on this occasion.
 */
export interface BlobStore {
  stat(digest: Digest): Promise<BlobStat | undefined>
  /** @throws PLY_BLOB_NOT_FOUND; PLY_DIGEST_MISMATCH at the end. */
  stream(digest: Digest, operation?: Operation): ByteStream
  /** @throws PLY_BLOB_NOT_FOUND. The caller closes it. */
  open(digest: Digest): Promise<Bytes>
  /** @throws PLY_DIGEST_MISMATCH, PLY_SIZE_MISMATCH: nothing stays behind. */
  write(content: ByteStream, expected?: Expected, operation?: Operation): Promise<BlobStat>
  draft(): Promise<Draft>
  /** Deleting what is not there is fine. */
  delete(digest: Digest): Promise<void>
  list(): AsyncIterable<Digest>
}
