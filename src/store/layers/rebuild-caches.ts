import type { BlobStore } from '../../blob/blob-store.ts'
import { type IndexedLayer, rebuildIndex } from '../../layer/index.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { type Bytes, streamOf } from '../../stream/bytes.ts'
import { decompressed, type ZstdDecoders } from '../../stream/compression.ts'
import { tee } from '../../stream/hash.ts'
import type { Disk } from '../../sys/disk.ts'
import { fileBytes } from '../../sys/file-bytes.ts'
import type { Acceptances } from '../intake/acceptances.ts'
import { cacheDraft } from './cache-draft.ts'
import type { LayerFiles, LayerId } from './layer-files.ts'

/** What caches are built from, and where they go. */
export interface Rebuilding {
  readonly disk: Disk
  readonly files: LayerFiles
  readonly blobs: BlobStore
  readonly zstd: ZstdDecoders | undefined
  readonly acceptances: Acceptances
}

/** Builds the caches of a layer from the tar if it is here and good, else from the blob. The layer's lock is held. */
export async function rebuildCaches(from: Rebuilding, id: LayerId, operation: Operation): Promise<void> {
  const { disk, files, blobs, zstd, acceptances } = from
  const { layout } = files
  const { diffId, descriptor } = id
  const expected = { expected: { diffId }, ...acceptances.of(diffId) }
  await using index = cacheDraft(disk, layout.tmp)
  const good = await indexTar(from, id, operation)
  if (good !== undefined) {
    await good.writeIndex(await index.open())
    await index.commit(layout.indexOf(diffId), operation)
    return
  }
  await using tar = cacheDraft(disk, layout.tmp)
  const { stream } = decompressed(blobs.stream(descriptor.digest, operation), {
    ...operation,
    lenient: expected.lenient,
    maxWindow: expected.limits?.zstdWindow,
    ...(zstd && { zstd }),
  })
  const rebuilt = await rebuildIndex(tee(stream, await tar.open()), { ...operation, ...expected })
  await rebuilt.writeIndex(await index.open())
  await index.commit(layout.indexOf(diffId), operation)
  await tar.commit(files.ownTar(id), operation)
}

/** Indexes the tar that is there; `undefined` if there is none, or a cached one that is not the layer's. */
async function indexTar(
  { disk, files, acceptances }: Rebuilding,
  id: LayerId,
  operation: Operation,
): Promise<IndexedLayer | undefined> {
  const { diffId, descriptor } = id
  const path = files.pathOfTar(id)
  let tar: Bytes
  try {
    tar = fileBytes(disk, path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    if (descriptor.digest !== diffId) return undefined
    throw new PlyError('PLY_BLOB_NOT_FOUND', { digest: diffId, where: files.layout.root }, { cause: error })
  }
  try {
    const accepted = acceptances.of(diffId)
    return await rebuildIndex(streamOf(tar), { ...operation, ...accepted, expected: { diffId } })
  } catch (error) {
    // A damaged cached tar comes back from the blob; a damaged blob does not.
    if (descriptor.digest === diffId || !/^PLY_(BAD_|DIGEST_|UNSUPPORTED|BUDGET)/.test(codeOf(error) ?? '')) throw error
    files.discard(path)
    return undefined
  } finally {
    tar.close()
  }
}
