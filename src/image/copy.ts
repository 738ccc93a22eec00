import type { Digest } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { checkAborted, type Operation } from '../model/operation.ts'
import { carrySignatures, type SourceAttachments, type WritableAttachments } from '../signature/index.ts'
import type { Image, ImageSink, ImageSource } from './image.ts'
import type { WriteOptions } from './layer-report.ts'
import { documentsIn, imageOfParcel, type ManifestParcel, type Parcel, parcelOf } from './parcel.ts'

/** What is copied, and how its layers travel. */
export interface CopyOptions extends WriteOptions {
  /** Which of the source's images; default: the one its reference named, or the only one. */
  readonly name?: string | undefined
  /** `os/arch[/variant]`, to choose from an index. */
  readonly platform?: string | undefined
  /** The name in the sink; default: the one its reference named. */
  readonly as?: string | undefined
  /**
   * Take the signatures of all that is copied along; where an image by itself is copied, from here. @throws PLY_UNREPRESENTABLE where a side
   * has no place for them
   */
  readonly signatures?: boolean | SourceAttachments | undefined
}

/**
 * Takes an image from one place to another. Manifest, config and layers keep their bytes wherever the target can hold
 * them. Answers the descriptor of what was written.
 *
 * @throws PLY_ABORTED, and what the source and the sink throw
 */
export async function copy(
  source: Image | ImageSource,
  sink: ImageSink,
  options: CopyOptions = {},
): Promise<Descriptor> {
  const { name, platform, as, signatures = false, ...writing } = options
  const { signal, onProgress } = writing
  checkAborted(signal)
  const image =
    'rawManifest' in source
      ? source
      : await source.image(name, { signal, onProgress, ...(platform !== undefined && { platform }) })
  const places = signatures ? placesOf(source, sink, signatures) : undefined
  const written = await sink.write(image, as, writing)
  if (places !== undefined) await carryOver(places, [image.digest], written, { signal })
  return written
}

interface SignaturePlaces {
  readonly from: SourceAttachments
  readonly to: WritableAttachments
}

/** @throws PLY_UNREPRESENTABLE where one side has no place for signatures */
function placesOf(
  source: Image | Parcel | ImageSource,
  sink: ImageSink,
  said: true | SourceAttachments,
): SignaturePlaces {
  const from = said !== true ? said : 'attachments' in source ? source.attachments : undefined
  const to = sink.attaching
  if (from !== undefined && to !== undefined) return { from, to }
  const where = from === undefined ? 'where the image comes from' : 'where the image goes to'
  const reason = 'there is no place for signatures; registries and oci: have one, and oci-archive: to read them'
  throw new PlyError('PLY_UNREPRESENTABLE', { path: 'the signatures', where, reason })
}

/** Signatures are of digests: they go along if the digest has stayed. */
async function carryOver(
  { from, to }: SignaturePlaces,
  subjects: readonly Digest[],
  written: Descriptor,
  operation: Operation,
): Promise<void> {
  if (subjects.includes(written.digest)) await carrySignatures(subjects, from, to, operation)
  else {
    const reason = `the image is ${written.digest} there, and they are of another one`
    throw new PlyError('PLY_UNREPRESENTABLE', { path: 'the signatures', where: 'where the image went', reason })
  }
}

/**
 * Takes all that a source has under one name to another place: an index with all its images and attestations, or an artifact that is
 * no image. Every document keeps its bytes. Answers the descriptor of what was written.
 *
 * @throws PLY_UNREPRESENTABLE where the target has no place for it; PLY_ABORTED, and what the source and the sink throw
 */
export async function copyWhole(
  source: Parcel | ImageSource,
  sink: ImageSink,
  options: Omit<CopyOptions, 'platform'> = {},
): Promise<Descriptor> {
  const { name, as, signatures = false, ...writing } = options
  const { signal, onProgress } = writing
  checkAborted(signal)
  const parcel = 'is' in source ? source : await parcelFrom(source, name, { signal, onProgress })
  const places = signatures ? placesOf(source, sink, signatures) : undefined
  const written =
    sink.writeParcel !== undefined
      ? await sink.writeParcel(parcel, as, writing)
      : await sink.write(await onlyImage(parcel, 'a place for single images', writing), as, writing)
  if (places !== undefined) {
    const subjects = documentsIn(parcel).map(({ descriptor }) => descriptor.digest)
    await carryOver(places, subjects, written, { signal })
  }
  return written
}

/** What a source has under a name, whole. */
export async function parcelFrom(
  source: ImageSource,
  name: string | undefined,
  operation: Operation = {},
): Promise<Parcel> {
  if (source.parcel !== undefined) return source.parcel(name, operation)
  return parcelOf(await source.image(name, operation))
}

/** The image that a parcel is, for places that hold nothing else. @throws PLY_UNREPRESENTABLE saying what it is */
export async function onlyImage(parcel: Parcel, where: string, operation: Operation = {}): Promise<Image> {
  const { signal } = operation
  const image = parcel.is === 'manifest' ? await imageOfParcel(parcel, { signal }) : undefined
  if (image !== undefined) return image
  const reason =
    parcel.is === 'index'
      ? `it is an index of ${parcel.members.length} manifests; choose one with --platform, or write to oci:, oci-archive:, dir: or a registry`
      : `it is an artifact (${artifactTypeOf(parcel)}) and no image; write to oci:, oci-archive:, dir: or a registry`
  throw new PlyError('PLY_UNREPRESENTABLE', { path: parcel.descriptor.digest, where, reason })
}

function artifactTypeOf({ manifest }: ManifestParcel): string {
  const { artifactType } = manifest as { readonly artifactType?: unknown }
  return typeof artifactType === 'string' && artifactType !== '' ? artifactType : manifest.config.mediaType
}
