import type { DiffId, Digest } from '../model/digest.ts'
import type { Descriptor, ImageConfig, Manifest } from '../model/documents.ts'
import type { Operation } from '../model/operation.ts'
import type { SourceAttachments, WritableAttachments } from '../signature/index.ts'
import type { ByteStream, Bytes } from '../stream/bytes.ts'
import type { WriteOptions } from './layer-report.ts'
import type { Parcel, ParcelProblem } from './parcel.ts'

/** One layer as OCI sees it. */
export interface Layer {
  /** As the manifest says it, with the blob's digest and size. */
  readonly descriptor: Descriptor
  readonly diffId: DiffId
  /** The bytes as they travel: they hash to `descriptor.digest`. Verified at the end, not at the start. */
  compressed(operation?: Operation): ByteStream
  /** The tar: it hashes to `diffId`. Verified at the end, not at the start. */
  uncompressed(operation?: Operation): ByteStream
  /**
   * The blob where it lies, unverified: for a reader that hashes it itself, once. The caller closes it. Absent where it lies
   * nowhere at rest.
   */
  readonly atRest?: (() => Bytes) | undefined
  /**
   * The tar where it lies, each byte of it checked when it is read: for a reader that then need not hash it. The caller closes
   * it. `undefined` where there is none just now, and `uncompressed` makes it.
   */
  readonly checkedTar?: (() => CheckedTar | undefined) | undefined
  /**
   * Brings the blob here, and answers the same layer with an `atRest`: for a reader that wants several at once, or reads a
   * blob more than once. Whoever calls this for many is given a few at a time. Absent where nothing has to be brought.
   */
  readonly fetched?: ((operation?: Operation) => Promise<Layer>) | undefined
  /** Where a registry has the blob already, so that within it nothing has to travel. */
  readonly origin?: LayerOrigin | undefined
  /** It is not where its image is, but only at the addresses that its descriptor names (layer-semantics Q-06): it is not copied. */
  readonly elsewhere?: boolean | undefined
}

/** A repository of a registry. */
export interface LayerOrigin {
  /** `HOST[:PORT]`. */
  readonly registry: string
  readonly repository: string
}

/** A tar at rest whose reads throw PLY_DAMAGED rather than hand out what was not there when its digest was taken. */
export interface CheckedTar extends Bytes {
  /** Whose tar it is. Who makes a layer of another one's parts may have left this one in. */
  readonly diffId: DiffId
}

/**
 * Manifest, config and layers, wherever they are. Base layer first. The raw bytes are the truth: a copy keeps them, so
 * digests survive and unknown fields are not lost. An image is a value: nothing here changes it.
 */
export interface Image {
  /** The manifest's descriptor. */
  readonly descriptor: Descriptor
  readonly digest: Digest
  readonly rawManifest: Uint8Array
  readonly manifest: Manifest
  readonly rawConfig: Uint8Array
  readonly config: ImageConfig
  readonly layers: readonly Layer[]
}

/** One image that a source holds. */
export interface Listed {
  /** The name it has there, if any. */
  readonly name: string | undefined
  readonly descriptor: Descriptor
}

/**
 * Somewhere an image can come from. `image()` without a name answers the one the reference named, or the only one;
 * for an index it chooses by platform (the default is this machine's architecture on linux).
 *
 * @throws PLY_IMAGE_NOT_FOUND, PLY_PLATFORM_NOT_FOUND, PLY_BAD_ARCHIVE, PLY_BAD_DOCUMENT
 */
export interface ImageSource extends AsyncDisposable {
  list(): AsyncIterable<Listed>
  image(name?: string, options?: { readonly platform?: string } & Operation): Promise<Image>
  /** What `image` would choose from, whole: an index with all its platforms, or a manifest that need not be an image's. Absent: only images. */
  parcel?(name?: string, operation?: Operation & ParcelProblem): Promise<Parcel>
  /** Where signatures of its images are. Absent where there is no place for them. */
  readonly attachments?: SourceAttachments | undefined
}

/**
 * Somewhere an image can go. A write is all or nothing: a failed one leaves what was there. Digests are kept where
 * the format can (docker-archive has no manifest digest); the answer is the descriptor of what was written.
 */
export interface ImageSink extends AsyncDisposable {
  write(image: Image, name?: string, options?: WriteOptions): Promise<Descriptor>
  /** Writes it whole, as `write` does. Absent: only images. @throws PLY_UNREPRESENTABLE where the format has no place for it */
  writeParcel?(parcel: Parcel, name?: string, options?: WriteOptions): Promise<Descriptor>
  /** Where signatures of its images go. Absent where there is no place for them. */
  readonly attaching?: WritableAttachments | undefined
}
