import type { ChainId, DiffId, Digest } from '../../model/digest.ts'
import type { UpperForm } from '../containers/uppers.ts'
import type { StoreOptions } from '../store.ts'

/** What is mounted: a container to write in, or an image (or a snapshot) to read. */
export type MountSubject =
  | { readonly kind: 'container'; readonly name: string }
  | { readonly kind: 'snapshot'; readonly container: string; readonly snapshot: string }
  | { readonly kind: 'image'; readonly name: string | undefined }

/** One file that the folded index points into. */
export interface StandingDevice {
  readonly diffId: DiffId
  /** Bytes. */
  readonly size: number
  /** Whether it holds the sparse files of its layer at full size. Its file may have to be built first: only the kernel needs it. */
  readonly spill: boolean
  readonly path: string
}

/** An upper as it lies on the disk; paths are text. */
export interface StandingUpper {
  readonly id: string
  readonly form: UpperForm
  readonly upperDir: string
  readonly workDir: string
  /** Whether it may have files of which it has some blocks alone: the kernel would show what is below for all of them. */
  readonly blocks: boolean
}

/**
 * What a mount stands on, as paths and names: a plain value, which can be sent to another thread or process. It stays true for as long
 * as whoever got it holds what came with it (`Held`), or a record of a mount names it.
 */
export interface Standing {
  /** How the store is opened again. */
  readonly store: { readonly root: string; readonly options: StoreOptions }
  readonly subject: MountSubject
  readonly manifest: Digest
  /** `null` for an image without layers. */
  readonly chainId: ChainId | null
  /** The folded index of the image, absent where the image has no layers: then there is nothing below the uppers. */
  readonly index: string | undefined
  /** In the order of the index. */
  readonly devices: readonly StandingDevice[]
  /** The upper that is written. Absent: nothing is. */
  readonly upper: StandingUpper | undefined
  /** Frozen uppers over the image, the oldest first. Nobody writes them. */
  readonly frozen: readonly StandingUpper[]
}
