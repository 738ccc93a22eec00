import type { Change } from '../../diff/index.ts'
import type { UnionFs } from '../../fs/index.ts'
import type { Operation } from '../../model/operation.ts'
import type { Tree } from '../../stack/tree.ts'
import type { WritableUnion } from '../../union/union.ts'
import type { MountGround, mountGround } from '../mounts/ground.ts'
import type { ContainerRecord, Snapshot } from './container-records.ts'
import type { Mountable } from './handing-over.ts'

/**
 * A writable union over an image. While it is open for writing, nobody else can open it for writing.
 * `close` (or disposal) syncs what was written and gives the container free; closing twice is fine.
 *
 * While it is mounted (`mount(container, …)`) it is written there: `tree` and `fs` answer EBUSY, and what else it does it does of what was
 * written in the mount. Then it goes on from that.
 */
export interface Container extends ContainerRecord, Mountable, AsyncDisposable {
  readonly [mountGround]: MountGround
  /** The same one for as long as the container is open, whatever is kept, gone back to or cloned. */
  readonly tree: WritableUnion
  /** What the image holds. */
  readonly base: Tree
  /** The `node:fs` face. */
  readonly fs: UnionFs
  /**
   * What differs from the image, or from a snapshot, in path order. Cost grows with what was written, not with the image; after going
   * back, against a snapshot that is newer, with both.
   */
  changes(options?: { readonly since?: Snapshot | string | undefined } & Operation): AsyncIterable<Change>
  /**
   * Keeps the present state under a name (default: `s1`, `s2`, …), in constant time but for syncing what was written: that is frozen,
   * and an empty upper takes what is written from now on. What is open stays open; files open for writing are copied.
   * @throws PLY_USAGE, PLY_SNAPSHOT_EXISTS; EROFS if the container is open for reading only; EBUSY while a file without a name is open
   * that may get one
   */
  snapshot(name?: string, operation?: Operation): Promise<Snapshot>
  /**
   * Goes back to a snapshot: what was written since the newest one is gone, snapshots stay, newer ones too.
   * @throws PLY_SNAPSHOT_NOT_FOUND; EROFS; EBUSY while anything is open
   */
  rollback(snapshot: Snapshot | string, operation?: Operation): Promise<void>
  /**
   * Another container that shows the same, in constant time like `snapshot`: both share everything until one of them writes. It has no
   * snapshots. @throws PLY_USAGE, PLY_CONTAINER_EXISTS, and as `snapshot`
   */
  clone(name: string, operation?: Operation): Promise<Container>
  close(): Promise<void>
}
