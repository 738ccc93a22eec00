import fs from 'node:fs'
import { join } from 'node:path'
import type { ImageSink, ImageSource } from '../image/image.ts'
import { hexOf } from '../model/digest.ts'
import { mediaTypes } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import { manifestLimit } from '../model/parse-documents.ts'
import { streamOf } from '../stream/bytes.ts'
import { collect } from '../stream/collect.ts'
import type { BlobPlace } from './blob-place.ts'
import { onDisk } from './disk-errors.ts'
import { kindAt, openFile } from './file.ts'
import { describeDocument, layoutSource } from './layout-source.ts'
import type { SinkOptions, SourceOptions } from './options.ts'
import { blobsOf, writeBlobs } from './staged-blobs.ts'
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
  return layoutSource(place, index, { platform: options.platform }, () => {})
}

/**
 * Writes one image as loose blobs into a directory, made if there is none: `dir:DIR`. An image that is there is replaced,
 * its blobs where they are needed kept, the others removed. A name has no place in it.
 *
 * @throws PLY_EXISTS if the directory holds something else
 */
export async function dirSink(details: string, _options: SinkOptions): Promise<ImageSink> {
  const path = details
  return {
    async write(image, _name, operation = {}) {
      const made = await prepare(path)
      try {
        const blobs = blobsOf(image).filter((blob) => blob.digest !== image.digest)
        await writeBlobs(path, blobs, (digest) => join(path, hexOf(digest)), operation)
        await syncDirectory(path)
        await writeWhole(join(path, 'version'), version)
        await writeWhole(join(path, 'manifest.json'), image.rawManifest)
        await removeOthers(path, new Set(blobs.map((blob) => hexOf(blob.digest))))
        return image.descriptor
      } catch (error) {
        if (made !== undefined) await fs.promises.rm(made, { recursive: true, force: true })
        throw error
      }
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** Makes the directory if it is not there; answers the topmost one it made. */
async function prepare(path: string): Promise<string | undefined> {
  const kind = kindAt(path)
  if (kind === 'none') return onDisk(path, () => fs.promises.mkdir(path, { recursive: true }))
  if (kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'open', path })
  const others = (await onDisk(path, () => fs.promises.readdir(path))).filter((name) => !name.startsWith('.ply-'))
  if (others.length > 0 && !others.includes('version')) throw new PlyError('PLY_EXISTS', { path })
  return undefined
}

/** What belonged to the image that was here before. Signatures were about that one. */
async function removeOthers(path: string, kept: ReadonlySet<string>): Promise<void> {
  for (const name of await fs.promises.readdir(path)) {
    const isOld = /^[0-9a-f]{64}(\.manifest\.json)?$|^signature-\d+$/.test(name) && !kept.has(name)
    if (isOld) await onDisk(join(path, name), () => fs.promises.rm(join(path, name), { force: true }))
  }
}
