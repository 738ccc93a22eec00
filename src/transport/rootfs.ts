import { packTree } from '../diff/index.ts'
import { directoryTree, extractTree } from '../extract/index.ts'
import { onlyImage } from '../image/copy.ts'
import type { ImageSink, ImageSource, Layer } from '../image/image.ts'
import { type BlobReader, layerFromBlob } from '../image/image-from-blobs.ts'
import { packLayer } from '../layer/pack.ts'
import { mediaTypes } from '../model/documents.ts'
import type { Operation } from '../model/operation.ts'
import type { ByteStream } from '../stream/bytes.ts'
import { counted, drain, Tally } from '../stream/hash.ts'
import { verified } from '../stream/verify.ts'
import { onDisk } from './disk-errors.ts'
import type { SinkOptions, SourceOptions } from './options.ts'
import { singleLayerSource } from './single-layer.ts'
import { treeOption } from './tar.ts'

/**
 * A directory tree as an image of one layer: `rootfs:DIR`. The directory is read once for the digest and again whenever
 * the layer is read, so nothing is laid down meanwhile; one that changes in between is a PLY_CHANGED or a
 * PLY_DIGEST_MISMATCH. Times are whole seconds (layer-semantics M-07).
 *
 * @throws ENOENT, ENOTDIR, EACCES with the path
 */
export async function rootfsSource(details: string, options: SourceOptions): Promise<ImageSource> {
  await onDisk(details, () => directoryTree(details).close())
  return singleLayerSource(details, 'ply import', options.platform, (operation) => layerOf(details, operation))
}

async function layerOf(path: string, { signal, onProgress }: Operation): Promise<Layer> {
  const tally = new Tally()
  await drain(
    counted(pack(path, { signal }), (done) => onProgress?.({ what: path, done })),
    tally,
  )
  const digest = tally.digest()
  const read: BlobReader = (_, operation) =>
    verified(pack(path, operation), { digest, size: tally.size, what: `${path}, which changed while it was read` })
  return layerFromBlob({ mediaType: mediaTypes.ociLayer, digest, size: tally.size }, digest, read)
}

async function* pack(path: string, { signal }: Operation = {}): ByteStream {
  const tree = await onDisk(path, () => directoryTree(path))
  try {
    yield* packLayer(packTree(tree, { signal }), { signal })
  } finally {
    tree.close()
  }
}

/**
 * Writes the merged file system of an image to a directory, new or empty: `rootfs:DIR`. What the disk, or the user, may
 * not have is replaced by the closest thing; `onExtracted` hears of it. The name of the image has no place in it.
 *
 * @throws PLY_EXISTS, PLY_UNREPRESENTABLE
 */
export async function rootfsSink(details: string, options: SinkOptions): Promise<ImageSink> {
  const treeOf = treeOption(options, 'rootfs')
  const sink: ImageSink = {
    async write(image, _name, operation = {}) {
      const tree = await treeOf(image, operation)
      try {
        const report = await extractTree(tree, details, operation)
        options.onExtracted?.(report)
        return image.descriptor
      } finally {
        tree.close()
      }
    },
    async writeParcel(parcel, name, operation = {}) {
      return sink.write(await onlyImage(parcel, 'rootfs', operation), name, operation)
    },
    async [Symbol.asyncDispose]() {},
  }
  return sink
}
