import fs from 'node:fs'
import { join } from 'node:path'
import type { ImageSink, ImageSource } from '../image/image.ts'
import { documentsIn, type Parcel } from '../image/parcel.ts'
import { type Digest, hexOf } from '../model/digest.ts'
import { type Descriptor, mediaTypes } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { manifestLimit } from '../model/parse-documents.ts'
import { streamOf } from '../stream/bytes.ts'
import { collect } from '../stream/collect.ts'
import type { BlobPlace } from './blob-place.ts'
import { onDisk } from './disk-errors.ts'
import { kindAt, openFile, readNames } from './file.ts'
import { describeDocument, layoutSource } from './layout-source.ts'
import { decompressionOf, type SinkOptions, type SourceOptions } from './options.ts'
import {
  blobsOf,
  blobsOfParcel,
  makeDirectories,
  type OutgoingBlob,
  removeIfEmpty,
  StagedBlobs,
} from './staged-blobs.ts'
import { syncDirectory, writeWhole } from './staged-file.ts'

const version = 'Directory Transport Version: 1.1\n'

/**
 * The image in a directory of loose blobs, as `skopeo copy … dir:DIR` writes it: `manifest.json`, `version`, and each blob
 * under the hexadecimal digits of its digest. With skopeo's `--all`, `manifest.json` is an index.
 *
 * @throws PLY_BAD_ARCHIVE if it is none; ENOENT, EACCES with the path
 */
export async function dirSource(details: string, options: SourceOptions): Promise<ImageSource> {
  const path = details
  const kind = kindAt(path)
  if (kind === 'none') throw new PlyError('ENOENT', { syscall: 'open', path })
  const file = join(path, 'manifest.json')
  if (kind !== 'directory' || kindAt(file) !== 'file') {
    const reason = `${path} ${kind === 'directory' ? 'has no manifest.json' : 'is no directory'}; for a directory tree write rootfs:${path}`
    throw new PlyError('PLY_BAD_ARCHIVE', { reason })
  }
  const bytes = openFile(file)
  let raw: Buffer
  try {
    raw = await collect(streamOf(bytes), manifestLimit, { what: file })
  } finally {
    bytes.close()
  }
  const descriptor = describeDocument(raw, file)
  const place: BlobPlace = {
    where: path,
    open(digest) {
      const candidates = [
        ...(digest === descriptor.digest ? [file] : []),
        join(path, hexOf(digest)),
        join(path, `${hexOf(digest)}.manifest.json`),
      ]
      const found = candidates.find((candidate) => kindAt(candidate) !== 'none')
      return found === undefined ? undefined : openFile(found)
    },
  }
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [descriptor] } as const
  return layoutSource(place, index, { platform: options.platform, decompression: decompressionOf(options) }, () => {})
}

/**
 * Writes one image as loose blobs into a directory, made if there is none: `dir:DIR`. An image that is there is replaced,
 * its blobs where they are needed kept, the others removed. A name has no place in it.
 *
 * @throws PLY_EXISTS if the directory holds something else
 */
export async function dirSink(details: string, _options: SinkOptions): Promise<ImageSink> {
  const path = details
  const put = async (
    { descriptor, raw }: Pick<Parcel, 'descriptor' | 'raw'>,
    outgoing: readonly OutgoingBlob[],
    nameOf: (digest: Digest) => string,
    operation: Operation = {},
  ): Promise<Descriptor> => {
    refuseForeign(path)
    const made = await makeDirectories(path)
    const blobs = outgoing.filter((blob) => blob.digest !== descriptor.digest)
    try {
      await using staged = await StagedBlobs.write(path, blobs, (digest) => join(path, nameOf(digest)), operation)
      await publish(path, staged, raw, operation)
      await removeOthers(path, new Set(blobs.map((blob) => nameOf(blob.digest))))
      return descriptor
    } catch (error) {
      await removeIfEmpty(made)
      throw error
    }
  }
  return {
    write: (image, _name, operation) =>
      put({ descriptor: image.descriptor, raw: image.rawManifest }, blobsOf(image), hexOf, operation),
    writeParcel: (parcel, _name, operation) => {
      // As skopeo's --all has it: `manifest.json` is the index, and the manifests lie beside their blobs.
      const documents = new Set(documentsIn(parcel).map((one) => one.descriptor.digest))
      const nameOf = (digest: Digest) => (documents.has(digest) ? `${hexOf(digest)}.manifest.json` : hexOf(digest))
      return put(parcel, blobsOfParcel(parcel), nameOf, operation)
    },
    async [Symbol.asyncDispose]() {},
  }
}

async function publish(
  path: string,
  staged: StagedBlobs,
  rawManifest: Uint8Array,
  operation: Operation,
): Promise<void> {
  const isNew = kindAt(join(path, 'version')) === 'none'
  try {
    await staged.place(operation)
    await syncDirectory(path)
    await writeWhole(join(path, 'version'), version)
    await writeWhole(join(path, 'manifest.json'), rawManifest)
  } catch (error) {
    await staged.takeBack()
    if (isNew) await fs.promises.rm(join(path, 'version'), { force: true })
    throw error
  }
}

/** @throws PLY_EXISTS, ENOTDIR if the path is something else than such a directory, an empty one, or nothing */
function refuseForeign(path: string): void {
  const kind = kindAt(path)
  if (kind === 'none') return
  if (kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'open', path })
  const others = readNames(path).filter((name) => !name.startsWith('.ply-'))
  if (others.length > 0 && !others.includes('version')) throw new PlyError('PLY_EXISTS', { path })
}

/** What belonged to the image that was here before. Signatures were about that one. */
async function removeOthers(path: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await fs.promises.readdir(path)) {
    const isOld = /^[0-9a-f]{64}(\.manifest\.json)?$|^(?:[0-9a-f]+-)?signature-\d+$/.test(name) && !kept.has(name)
    if (isOld) await onDisk(join(path, name), () => fs.promises.rm(join(path, name), { force: true }))
  }
}
