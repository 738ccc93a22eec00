import type { ByteString } from '../model/bytes.ts'

/** The way by which a connection to the kernel is made and ended: a call, or a program that may call. */
export interface FuseDoor {
  /**
   * Mounts on a directory, and answers with the open device. The kernel speaks first, at once: from here on whoever touches the target
   * waits for answers.
   */
  open(target: ByteString | Uint8Array): Promise<OpenDoor> | OpenDoor
}

/** A mounted connection. */
export interface OpenDoor {
  /** The open device: whoever serves closes it. */
  readonly fd: number
  /**
   * Unmounts. With `detach` the name goes at once, and serving goes on until the last file is closed; with `force` everybody in it is
   * cut off. What somebody else has unmounted is no error. @throws EBUSY while somebody is in it
   */
  unmount(how: { readonly detach: boolean; readonly force: boolean }): Promise<void> | void
  /** The process ends, or who served has failed: takes away what is mounted, whoever is in it, and waits for nothing. Never throws. */
  cutOff(): void
  /** It is mounted no more: what was kept for it goes. Safe to call twice. Never throws. */
  close(): Promise<void> | void
}
