import type { ImageSink, ImageSource } from '../image/image.ts'
import { type Digest, hexOf } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { manifestLimit, parseIndex } from '../model/parse-documents.ts'
import { streamOf } from '../stream/bytes.ts'
import { collect } from '../stream/collect.ts'
import { ArchiveWriter, copyWritten, stampOf, type Written } from './archive-writer.ts'
import { arriving } from './arriving.ts'
import type { BlobPlace } from './blob-place.ts'
import { layoutDetails } from './details.ts'
import { checkLayoutVersion, indexWith, layoutFile } from './index-json.ts'
import { layoutSource } from './layout-source.ts'
import { type Archive, badArchive, openArchive } from './open-archive.ts'
import { decompressionOf, type SinkOptions, type SourceOptions } from './options.ts'
import { isPoured, writeFile } from './output.ts'
import { blobsOf, blobsOfParcel, type OutgoingBlob } from './staged-blobs.ts'

/**
 * Images of an OCI layout in a tar file, read in place: `oci-archive:FILE[:TAG][@DIGEST]`; `-` is standard input. Dispose
 * of the source when its images are no longer read.
 *
 * @throws PLY_BAD_ARCHIVE if it is none, or truncated; ENOENT, EACCES with the path
 */
export async function ociArchiveSource(details: string, options: SourceOptions): Promise<ImageSource> {
  const { path, name, digest } = layoutDetails('oci-archive', details)
  const archive = await openArchive(path, options)
  try {
    const raw = await readMember(archive, 'index.json', manifestLimit)
    if (raw === undefined) {
      const other = archive.names.has('manifest.json') ? `; it has a manifest.json: try docker-archive:${path}` : ''
      throw badArchive(archive.where, `it has no index.json${other}`)
    }
    const marker = await readMember(archive, 'oci-layout', manifestLimit)
    if (marker !== undefined) checkLayoutVersion(marker, `oci-layout in ${archive.where}`)
    const index = parseIndex(raw, `index.json in ${archive.where}`)
    return layoutSource(
      archivePlace(archive),
      index,
      { name, digest, platform: options.platform, decompression: decompressionOf(options) },
      () => archive.close(),
    )
  } catch (error) {
    archive.close()
    throw error
  }
}

/** A small member, in memory; `undefined` if there is none. `limit` is in bytes. @throws PLY_TOO_LARGE */
export async function readMember(archive: Archive, name: string, limit: number): Promise<Buffer | undefined> {
  const bytes = archive.open(name)
  return bytes === undefined ? undefined : collect(streamOf(bytes), limit, { what: `${name} in ${archive.where}` })
}

/** The blobs of a layout in an archive. */
export function archivePlace(archive: Archive): BlobPlace {
  return { where: archive.where, open: (digest) => archive.open(`blobs/sha256/${hexOf(digest)}`) }
}

/**
 * Writes an OCI layout as a tar file: `oci-archive:FILE[:TAG]`. A file that is there is replaced by the first image that
 * is written; further images of the same sink are added to it. Manifest, config and layers keep their bytes.
 */
export async function ociArchiveSink(details: string, options: SinkOptions): Promise<ImageSink> {
  const { path, name: tag, digest } = layoutDetails('oci-archive', details)
  if (digest !== undefined)
    throw new PlyError('PLY_USAGE', { reason: `a digest follows from what is written; leave out @${digest}` })
  let written: Written | undefined
  let index: Buffer | undefined
  const held = new Set<Digest>()
  const put = async (
    descriptor: Descriptor,
    outgoing: readonly OutgoingBlob[],
    name = tag,
    operation: Operation = {},
  ): Promise<Descriptor> => {
    refuseSecond(path, written)
    const next = indexWith(index, descriptor, name)
    const blobs = outgoing.filter((blob) => !held.has(blob.digest))
    const end = await writeFile(path, { ...options, ...operation }, async (file) => {
      const archive = new ArchiveWriter(file)
      if (written !== undefined) await copyWritten(written, file, operation)
      else {
        await archive.bytes('oci-layout', Buffer.from(layoutFile))
        await archive.directory('blobs/')
        await archive.directory('blobs/sha256/')
      }
      for await (const { digest, content } of arriving(blobs, operation))
        await archive.member(`blobs/sha256/${hexOf(digest)}`, content(operation), { ...operation, what: digest })
      const blobsEnd = archive.position
      await archive.bytes('index.json', next)
      await archive.end()
      return blobsEnd
    })
    written = { path, end, stamp: isPoured(path) ? '' : stampOf(path) }
    index = next
    for (const blob of blobs) held.add(blob.digest)
    return descriptor
  }
  return {
    write: (image, name, operation) => put(image.descriptor, blobsOf(image), name, operation),
    writeParcel: (parcel, name, operation) => put(parcel.descriptor, blobsOfParcel(parcel), name, operation),
    async [Symbol.asyncDispose]() {},
  }
}

/** What has left through a pipe cannot be added to. @throws PLY_USAGE */
export function refuseSecond(path: string, written: Written | undefined): void {
  if (written !== undefined && isPoured(path)) {
    throw new PlyError('PLY_USAGE', { reason: 'a pipe takes one image; write to a file to save several' })
  }
}
