import type { ByteString } from '../../model/bytes.ts'
import type { ChainId, Digest } from '../../model/digest.ts'
import type { MountSubject } from './standing.ts'

/** By what something is mounted. */
export type Via = 'kernel' | 'fuse' | 'extract'

/** `mounts/<id>.json`: something of the store that is mounted (docs/store-format.md). */
export interface MountRecord {
  readonly id: string
  readonly subject: MountSubject
  readonly manifest: Digest
  /** `null` for an image without layers. */
  readonly chainId: ChainId | null
  /** The upper of a container; `null` where none is written. */
  readonly upper: string | null
  /** The directory, from the root; bytes. */
  readonly target: ByteString
  readonly via: Via
  readonly readOnly: boolean
  /** Of the machine as it ran then. */
  readonly bootId: string
  /** How the table of mounts lists it; `null` for an extraction. */
  readonly mount: {
    readonly id: number
    readonly source: ByteString
    /** As `/proc/PID/ns/mnt` names it. */
    readonly namespace: string
  } | null
  /** It is on no directory any more, but somebody was still in it: it lives until they have left. */
  readonly detached?: true
  /** The inode number of the directory of an extraction. */
  readonly directory?: number
  /** The process that serves it, and when that began. Absent: nobody has to. */
  readonly server?: { readonly pid: number; readonly started: string }
  /** RFC 3339. */
  readonly created: string
}

/**
 * What has become of a mount: `live`; `dead`, when it is still there, but nobody serves it any more; `void`, when it is gone, or the
 * machine was started again.
 */
export type MountState = 'live' | 'dead' | 'void'

/** A record with what has become of its mount. */
export interface RecordedMount extends MountRecord {
  readonly state: Exclude<MountState, 'void'>
}

/** What its subject is called: `work`, `work@before`, the name of an image or its digest. */
export function subjectName({ subject, manifest }: Pick<MountRecord, 'subject' | 'manifest'>): string {
  switch (subject.kind) {
    case 'container':
      return subject.name
    case 'snapshot':
      return `${subject.container}@${subject.snapshot}`
    case 'image':
      return subject.name ?? manifest
    default:
      return subject satisfies never
  }
}
