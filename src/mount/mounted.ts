import type { Operation } from '../model/operation.ts'
import type { OwnerShift } from '../stack/mapped-tree.ts'
import type { Via } from '../store/mounts/mount-record.ts'

export type { Via } from '../store/mounts/mount-record.ts'

/** How something is to be mounted. */
export interface MountOptions extends Operation {
  /** The way. Default: the best that works here (`planMount`). */
  readonly via?: Via | undefined
  /** Default: images and snapshots, and only these. */
  readonly readOnly?: boolean | undefined
  /** How owners are shifted: what the image calls `from` shows as `to`. */
  readonly owners?: OwnerShift | undefined
  /** Whether set-id bits count. Default: no. */
  readonly suid?: boolean | undefined
  /** Whether device nodes open devices. Default: no. */
  readonly devices?: boolean | undefined
  /** Whether other users may enter a mount by FUSE. Default: where root mounts. */
  readonly allowOther?: boolean | undefined
  /**
   * Whether the machine's idle processors stay awake while a mount by FUSE is asked: each answer takes a third to two thirds of the time
   * where waking a processor takes long, as in many virtual machines, and power all the while. For root. Default: no.
   */
  readonly lowLatency?: boolean | undefined
  /**
   * A mount by FUSE is served by a process of its own, which outlives this one (`mountInBackground`). Default: by a thread of this process,
   * with which it ends.
   */
  readonly background?: boolean | undefined
  /** This process has a mount namespace for itself and those whom it starts: what the kernel mounts there counts as gone when it is. */
  readonly endsWithProcess?: boolean | undefined
}

/** What is done with those who are still in it. */
export interface UnmountOptions {
  /** Take the name away at once; what is open stays open until it is closed. */
  readonly detach?: boolean | undefined
  /** Cut off whoever is in it. */
  readonly force?: boolean | undefined
}

/** Something that is mounted. Disposal unmounts it, detached if somebody is in it. */
export interface Mounted extends AsyncDisposable {
  /** Of its record (`store.mounts`). */
  readonly id: string
  /** The directory, as text. */
  readonly target: string
  readonly via: Via
  /** Why this way, and why not the others: a line each. */
  readonly why: readonly string[]
  readonly readOnly: boolean
  /** Settles when it is mounted no more, as far as this process knows. Rejects with why, if it was not unmounted. */
  readonly ended: Promise<void>
  /** Safe to call twice. @throws EBUSY, with who is in it */
  unmount(how?: UnmountOptions): Promise<void>
}

/** What one of the ways answers; `mount` makes a `Mounted` of it, and writes the record. */
export interface Attached {
  /** The process that serves it. Absent: the kernel alone. */
  readonly server?: number | undefined
  readonly ended: Promise<void>
  /** Called when the mount is recorded: a server in the background ends with this process until then. */
  keep?(): Promise<void>
  /** As `Mounted.unmount`. */
  unmount(how?: UnmountOptions): Promise<void>
  /** It could not be recorded: nothing of it stays. Default: it is unmounted by force. */
  abandon?(): Promise<void>
}
