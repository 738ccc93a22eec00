import type { FileDigests } from '../extract/file-digests.ts'
import type { Image, ImageSink, ImageSource, Layer } from '../image/image.ts'
import type { WriteOptions } from '../image/layer-report.ts'
import type { Parcel } from '../image/parcel.ts'
import type { IndexedView } from '../layer/index.ts'
import type { Digest } from '../model/digest.ts'
import type { Descriptor } from '../model/documents.ts'
import type { Operation } from '../model/operation.ts'
import type { Tree } from '../stack/tree.ts'
import type { LayerStack } from '../trace/index.ts'
import type { BuildGround, buildGround } from './builds/ground.ts'
import type { Collected, CollectOptions } from './collection/collect.ts'
import type { Explanation } from './collection/explain.ts'
import type { Container, Containers } from './containers/containers.ts'
import type { FsckReport } from './fsck/findings.ts'
import type { FsckOptions } from './fsck/fsck.ts'
import type { LowerTimesOptions } from './images/lower-times.ts'
import type { RebaseOptions } from './images/rebase.ts'
import type { RewriteOptions, SplitOptions, SquashOptions } from './images/rewrite.ts'
import type { StripOptions } from './images/strip.ts'
import type { MountGround, mountGround } from './mounts/ground.ts'
import type { Mounts } from './mounts/mount-records.ts'
import type { Accounting, AccountingOptions } from './space/accounts.ts'
import type { DedupeOptions, Deduplicated } from './space/dedupe.ts'
import type { Usage } from './space/usage.ts'

/** The member of a store that images elsewhere are looked into with, and nobody else. */
export const layerLender: unique symbol = Symbol('layers for images that are elsewhere')

/** One name in a store and the image it points at. */
export interface StoredImage {
  readonly name: string
  /** Digest of the manifest (or index) that the name points at. */
  readonly digest: Digest
  /** Digest of the image config: what docker and podman call the image id. Absent for an index. */
  readonly config?: Digest
  /** As the config says it, RFC 3339. */
  readonly created?: string
  readonly platform?: string
  readonly layers: number
  /** Bytes of manifest, config and layers as they are stored; shared layers are counted in each image. */
  readonly size: number
  /** Why the image cannot be read, if it cannot. */
  readonly problem?: string
}

/** What the image of a commit says of itself. */
export interface CommitOptions extends WriteOptions {
  /** The comment in the new history entry. */
  readonly message?: string | undefined
  readonly author?: string | undefined
  /** The time of the commit in seconds since the epoch; default: `SOURCE_DATE_EPOCH`, else the clock. */
  readonly epoch?: number | undefined
}

/** How a store is opened. */
export interface StoreOptions {
  /**
   * Directories of stores below this one, the nearest first: their images, layers and trees can be used as if they were here, without
   * being copied. Nothing is ever written there, so they may be anybody's that root or this user made, on a disk that is read only. Of
   * equal names the upper one counts. Nothing keeps what is used there: it has to stay as long as this store needs it, and other
   * tools that read this store as an OCI layout do not see it.
   */
  readonly below?: readonly string[] | undefined
  /** Open for reading only: nothing is made, locked or changed. */
  readonly readOnly?: boolean
  /** The form of new uppers; default: overlayfs's own where this process may write it, else the portable one. */
  readonly upperForm?: 'portable' | 'overlay'
  /**
   * Files of images from this size on, in bytes, are not copied whole when a container first writes them: it keeps the blocks that it
   * writes (docs/upper-format.md). Default: 64 MiB.
   */
  readonly blockCopyUp?: number | 'never' | undefined
  /** Open it even if it belongs to another user, who then decides what is read from it. */
  readonly anyOwner?: boolean
  /**
   * `false` makes a store that syncs nothing and says so in its `ply.json`: faster, and worth nothing after a loss of power. A store
   * that is there stays what it is.
   */
  readonly durable?: boolean
}

/**
 * One directory (or memory) with blobs, names, caches and containers. The directory is an OCI image layout.
 *
 * Many processes may have a store open; readers take no lock. Whatever is written is on the disk before the name that
 * leads to it, so a process that dies leaves the old state or the new. As an `ImageSource` it answers its own names, as
 * an `ImageSink` it takes images in: each layer is read once, verified, indexed, compared with those below it and stored
 * before the name is set; `strict`, `lenient` and `limits` say how it is judged, and `onReport` hears what was found.
 */
export interface Store extends ImageSource, ImageSink {
  /** The directory; `:memory:` for one in memory. */
  readonly root: string
  readonly containers: Containers
  /** What of the store is mounted. */
  readonly mounts: Mounts
  readonly [mountGround]: MountGround
  readonly [buildGround]: BuildGround
  /** A layer that is here with its index and its content; the caller closes it. */
  readonly [layerLender]: (layer: Pick<Layer, 'diffId' | 'descriptor'>) => IndexedView | undefined
  /** Digests of files outside the store that were read before: what a diff with a directory asks first. */
  readonly fileDigests: FileDigests

