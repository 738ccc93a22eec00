import { diff, packChanges } from '../diff/index.ts'
import { upperTree, withSmallNumbers } from '../extract/index.ts'
import { append } from '../image/append.ts'
import type { Image, ImageSink, ImageSource, Layer } from '../image/image.ts'
import { type BlobReader, layerFromBlob } from '../image/image-from-blobs.ts'
import { packLayer } from '../layer/pack.ts'
import { mediaTypes } from '../model/documents.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import type { Tree } from '../stack/tree.ts'
import type { ByteStream } from '../stream/bytes.ts'
import { drain, Tally } from '../stream/hash.ts'
import { verified } from '../stream/verify.ts'
import { onDisk } from './disk-errors.ts'
import type { SinkOptions, SourceOptions } from './options.ts'

/** `DIR@BASE`: an upper directory, and the reference of what it was written over. */
export interface UpperDetails {
  readonly directory: string
  readonly base: string
}

/** @throws PLY_USAGE if there is no base */
export function upperDetails(details: string): UpperDetails {
  const [, directory, base] = /^([^@]+)@(.+)$/s.exec(details) ?? []
  if (directory === undefined || base === undefined)
    throw new PlyError('PLY_USAGE', {
      reason: `upper:${details} does not say what the directory was written over; write upper:DIR@IMAGE`,
    })
  return { directory, base }
}

/** Inodes below this are those of what is below, unchanged, in what `upperTree` answers. */
const firstOwn = 2 ** 32

/**
 * What an upper directory of overlayfs says, as one more layer of the image that it was written over: `upper:DIR@IMAGE`. Whoever wrote
 * it and in which form, see `upperTree`. It is read once for the digest, and again whenever the layer is read: what changes in between
 * is a PLY_CHANGED or a PLY_DIGEST_MISMATCH.
 *
 * @throws PLY_USAGE without a base, or where nobody brought one (`baseOf`); ENOENT, ENOTDIR, EACCES with the path; PLY_UNSUPPORTED
 */
export async function upperSource(details: string, options: SourceOptions): Promise<ImageSource> {
  const { directory, base } = upperDetails(details)
  const { baseOf, onUpperWarning: onWarning } = options
  if (baseOf === undefined)
    throw new PlyError('PLY_USAGE', { reason: `upper:${details} needs the image ${base}; give openSource a baseOf` })
  const { image: below, tree: whole } = await baseOf(base, { signal: options.signal })
  // Both sides of a comparison number what is below alike.
  const tree = { ...withSmallNumbers(whole), close: () => whole.close() }
  try {
    await onDisk(directory, () => upperTree(tree, [directory], { onWarning }).close())
  } catch (error) {
    tree.close()
    throw error
  }
  let made: Promise<Image> | undefined
  const imageOf = (operation: Operation) => {
    made ??= layerOver(below, tree, directory, operation).catch((error) => {
      made = undefined
      throw error
    })
    return made
  }
  return {
    async *list() {
      yield { name: undefined, descriptor: (await imageOf({})).descriptor }
    },
    async image(name, { signal, onProgress } = {}) {
      if (name === undefined) return imageOf({ signal, onProgress })
      throw new PlyError('PLY_IMAGE_NOT_FOUND', { name, where: directory, available: 'one image, without a name' })
    },
    async [Symbol.asyncDispose]() {
      tree.close()
    },
  }
}

/** @throws PLY_USAGE: nothing is written as somebody else's upper directory */
export async function upperSink(details: string, _options: SinkOptions): Promise<ImageSink> {
  throw new PlyError('PLY_USAGE', {
    reason: `upper:${details} can only be read; to write the merged file system use rootfs:DIR`,
  })
}

async function layerOver(below: Image, tree: Tree, directory: string, operation: Operation): Promise<Image> {
  const tally = new Tally()
  await drain(pack(tree, directory, operation), tally)
  const digest = tally.digest()
  const isDocker = below.descriptor.mediaType === mediaTypes.dockerManifest
  const mediaType = isDocker ? mediaTypes.dockerLayer : mediaTypes.ociLayer
  const what = `${directory}, which changed while it was read`
  const read: BlobReader = (_, operation) =>
    verified(pack(tree, directory, operation), { digest, size: tally.size, what })
  const layer: Layer = layerFromBlob({ mediaType, digest, size: tally.size }, digest, read)
  return append(below, layer, { created_by: 'ply import' })
}

async function* pack(before: Tree, directory: string, operation: Operation = {}): ByteStream {
  const { signal } = operation
  const after = await onDisk(directory, () => upperTree(before, [directory]))
  try {
    yield* packLayer(packChanges(changesOf(before, after, { signal }), { before, after }, { signal }), { signal })
  } finally {
    after.close()
  }
}

function changesOf(before: Tree, after: Tree, operation: Operation) {
  // A root that nobody has described has the number of the one below, whatever is in it.
  const untouched = (ino: number) => (ino < firstOwn && ino !== before.root ? ino : undefined)
  return diff(before, after, { ...operation, untouched, sameNumbers: true })
}
