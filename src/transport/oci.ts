import fs from 'node:fs'
import { join } from 'node:path'
import type { ImageSink, ImageSource } from '../image/image.ts'
import { type Digest, hexOf } from '../model/digest.ts'
import type { Descriptor, ImageIndex } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { manifestLimit, parseIndex } from '../model/parse-documents.ts'
import { streamOf } from '../stream/bytes.ts'
import { collect } from '../stream/collect.ts'
import type { BlobPlace } from './blob-place.ts'
import { layoutDetails } from './details.ts'
import { onDisk } from './disk-errors.ts'
import { kindAt, openFile, readNames } from './file.ts'
import { checkLayoutVersion, indexWith, layoutFile } from './index-json.ts'
import { layoutSource } from './layout-source.ts'
import { withLock } from './lock.ts'
import { ociAttachments } from './oci-attachments.ts'
import { decompressionOf, type SinkOptions, type SourceOptions } from './options.ts'
import {
  blobsOf,
  blobsOfParcel,
  makeDirectories,
  type OutgoingBlob,
  removeIfEmpty,
  StagedBlobs,
} from './staged-blobs.ts'
import { syncDirectory, writeOnce, writeWhole } from './staged-file.ts'

/**
 * Images of an OCI layout directory: `oci:DIR[:TAG][@DIGEST]`.
 *
 * @throws PLY_BAD_ARCHIVE if it is none; ENOENT, EACCES with the path
 */
export async function ociSource(details: string, options: SourceOptions): Promise<ImageSource> {
  const { path, name, digest } = layoutDetails('oci', details)
  const index = await readIndex(path)
  if (index === undefined) {
    throw new PlyError('PLY_BAD_ARCHIVE', { reason: `${path} has no index.json: it is no OCI layout` })
  }
  return layoutSource(
    directoryPlace(path),
    index,
    { name, digest, platform: options.platform, decompression: decompressionOf(options) },
    () => {},
  )
}

/**
 * Writes into an OCI layout directory, made if there is none: `oci:DIR[:TAG]`. Blobs that are there are kept, and so is
 * everything in `index.json` but the entry of the same tag. Manifest, config and layers keep their bytes.
 *
 * @throws PLY_EXISTS if the directory holds something else
 */
export async function ociSink(details: string, _options: SinkOptions): Promise<ImageSink> {
  const { path, name: tag, digest } = layoutDetails('oci', details)
  if (digest !== undefined)
    throw new PlyError('PLY_USAGE', { reason: `a digest follows from what is written; leave out @${digest}` })
  const put = async (
    descriptor: Descriptor,
    outgoing: readonly OutgoingBlob[],
    name = tag,
    operation: Operation = {},
  ): Promise<Descriptor> => {
    refuseForeign(path)
    const blobs = join(path, 'blobs', 'sha256')
    const made = await makeDirectories(blobs)
    const pathOf = (blob: Digest) => join(blobs, hexOf(blob))
    try {
      await using staged = await StagedBlobs.write(path, outgoing, pathOf, operation)
      await publish(path, staged, descriptor, name, operation)
      return descriptor
    } catch (error) {
      await removeIfEmpty(made)
      throw error
    }
  }
  return {
    write: (image, name, operation) => put(image.descriptor, blobsOf(image), name, operation),
    writeParcel: (parcel, name, operation) => put(parcel.descriptor, blobsOfParcel(parcel), name, operation),
    attaching: ociAttachments(path, directoryPlace(path)),
    async [Symbol.asyncDispose]() {},
  }
}

/** Blobs first, then the index that names them: nothing incomplete ever has a name. */
async function publish(
  path: string,
  staged: StagedBlobs,
  descriptor: Descriptor,
  name: string | undefined,
  operation: Operation,
): Promise<void> {
  const index = join(path, 'index.json')
  const marker = join(path, 'oci-layout')
  const act = async () => {
    try {
      // Before the blobs are placed: an index that cannot be added to is found while nothing has changed.
      const old = kindAt(index) === 'none' ? undefined : await onDisk(index, () => fs.promises.readFile(index))
      const next = indexWith(old, descriptor, name)
      await staged.place(operation)
      await syncDirectory(join(path, 'blobs', 'sha256'))
      await writeWhole(index, next)
    } catch (error) {
      await staged.takeBack()
      if (kindAt(index) === 'none') await fs.promises.rm(marker, { force: true })
      throw error
    }
  }
  await writeOnce(marker, layoutFile)
  await withLock(marker, operation.signal, act)
}

/** @throws PLY_EXISTS, ENOTDIR if the path is something else than a layout, an empty directory, or nothing */
function refuseForeign(path: string): void {
  const kind = kindAt(path)
  if (kind === 'none') return
  if (kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'open', path })
  if (kindAt(join(path, 'index.json')) !== 'none' || kindAt(join(path, 'oci-layout')) !== 'none') return
  const others = readNames(path).filter((one) => one !== 'blobs' && !one.startsWith('.ply-'))
  if (others.length > 0) throw new PlyError('PLY_EXISTS', { path })
}

/** The blobs of a layout directory. */
function directoryPlace(path: string): BlobPlace {
  return {
    where: path,
    open(digest: Digest) {
      const blob = join(path, 'blobs', 'sha256', hexOf(digest))
      return kindAt(blob) === 'none' ? undefined : openFile(blob)
    },
  }
}

async function readIndex(path: string): Promise<ImageIndex | undefined> {
  const kind = kindAt(path)
  if (kind === 'none') throw new PlyError('ENOENT', { syscall: 'open', path })
  if (kind !== 'directory') {
    throw new PlyError('PLY_BAD_ARCHIVE', {
      reason: `${path} is a file, not an OCI layout directory; for an archive write oci-archive:${path}`,
    })
  }
  const marker = join(path, 'oci-layout')
  if (kindAt(marker) === 'file') checkLayoutVersion(await readSmall(marker), marker)
  const file = join(path, 'index.json')
  return kindAt(file) === 'none' ? undefined : parseIndex(await readSmall(file), file)
}

async function readSmall(path: string): Promise<Buffer> {
  const bytes = openFile(path)
  try {
    return await collect(streamOf(bytes), manifestLimit, { what: path })
  } finally {
    bytes.close()
  }
}
