import type { Image } from '../../image/image.ts'
import type { Operation } from '../../model/operation.ts'
import type { Container } from '../containers/container.ts'
import type { UpperForm } from '../containers/uppers.ts'
import type { Layout } from '../layout.ts'
import type { MountRecords } from './mount-records.ts'
import type { Standing } from './standing.ts'

/** What is to be mounted, by what it is called. */
export type Wanted =
  /** `work`, or its snapshot `work@before`. */
  { readonly container: string } | { readonly image: string | Image }

/** The member of a store that mounting is built on, and nobody else. */
export const mountGround: unique symbol = Symbol('what mounting needs of a store')

/** Whether `index.json` says what the names say. */
export type IndexState = 'current' | 'behind' | 'damaged'

export interface MountGround {
  readonly layout: Layout
  /** The directories of the stores below. */
  readonly below: readonly string[]
  readonly records: MountRecords
  /** How `index.json` stands to the names. */
  index(): IndexState
  /**
   * Finds what is to be mounted and builds what is missing of its caches. Collection is held off until it is released, and nobody else
   * writes the container.
   *
   * @throws PLY_IMAGE_NOT_FOUND, PLY_CONTAINER_NOT_FOUND, PLY_SNAPSHOT_NOT_FOUND; PLY_CONTAINER_BUSY; PLY_STORE_READ_ONLY; PLY_UNSUPPORTED
   * for a store in memory
   */
  hold(wanted: Wanted, operation?: Operation): Promise<Held>
  /** Whether this process may write uppers in overlayfs's form where the store lies: asked of the disk. */
  takesOverlay(): boolean
  /** `Containers.convert`. */
  convert(container: string, form: UpperForm, operation?: Operation): Promise<unknown>
  /** An upper that was mounted, and is no more, is as if it had been closed: all of it is on the disk. Unless somebody writes it by now. */
  settle(upper: string): Promise<void>
  /**
   * Opens a container for writing although a record says that it is mounted: for who brings back what was written elsewhere.
   * @throws PLY_CONTAINER_NOT_FOUND; PLY_CONTAINER_BUSY if it stands on another upper by now, or somebody writes it
   */
  write(container: string, upper: string, operation?: Operation): Promise<Container>
}

export interface Held extends Disposable {
  readonly standing: Standing
  /** The paths of all devices: spills that are missing are built. @throws ENOSPC … */
  devices(operation?: Operation): Promise<readonly string[]>
  /** Whether nothing was ever written in the container. */
  isUnwritten(operation?: Operation): Promise<boolean>
  /**
   * Brings the upper into the state in which the kernel shows it right: what a crash has left is cleared up, and the root has the
   * attributes that it shows. From then on it counts as being written, until it is settled.
   */
  prepare(operation?: Operation): Promise<void>
  /** It was not mounted after all. */
  settle(): void
  /** Lets others have the container; collection stays held off. */
  letGo(): void
  /** Lets go of everything. Safe to call twice. */
  [Symbol.dispose](): void
}
