import { packTree } from '../diff/index.ts'
import { onlyImage } from '../image/copy.ts'
import type { ImageSink, ImageSource, Layer } from '../image/image.ts'
import { type BlobReader, layerFromBlob } from '../image/image-from-blobs.ts'
import { packLayer } from '../layer/pack.ts'
import { mediaTypes } from '../model/documents.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { type ByteStream, type Bytes, slice } from '../stream/bytes.ts'
import { type Compression, decompressed } from '../stream/compression.ts'
import { counted, Tally, tee } from '../stream/hash.ts'
import { verified } from '../stream/verify.ts'
import { TarReader } from '../tar/index.ts'
import { kindAt, openFile, pacedStream } from './file.ts'
import { badArchive } from './open-archive.ts'
import {
  decompressionOf,
  type SinkOptions,
  type SourceOptions,
  standardStream,
  temporaryDirectoryOf,
} from './options.ts'
import { writeFile } from './output.ts'
import { singleLayerSource } from './single-layer.ts'
import { spooled } from './spool.ts'

const layerTypes: Readonly<Record<Compression, string>> = {
  none: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
}

/**
 * A tar of a root file system as an image of one layer, which is the file's very bytes: `tar:FILE`, plain, gzip or zstd;
 * `-` is standard input. Dispose of the source when its image is no longer read.
 *
 * @throws PLY_BAD_ARCHIVE if it is no tar; ENOENT, EACCES with the path
 */
export async function tarSource(details: string, options: SourceOptions): Promise<ImageSource> {
  const path = details
  const where = path === standardStream ? 'standard input' : path
  const bytes = await openWhole(path, options)
  return singleLayerSource(
    where,
    'ply import',
    options.platform,
    (operation) => layerOf(bytes, where, options, operation),
    () => bytes.close(),
  )
}

async function openWhole(path: string, options: SourceOptions): Promise<Bytes> {
  if (path !== standardStream && kindAt(path) === 'directory') {
    throw new PlyError('PLY_BAD_ARCHIVE', {
      reason: `${path} is a directory; for a directory tree write rootfs:${path}`,
    })
  }
  if (path !== standardStream) return openFile(path)
  const { signal, onProgress } = options
  const directory = temporaryDirectoryOf(options)
  return spooled(options.input ?? process.stdin, { directory, what: 'standard input', signal, onProgress })
}

/** One pass over the bytes: both digests, and whether it is a tar at all. */
async function layerOf(
  bytes: Bytes,
  where: string,
  options: SourceOptions,
  { signal, onProgress }: Operation,
): Promise<Layer> {
  const decompression = decompressionOf(options)
  const stream = (operation: Operation = {}) => pacedStream(() => slice(bytes, 0, bytes.size), operation)
  const blob = new Tally()
  const reported = counted(stream({ signal }), (done) => onProgress?.({ what: where, done, total: bytes.size }))
  const opened = decompressed(tee(reported, blob), { signal, ...decompression })
  const tar = await drainTar(opened.stream, where, options)
  const compression = await opened.compression
  const read: BlobReader = (_, operation) =>
    verified(stream(operation), {
      digest: blob.digest(),
      size: blob.size,
      what: `${where}, which changed while it was read`,
    })
  const descriptor = { mediaType: layerTypes[compression], digest: blob.digest(), size: blob.size }
  return layerFromBlob(descriptor, tar.digest(), read, decompression)
}

/**
 * Looks at every header on the way: a text or half an archive is refused before anything is made of it. Any other broken
 * rule is the layer's, and is told as that.
 */
async function drainTar(stream: ByteStream, where: string, { limits }: SourceOptions): Promise<Tally> {
  const tally = new Tally()
  let members = 0
  const reader = new TarReader({ member: () => members++ }, { sparseEntries: limits?.sparseEntries })
  try {
    for await (const chunk of stream) {
      tally.write(chunk)
      reader.push(chunk)
    }
    reader.end()
  } catch (error) {
    if (codeOf(error) !== 'PLY_BAD_LAYER') throw error
    const { reason, rule } = (error as PlyError).details
    // At the start it need not be an archive at all; in the middle it is one that was cut off.
    if (members === 0 && (rule === 'F-03' || rule === 'Z-04')) {
      throw badArchive(where, `it is no tar archive (${reason})`, error)
    }
    if (rule === 'Z-04' || rule === 'P-10')
      throw badArchive(where, `${reason}; it is truncated or damaged (${rule})`, error)
    throw error
  }
  if (tally.size === 0) throw badArchive(where, 'it is empty')
  return tally
}

/**
 * Writes the merged file system of an image as one tar: `tar:FILE`, `-` is standard output. Times keep their nanoseconds.
 * The name of the image has no place in it; the answer describes the tar.
 */
export async function tarSink(details: string, options: SinkOptions): Promise<ImageSink> {
  const treeOf = treeOption(options, 'tar')
  const sink: ImageSink = {
    async write(image, _name, operation = {}) {
      const tree = await treeOf(image, operation)
      try {
        const tally = new Tally()
        await writeFile(details, { ...options, ...operation }, async (file) => {
          const { signal } = operation
          const tar = packLayer(packTree(tree, { signal }), { signal, nanoseconds: true })
          await file.writeAll(tee(tar, tally), { ...operation, what: details })
        })
        return { mediaType: mediaTypes.ociLayer, digest: tally.digest(), size: tally.size }
      } finally {
        tree.close()
      }
    },
    async writeParcel(parcel, name, operation = {}) {
      return sink.write(await onlyImage(parcel, 'tar', operation), name, operation)
    },
    async [Symbol.asyncDispose]() {},
  }
  return sink
}

/** @throws PLY_USAGE if nobody brought one */
export function treeOption(options: SinkOptions, transport: string): NonNullable<SinkOptions['treeOf']> {
  if (options.treeOf !== undefined) return options.treeOf
  throw new PlyError('PLY_USAGE', {
    reason: `${transport}: needs the merged file system of an image; give openSink a treeOf, such as a store's tree`,
  })
}
