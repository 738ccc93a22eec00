import type { ImportReport, LayerLimits } from '../layer/index.ts'
import type { DiffId, Digest } from '../model/digest.ts'
import type { Operation } from '../model/operation.ts'
import type { Compression } from '../stream/compression.ts'

/** What a store says of one layer that it was given. */
export interface LayerReport extends ImportReport {
  /** Its place in the image, from 0, base first. */
  readonly layer: number
  /** The blob as it travels. */
  readonly digest: Digest
  readonly diffId: DiffId
  /** Bytes of the blob. */
  readonly size: number
  /** Bytes of the tar. */
  readonly tarSize: number
  /** As the bytes say it. */
  readonly compression: Compression
  /**
   * It was here before (or earlier in the same image), and was not read again: `warnings` are empty and `entries` is 0,
   * whatever was found the first time. With `strict` every layer is read again, and none is known.
   */
  readonly known: boolean
}

/** How the layers are judged that a store takes in (layer-semantics: "strict", "lenient", section 17). */
export interface ImportJudgement {
  /** Every warning is an error. Layers that are here already are read again. */
  readonly strict?: boolean | undefined
  /** The rules that say so give a warning where they would refuse. */
  readonly lenient?: boolean | undefined
  /** What a layer may ask for, where it differs from the defaults. */
  readonly limits?: Partial<LayerLimits> | undefined
  /** Hears of every layer of an image once the image is in the store, base first. */
  readonly onReport?: ((report: LayerReport) => void) | undefined
}

/** The last argument of whatever takes an image in. What only keeps bytes, as an archive does, judges nothing. */
export interface WriteOptions extends ImportJudgement, Operation {
  /**
   * Where the image comes from, as a reference. A store remembers it without any password, so that `fsck` can fetch again what the
   * disk loses. Archives have no use for it.
   */
  readonly source?: string | undefined
}
