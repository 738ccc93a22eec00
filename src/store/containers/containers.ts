import type { Operation } from '../../model/operation.ts'
import type { Container } from './container.ts'
import type { ContainerRecord, Snapshot } from './container-records.ts'
import type { UpperForm } from './uppers.ts'

export type { Container } from './container.ts'
export type { ContainerRecord, Snapshot } from './container-records.ts'

/** What `materialize` has made whole files of. */
export interface Materialized {
  readonly files: number
  /** That they have altogether. */
  readonly bytes: number
}

/** The containers of a store. Those that are open here are kept, gone back and cloned by their own verbs. */
export interface Containers {
  /** @throws PLY_CONTAINER_EXISTS, PLY_IMAGE_NOT_FOUND */
  create(name: string, image: string, operation?: Operation): Promise<Container>
  /**
   * `work`, or its snapshot `work@before`, which can only be read.
   * @throws PLY_CONTAINER_NOT_FOUND, PLY_SNAPSHOT_NOT_FOUND, PLY_CONTAINER_BUSY (not with `readOnly`); PLY_USAGE for a snapshot without
   * `readOnly`
   */
  open(name: string, options?: { readonly readOnly?: boolean } & Operation): Promise<Container>
  /** Those whose records can be read. */
  list(): Promise<readonly ContainerRecord[]>
  /**
   * Writes what was written in a container since its newest snapshot anew, in another form (docs/upper-format.md): the container shows
   * the same. One that is interrupted has the form it had. @throws PLY_CONTAINER_NOT_FOUND, PLY_CONTAINER_BUSY; PLY_USAGE for what is
   * no form; ENOTSUP for what the form cannot store
   */
  convert(name: string, form: UpperForm, operation?: Operation): Promise<ContainerRecord>
  /**
   * Makes whole files of those of which a container has only the blocks that were written in it: what other tools than plyfs read, or a
   * kernel mounts by hand, shows the same then. @throws PLY_CONTAINER_NOT_FOUND, PLY_CONTAINER_BUSY, ENOSPC: what was done until then stays
   */
  materialize(name: string, operation?: Operation): Promise<Materialized>
  /**
   * Keeps the present state under a name (default: `s1`, `s2`, …): constant time, for nothing is read or copied.
   * @throws PLY_CONTAINER_NOT_FOUND, PLY_CONTAINER_BUSY, PLY_SNAPSHOT_EXISTS, PLY_USAGE
   */
  snapshot(name: string, snapshot?: string, operation?: Operation): Promise<Snapshot>
  /**
   * Goes back to a snapshot: what was written since the newest one is gone, snapshots stay, newer ones too. Constant time, but for
   * removing what was written. @throws PLY_CONTAINER_NOT_FOUND, PLY_CONTAINER_BUSY, PLY_SNAPSHOT_NOT_FOUND
   */
  rollback(name: string, snapshot: string, operation?: Operation): Promise<ContainerRecord>
  /**
   * Another container that shows the same as one (`work`) or as a snapshot (`work@before`): both share everything until one of them
   * writes. Constant time. It has no snapshots. @throws PLY_CONTAINER_NOT_FOUND, PLY_SNAPSHOT_NOT_FOUND, PLY_CONTAINER_EXISTS, PLY_USAGE,
   * PLY_CONTAINER_BUSY (not for a snapshot)
   */
  clone(from: string, name: string, operation?: Operation): Promise<ContainerRecord>
  /**
   * Removes a container with its snapshots and what was written in it, or one snapshot (`work@before`). What other containers or newer
   * snapshots stand on stays until they are gone.
   * @throws PLY_CONTAINER_NOT_FOUND, PLY_SNAPSHOT_NOT_FOUND, PLY_CONTAINER_BUSY (not for a snapshot)
   */
  remove(name: string): Promise<void>
}
