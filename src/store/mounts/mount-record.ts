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
  /** The upper it writes, or the topmost that it shows. */
  readonly upper: string | null
  /** The directory, from the root; bytes. */
  readonly target: ByteString
  readonly via: Via
  readonly readOnly: boolean
  /** Of the machine as it ran then. */
  readonly bootId: string
  /** What the mount namespace calls the mount; `null` for an extraction. */
  readonly mountId: number | null
  /** Device and inode of the mount namespace, as `/proc/PID/ns/mnt` names it; of the directory for an extraction. */
  readonly place: string
  /** The process that serves it: its number, and when it began (`/proc/PID/stat`). `null`: the kernel alone. */
  readonly server: { readonly pid: number; readonly started: string } | null
  /** RFC 3339. */
  readonly created: string
}
