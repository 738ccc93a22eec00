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
import { kindAt, openFile } from './file.ts'
import { checkLayoutVersion, indexWith, layoutFile } from './index-json.ts'
import { layoutSource } from './layout-source.ts'
import { withLock } from './lock.ts'
import type { SinkOptions, SourceOptions } from './options.ts'
import { blobsOf, writeBlobs } from './staged-blobs.ts'
import { syncDirectory, writeWhole } from './staged-file.ts'

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
  return layoutSource(directoryPlace(path), index, { name, digest, platform: options.platform }, () => {})
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
  return {
    async write(image, name = tag, operation = {}) {
      const made = await prepare(path)
      try {
        const blobs = join(path, 'blobs', 'sha256')
        await onDisk(blobs, () => fs.promises.mkdir(blobs, { recursive: true }))
        await writeBlobs(path, blobsOf(image), (blob) => join(blobs, hexOf(blob)), operation)
        await syncDirectory(blobs)
        return await publish(path, image.descriptor, name, operation)
      } catch (error) {
        if (made !== undefined) await fs.promises.rm(made, { recursive: true, force: true })
        throw error
      }
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** Puts an image whose blobs are there into the index: what is written last, so that nothing incomplete has a name. */
async function publish(
  path: string,
  descriptor: Descriptor,
  name: string | undefined,
  { signal }: Operation,
): Promise<Descriptor> {
  const marker = join(path, 'oci-layout')
  if (kindAt(marker) === 'none') await writeWhole(marker, layoutFile)
  return withLock(marker, signal, async () => {
    const index = join(path, 'index.json')
    const old = kindAt(index) === 'none' ? undefined : await onDisk(index, () => fs.promises.readFile(index))
    await writeWhole(index, indexWith(old, descriptor, name))
    return descriptor
  })
}

/** Makes the directory if it is not there; answers the topmost one it made. @throws PLY_EXISTS, ENOTDIR */
async function prepare(path: string): Promise<string | undefined> {
  const kind = kindAt(path)
  if (kind === 'none') return onDisk(path, () => fs.promises.mkdir(path, { recursive: true }))
  if (kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'open', path })
  if (kindAt(join(path, 'index.json')) === 'none' && kindAt(join(path, 'oci-layout')) === 'none') {
    const others = (await onDisk(path, () => fs.promises.readdir(path))).filter(
      (one) => one !== 'blobs' && !one.startsWith('.ply-'),
    )
    if (others.length > 0) throw new PlyError('PLY_EXISTS', { path })
  }
  return undefined
}

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