  /** All that a name leads to, as it is. @throws PLY_BLOB_NOT_FOUND where a platform of an index is not here */
  parcel(name?: string, operation?: Operation): Promise<Parcel>
  /** Takes it in whole; images among it as `write` does. */
  writeParcel(parcel: Parcel, name?: string, options?: WriteOptions): Promise<Descriptor>
  /** Every name, in byte order. A name whose image cannot be read is listed with what is known. */
  images(): Promise<readonly StoredImage[]>
  /** Gives an image one more name. @throws PLY_IMAGE_NOT_FOUND */
  tag(name: string, as: string): Promise<void>
  /** Takes a name away; blobs nobody needs any more go with the next `collect`. @throws PLY_IMAGE_NOT_FOUND */
  untag(name: string): Promise<void>
  /** The merged file system of an image. The caller closes it. */
  tree(image: string | Image, operation?: Operation): Promise<Tree>
  /** The layers of an image one by one, for `blame` and `waste`. The caller closes them. */
  layers(image: string | Image, operation?: Operation): Promise<LayerStack>
  /**
   * A container's changes as a new image on top of the one it was made from: one canonical layer, stored uncompressed.
   * The container is not changed. Without a name the image lives until the next `collect`.
   */
  commit(container: Container, name?: string, options?: CommitOptions): Promise<Image>
  /**
   * Layers `from` to `to` as one, canonical and uncompressed, in an image that shows the same. What they remove from below
   * stays removed: whiteouts go only where nothing is below. Images are named as in `tree`, and none is changed.
   * @throws PLY_USAGE if the image has no such layers
   */
  squash(image: string | Image, options?: SquashOptions): Promise<Image>
  /** An image of one layer that shows the same, without whiteouts. @throws PLY_USAGE if the image has no layers */
  flatten(image: string | Image, options?: RewriteOptions): Promise<Image>
  /**
   * One layer as several, in an image that shows the same: by size, by paths, or both. Hardlinks stay together.
   * @throws PLY_USAGE if the image has no such layer
   */
  split(image: string | Image, options: SplitOptions): Promise<Image>
  /**
   * The image on another base; its own layers and its configuration stay as they are. `onReport` hears of directories that
   * take the place of a symlink there.
   * @throws PLY_USAGE if the image was not built on the old base; PLY_BAD_LAYER for a hardlink whose target the new one lacks
   */
  rebase(image: string | Image, options: RebaseOptions): Promise<Image>
  /**
   * The image without some paths, in any layer: what had them, or removed them, is written anew, every other layer stays. What
   * still has their content by a hardlink `onWarning` hears of. The image that it was has them still: untag it, and collect.
   * @throws ENOENT for a path that no layer knows
   */
  strip(image: string | Image, options: StripOptions): Promise<Image>
  /**
   * The image with every time that is later than the source epoch lowered to it: of entries, config and history. Layers without
   * such times stay. @throws PLY_USAGE for a base that is none
   */
  lowerTimes(image: string | Image, options: LowerTimesOptions): Promise<Image>
  /** Removes what no name, container or snapshot needs. @throws PLY_STORE_BUSY while somebody is writing */
  collect(options?: CollectOptions): Promise<Collected>
  /**
   * Why something in the store lives: a blob, layer or tree (by digest, or the start of one), an upper (by id), a container (by
   * name), or a file (by its path in the store). @throws PLY_USAGE if there is nothing of that name
   */
  explain(id: string, operation?: Operation): Promise<readonly Explanation[]>
  /**
   * Checks the store, as deep as `level` says, and with `repair` heals it: caches are built anew, damaged blobs fetched from `sources`
   * or from where the images came from; what cannot be healed is put aside, and named with what it belongs to. Nothing is deleted
   * that cannot be made again. @throws PLY_STORE_READ_ONLY for a repair; PLY_ABORTED
   */
  fsck(options?: FsckOptions): Promise<FsckReport>
  /** What the store's parts take: each file is looked at once, and nothing is read. */
  usage(): Promise<Usage>
  /**
   * Lets equal files in different layers share their place on the disk, where it can (Btrfs, XFS); elsewhere says what could be
   * shared. What anybody reads stays the same. @throws PLY_STORE_READ_ONLY, but for a dry run
   */
  dedupe(options?: DedupeOptions): Promise<Deduplicated>
  /** What the store takes, and what for: also manifests and configs are read. Images are those that names lead to. */
  accounting(options?: AccountingOptions): Promise<Accounting>
}
