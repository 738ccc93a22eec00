import type { Digest } from '../../model/digest.ts'

/** How much is looked at, each with all before it. What each costs: docs/store-format.md. */
export const fsckLevels = ['structure', 'sizes', 'digests', 'caches'] as const
/** How much a check reads. */
export type FsckLevel = (typeof fsckLevels)[number]

/** Whose content a finding is about. */
export interface Affected {
  /** `name debian:12`, `container work`, `snapshot work@before`. */
  readonly holder: string
}

/** Paths in a layer that lie in damaged pages, as far as that can be known. */
export interface AffectedPaths {
  readonly layer: Digest
  /** The first of them, as text. */
  readonly paths: readonly string[]
  /** How many there are. */
  readonly count: number
}

/**
 * - `damage`: what cannot be made again is lost or wrong.
 * - `drift`: what is derived (caches, `index.json`) is not what it should be, or something stands otherwise than it ought to; nothing
 *   is lost.
 * - `cosmetics`: nothing is wrong for anybody, and it is there.
 */
export type FindingKind = 'damage' | 'drift' | 'cosmetics'

/** What is wrong, for programs: one word for each kind of finding. */
export type FindingCode =
  | 'bad-blob'
  | 'bad-blocks'
  | 'bad-cache'
  | 'bad-document'
  | 'bad-format'
  | 'bad-index-json'
  | 'bad-log'
  | 'bad-record'
  | 'bad-source'
  | 'litter'
  | 'missing-blob'
  | 'missing-upper'
  | 'not-durable'
  | 'permissions'
  | 'quarantined'
  | 'unknown-file'
  | 'unused-blocks'

/** What a repair did about a finding. */
export type Remedy = 'fetched' | 'healed' | 'quarantined' | 'rebuilt' | 'removed'

/** Something that is not as it should be: what, where, and what can be done about it. */
export interface Finding {
  readonly kind: FindingKind
  readonly code: FindingCode
  /** The file, relative to the store. */
  readonly file: string
  /** What is wrong. */
  readonly problem: string
  /** What to do about it. */
  readonly advice: string
  /** What users named or made that needs it. */
  readonly affects: readonly string[]
  readonly paths?: AffectedPaths | undefined
  /** What was done. With `quarantined` the damage stands. */
  readonly remedy?: Remedy | undefined
  /** Why it was not healed, where that was tried. */
  readonly obstacles?: readonly string[] | undefined
}

/** What a check of a store has found, and what it has read. */
export interface FsckReport {
  readonly level: FsckLevel
  readonly findings: readonly Finding[]
  /** What was looked at. */
  readonly checked: {
    readonly images: number
    readonly containers: number
    readonly blobs: number
    /** Bytes of blobs and caches that were read. */
    readonly bytes: number
    readonly caches: number
  }
  /** How many findings of each kind are left, after what was repaired. */
  readonly left: Readonly<Record<FindingKind, number>>
}

/** What helps where something is lost that images need. */
export const fetchAgain =
  'ply fsck --repair fetches it from where the image came from, or from --from SOURCE; importing the image again heals it as well'

/** Whether the finding is as it was. */
function stands({ remedy }: Finding): boolean {
  return remedy === undefined || remedy === 'quarantined'
}

export function reportOf(level: FsckLevel, findings: readonly Finding[], checked: FsckReport['checked']): FsckReport {
  const left = { damage: 0, drift: 0, cosmetics: 0 }
  for (const finding of findings) if (stands(finding)) left[finding.kind]++
  return { level, findings, checked, left }
}
