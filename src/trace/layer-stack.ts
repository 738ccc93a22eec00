import type { Image } from '../image/image.ts'
import type { IndexedView } from '../layer/view.ts'
import type { DiffId, Digest } from '../model/digest.ts'
import type { History } from '../model/documents.ts'
import type { DigestMemory } from '../stack/content-digests.ts'

/** One layer of an image, open to be asked what it says. */
export interface OpenLayer {
  readonly diffId: DiffId
  /** Of the blob as it travels. */
  readonly digest: Digest
  /** Bytes of the blob as it travels. */
  readonly size: number
  /** What the config says of the step that made it; empty where it says nothing. */
  readonly step: History
  readonly view: IndexedView
}

/**
 * The layers of an image, base first, each as it says what it says, before anything is stacked: what `blame`, `waste` and
 * `layerAlone` ask. Nothing but the indexes is read before contents have to be compared.
 *
 * Whoever opened it closes it; closing twice is fine.
 */
export interface LayerStack {
  readonly image: Image
  readonly layers: readonly OpenLayer[]
  /** Digests of contents that are known, and kept for the next time. */
  readonly memory: DigestMemory
  close(): void
}
