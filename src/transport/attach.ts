import { type Digest, digestOf } from '../model/digest.ts'
import { type Descriptor, mediaTypes } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { canonicalJson } from '../model/json.ts'
import { checkAborted } from '../model/operation.ts'
import { splitReference } from '../model/reference.ts'
import type { Attached, SourceAttachments, WritableAttachments } from '../signature/index.ts'
import { openSink, openSource } from './open.ts'
import type { TransportOptions } from './options.ts'
import { openRepository } from './registry/repository.ts'

/** One file of what is attached. */
export interface AttachedFile {
  readonly content: Uint8Array
  /** What it is called there; default: nothing. */
  readonly name?: string | undefined
  /** Default: `application/octet-stream`. */
  readonly mediaType?: string | undefined
}

/** What is attached to an image, as what. */
export interface AttachOptions extends TransportOptions {
  /** What it is: `application/spdx+json`. */
  readonly artifactType: string
  /** The image of an index for this platform, and not the index. */
  readonly platform?: string | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

const emptyConfig = Buffer.from('{}')
const emptyType = 'application/vnd.oci.empty.v1+json'
/** Where tools look for the name of a file (image-spec, annotations.md). */
const title = 'org.opencontainers.image.title'

/**
 * Lays files beside an image, as an artifact that refers to it (image-spec, guidelines for artifacts): a bill of materials, a report.
 * `docker://HOST/NAME[:TAG][@DIGEST]` or `oci:DIR[:TAG][@DIGEST]`. A registry without a list of referrers gets it under the fallback
 * tag. The same files give the same digest. Answers the artifact.
 *
 * @throws PLY_IMAGE_NOT_FOUND; PLY_UNSUPPORTED where nothing can be attached; PLY_USAGE for a type that is none
 */
export async function attach(
  reference: string,
  files: readonly AttachedFile[],
  { artifactType, annotations, platform, ...options }: AttachOptions,
): Promise<Descriptor> {
  const { signal } = options
  checkAborted(signal)
  if (!/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(artifactType))
    throw new PlyError('PLY_USAGE', { reason: `${artifactType} is no type: write it as application/spdx+json` })
  const subject = await subjectAt(reference, { ...options, platform })
  await using opened = await placeAt(reference, options)
  const { place } = opened
  const layers: Descriptor[] = []
  for (const { content, name, mediaType = 'application/octet-stream' } of files) {
    await place.putBlob(content, { signal })
    const said = name === undefined ? {} : { annotations: { [title]: name } }
    layers.push({ mediaType, digest: digestOf(content), size: content.length, ...said })
  }
  await place.putBlob(emptyConfig, { signal })
  const config = { mediaType: emptyType, digest: digestOf(emptyConfig), size: emptyConfig.length }
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config,
    // A manifest has at least one layer; one of nothing else is the empty one.
    layers: layers.length > 0 ? layers : [config],
    subject,
    ...(annotations && { annotations }),
  }
  return place.putManifest(canonicalJson(manifest), { signal })
}

/**
 * What refers to an image, or to the index that a reference leads to: signatures, bills of materials, attestations.
 *
 * @throws PLY_UNSUPPORTED where images have no such things beside them; what the place throws
 */
export async function* referrers(
  reference: string,
  {
    artifactType,
    platform,
    ...options
  }: TransportOptions & Partial<Pick<AttachOptions, 'artifactType' | 'platform'>> = {},
): AsyncGenerator<Attached> {
  await using source = await openSource(reference, options)
  const { signal } = options
  const attachments = attachmentsOf(source, reference)
  const digest =
    platform === undefined
      ? (await attachments.roots(undefined, { signal }))[0]!.digest
      : (await source.image(undefined, { platform, signal })).digest
  yield* attachments.referrers(digest, { signal, ...(artifactType !== undefined && { artifactType }) })
}

/** What is to be referred to, without what an index says of it. */
async function subjectAt(
  reference: string,
  { platform, ...options }: TransportOptions,
): Promise<{ readonly mediaType: string; readonly digest: Digest; readonly size: number }> {
  await using source = await openSource(reference, options)
  const { signal } = options
  const { mediaType, digest, size } =
    platform === undefined
      ? (await attachmentsOf(source, reference).roots(undefined, { signal }))[0]!
      : (await source.image(undefined, { platform, signal })).descriptor
  return { mediaType, digest, size }
}

async function placeAt(
  reference: string,
  options: TransportOptions,
): Promise<AsyncDisposable & { readonly place: WritableAttachments }> {
  const { transport } = splitReference(reference)
  if (transport === 'docker') {
    const repository = openRepository(reference, options.registry)
    return { place: repository, [Symbol.asyncDispose]: () => repository[Symbol.asyncDispose]() }
  }
  const sink = transport === 'oci' ? await openSink(reference.replace(/@sha256:[0-9a-f]{64}$/, ''), options) : undefined
  if (sink?.attaching === undefined) throw nowhere(transport)
  return { place: sink.attaching, [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose]() }
}

function attachmentsOf(
  source: { readonly attachments?: SourceAttachments | undefined },
  reference: string,
): SourceAttachments {
  if (source.attachments === undefined) throw nowhere(splitReference(reference).transport)
  return source.attachments
}

function nowhere(transport: string): PlyError {
  const reason = 'only registries and layouts (oci:DIR) keep something beside an image; copy it there'
  return new PlyError('PLY_UNSUPPORTED', { what: `what is attached to images in ${transport}:`, reason })
}
