import type { Digest } from '../../model/digest.ts'

/** Something that is wrong, or odd, with what was validated. */
export interface ValidityFinding {
  /** The manifest or index that it is about. */
  readonly document: Digest
  readonly where: 'index' | 'manifest' | 'config' | 'history' | `layer ${number}` | `blob ${number}`
  readonly severity: 'error' | 'warning'
  /** The code that reading it fails with; of a warning the rule of docs/layer-semantics.md, or `odd`. */
  readonly code: string
  /** The entry of a layer, where one is to blame. */
  readonly entry?: string
  /** One sentence. */
  readonly reason: string
}

/** What was looked at, and what was found. */
export interface Validity {
  /** What the reference leads to; absent where not even that can be read. */
  readonly digest?: Digest
  /** Manifests and indexes. */
  readonly documents: number
  /** Layers and other blobs that were read, each once. */
  readonly blobs: number
  /** Bytes of them. */
  readonly bytes: number
  readonly findings: readonly ValidityFinding[]
  /** No finding is an error. */
  readonly valid: boolean
}
