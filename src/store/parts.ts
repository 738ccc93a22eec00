import { join } from 'node:path'
import type { BlobStore } from '../blob/blob-store.ts'
import { diskBlobStore } from '../blob/disk-blob-store.ts'
import type { FileDigests } from '../extract/file-digests.ts'
import type { Digest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import type { ZstdDecoders } from '../stream/compression.ts'
import type { Disk, Lock } from '../sys/disk.ts'
import { zstdDecoders } from '../sys/libzstd.ts'
import { unsynced } from '../sys/unsynced-disk.ts'
import { blobsOver, type LowerStore, namesOver, openLowerStore } from './below.ts'
import { Uppers } from './containers/uppers.ts'
import { Images } from './images/images.ts'
import { Names } from './images/names.ts'
import { Acceptances } from './intake/acceptances.ts'
import { blobAtRest, cachedTar } from './layers/at-rest.ts'
import { LayerDigests } from './layers/content-digests.ts'
import { storedFileDigests } from './layers/file-digests.ts'
import { Layers } from './layers/layers.ts'
import { type Layout, openLayout } from './layout.ts'
import type { StoreOptions } from './store.ts'
import { Trees } from './trees/trees.ts'

/** What a store is made of, on whatever disk, each part over its like in the stores below. */
export interface StoreParts {
  /** What the store is called in messages. */
  readonly root: string
  readonly disk: Disk
  readonly layout: Layout
  readonly writable: boolean
  readonly durable: boolean
  readonly zstd: ZstdDecoders | undefined
  /** The nearest first. */
  readonly below: readonly LowerStore[]
  readonly blobs: BlobStore
  /** The store's own names. */
  readonly names: Names
  /** Those of the stores below, too. */
  readonly allNames: Pick<Names, 'get' | 'list'>
  readonly acceptances: Acceptances
  readonly images: Images
  readonly layers: Layers
  readonly digests: LayerDigests
  readonly trees: Trees
  readonly uppers: Uppers
  readonly fileDigests: FileDigests
  /** Where a blob lies: here or in a store below; here if nowhere. */
  homeOf(digest: Digest): Layout
  /** @throws PLY_STORE_READ_ONLY */
  writing(): void
  /** Held while blobs are written that no name leads to yet. @throws PLY_STORE_READ_ONLY */
  lease(operation: Operation): Promise<Lock>
}

/** Bytes; copying a file of this size whole takes some tenths of a second. */
const usualBlockCopyUp = 64 << 20

/** @throws PLY_USAGE */
function blocksFromOf({ blockCopyUp = usualBlockCopyUp }: StoreOptions): number {
  if (blockCopyUp === 'never') return Number.POSITIVE_INFINITY
  if (Number.isSafeInteger(blockCopyUp) && blockCopyUp > 0) return blockCopyUp
  throw new PlyError('PLY_USAGE', { reason: `blockCopyUp is a number of bytes above 0, or never: not ${blockCopyUp}` })
}

/** Opens all parts of the store in a directory of a disk, making what is not there. @throws as `openStore` */
export function openParts(place: Disk, path: string, options: StoreOptions, root: string): StoreParts {
  const { layout, writable, durable } = openLayout(place, path, options)
  const disk = durable ? place : unsynced(place)
  const zstd = zstdDecoders()
  const below = (options.below ?? []).map((path) => openLowerStore(disk, path, options))
  const blobs = blobsOver(diskBlobStore({ disk, root: layout.root, tmp: layout.tmp }), below)
  const names = new Names(disk, layout, writable)
  const allNames = namesOver(names, below)
  const acceptances = new Acceptances(disk, layout)
  const homes = [layout, ...below.map((lower) => lower.layout)]
  const homeOf = (digest: Digest) =>
    (below.length > 0 && homes.find((one) => disk.fs.existsSync(one.blobOf(digest)))) || layout
  const images = new Images({
    root,
    blobs,
    names: allNames,
    zstd,
    acceptances,
    ...(disk.kind === 'disk' && { atRest: (digest: Digest) => blobAtRest({ disk, layout: homeOf(digest) }, digest) }),
    cachedTar(diffId) {
      let found = cachedTar({ disk, layout, writable }, diffId)
      for (const lower of below) found ??= cachedTar({ disk, layout: lower.layout, writable: false }, diffId)
      return found
    },
  })
  const lowerLayers = below.map((lower) => lower.layers)
  const layers = new Layers({ disk, layout, blobs, zstd, acceptances, writable, below: lowerLayers })
  const uppers = new Uppers(disk, layout, blocksFromOf(options))

  const writing = () => {
    if (!writable) throw new PlyError('PLY_STORE_READ_ONLY', { root })
  }
  const lease = async ({ signal }: Operation): Promise<Lock> => {
    writing()
    return (await disk.lock(join(layout.locks, 'collect'), { shared: true, wait: true, signal }))!
  }
  const digests = new LayerDigests({ disk, layout, writable })
  const trees = new Trees({
    disk,
    layout,
    layers,
    digests,
    writable,
    below: below.map((lower) => lower.layout),
    lease,
  })
  const fileDigests = storedFileDigests({ disk, layout, writable })
  return {
    root,
    disk,
    layout,
    writable,
    durable,
    zstd,
    below,
    blobs,
    names,
    allNames,
    acceptances,
    images,
    layers,
    digests,
    trees,
    uppers,
    fileDigests,
    homeOf,
    writing,
    lease,
  }
}
