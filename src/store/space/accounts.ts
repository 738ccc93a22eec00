import type { DiffId, Digest } from '../../model/digest.ts'
import type { Operation } from '../../model/operation.ts'
import type { Usage } from './usage.ts'

/**
 * What something takes on the disk, in bytes that the disk has allocated; in memory, the bytes of the files.
 * `stored` is `shared` + `exclusive` + `reclaimable`.
 */
export interface Sizes {
  /** All that it needs: blobs, caches, records, uppers. */
  readonly stored: number
  /** Of that, what other images or containers need too. */
  readonly shared: number
  /** Of that, what nothing else needs: removing it alone frees so much with the next collection. */
  readonly exclusive: number
  /** Of that, what nothing needs: a collection frees it now. */
  readonly reclaimable: number
}

/** An image with all its names: removing it is taking away all of them. */
export interface ImageSizes extends Sizes {
  /** None for what another tool wrote into `index.json` without a name. */
  readonly names: readonly string[]
  /** Of the manifest or index. */
  readonly digest: Digest
  /**
   * Bytes of the files that its tree shows, holes included and hardlinks once; of an index, those of all its images that are here.
   * Absent where nobody asked for it, and where the tree cannot be read.
   */
  readonly logical?: number
}

/** A layer: its blobs and its caches. It cannot be removed alone: it goes with the last image that has it. */
export interface LayerSizes extends Sizes {
  readonly diffId: DiffId
  /** The blobs that it travels as. */
  readonly blobs: readonly Digest[]
  /** How many images have it. */
  readonly images: number
  /** Bytes of its tar; absent where neither the tar nor a blob that is the tar is here. */
  readonly logical?: number
}

/** A container with its snapshots. Its image counts as needed by it. */
export interface ContainerSizes extends Sizes {
  readonly name: string
  readonly image: string
  readonly manifest: Digest
  /** How many snapshots it has. */
  readonly snapshots: number
  /** Of what is stored, what was written in it and in the frozen uppers below it. */
  readonly written: number
  /** As an image's, of what it shows. */
  readonly logical?: number
}

/**
 * What a store takes and what for. It adds up:
 *
 * - `total.bytes` is `store.stored` + `overhead`, and what `du` says of the directory;
 * - `store.stored` is `store.shared` + `store.exclusive` + `store.reclaimable`;
 * - `store.exclusive` is the sum of `exclusive` over images and containers.
 *
 * What is shared counts once in the store and once in each row that needs it.
 */
export interface Accounting extends Usage {
  /** `shared`: what several images or containers need; `exclusive`: what exactly one of them needs. */
  readonly store: Sizes & {
    /** What all images and containers show, each counted for itself; absent where one of them is unknown. */
    readonly logical?: number
  }
  /** What the store takes for itself: directories, locks, its own records, digests of files outside, and whatever is kept because a record cannot be read. */
  readonly overhead: number
  readonly images: readonly ImageSizes[]
  readonly layers: readonly LayerSizes[]
  readonly containers: readonly ContainerSizes[]
}

/** What an accounting is about, and how exact it is. */
export interface AccountingOptions extends Operation {
  /** Also how much images and containers show: their trees are opened and walked, which takes a second for a million files. */
  readonly logical?: boolean | undefined
}
