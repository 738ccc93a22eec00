import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { Disk, Lock } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import type { MountGround } from '../mounts/ground.ts'
import { type ContainerRecord, type ContainerRecords, checkContainerName, type Snapshot } from './container-records.ts'
import { letGo } from './letting-go.ts'
import type { StoredContainers } from './stored-containers.ts'
import type { Grounds } from './upper-stack.ts'

/** What keeping, going back and cloning share, for containers that are open and for those that are not. */
export class Freezing {
  readonly disk: Disk
  readonly layout: Layout
  readonly records: ContainerRecords
  readonly uppers: Grounds['uppers']
  readonly lower: Grounds['lower']
  /** Holds off collection while something is being written or removed. @throws PLY_STORE_READ_ONLY */
  readonly lease: (operation: Operation) => Promise<Lock>
  /** All containers of the store, by name. */
  readonly containers: () => StoredContainers
  readonly mounting: () => MountGround

  constructor(
    ground: Grounds & {
      readonly disk: Disk
      readonly layout: Layout
      readonly lease: Freezing['lease']
      readonly mounting: Freezing['mounting']
    },
    records: ContainerRecords,
    containers: Freezing['containers'],
  ) {
    this.disk = ground.disk
    this.layout = ground.layout
    this.records = records
    this.containers = containers
    this.mounting = ground.mounting
    this.uppers = ground.uppers
    this.lower = (record, operation) => ground.lower(record, operation)
    this.lease = (operation) => ground.lease(operation)
  }

  /** @throws PLY_USAGE, PLY_CONTAINER_EXISTS */
  checkFree(name: string): void {
    checkContainerName(name, 'container')
    if (this.records.has(name)) throw new PlyError('PLY_CONTAINER_EXISTS', { name })
  }

  cloned({ image, manifest }: ContainerRecord, name: string, upper: string): ContainerRecord {
    return { name, image, manifest, created: new Date().toISOString(), upper, snapshots: [] }
  }

  /**
   * Replaces a record: the moment from which the container stands on another upper. Where that has happened, but the disk failed to
   * say that it lasts, the error is the answer: it is to be told once everything else has followed.
   */
  decide(record: ContainerRecord): unknown {
    try {
      this.records.replace(record)
      return undefined
    } catch (error) {
      if (this.records.names(record.name, record.upper)) return error
      throw error
    }
  }

  /** Removes an upper that was made for a container, unless the container stands on it after all. */
  undo(container: string, upper: string): void {
    if (this.records.names(container, upper) || !this.disk.fs.existsSync(this.uppers.pathOf(upper))) return
    this.uppers.remove(upper)
  }

  /** Removes the upper that a container stood on until now, and what only that stood on. */
  leave(record: ContainerRecord, upper: string): void {
    const { parent } = this.uppers.record(upper)
    this.uppers.remove(upper)
    if (parent !== null && !record.snapshots.some((snapshot) => snapshot.upper === parent)) letGo(this, [parent])
  }

  /** Nobody looks for the lock of an upper that nobody writes. */
  forget(upper: string, held: Lock): void {
    this.disk.fs.rmSync(this.uppers.lockOf(upper), { force: true })
    held.release()
  }
}

/** The lock of an upper that nobody knows yet. */
export async function freeUpper({ disk, uppers }: Pick<Freezing, 'disk' | 'uppers'>, id: string): Promise<Lock> {
  return (await disk.lock(uppers.lockOf(id)))!
}

/** A record that keeps its upper under a name. @throws PLY_USAGE, PLY_SNAPSHOT_EXISTS */
export function withSnapshot(
  record: ContainerRecord,
  wanted: string | undefined,
): { readonly record: ContainerRecord; readonly snapshot: Snapshot } {
  const taken = new Set(record.snapshots.map(({ name }) => name))
  let count = taken.size + 1
  while (wanted === undefined && taken.has(`s${count}`)) count++
  const name = wanted ?? `s${count}`
  checkContainerName(name, 'snapshot')
  if (taken.has(name)) throw new PlyError('PLY_SNAPSHOT_EXISTS', { name: record.name, snapshot: name })
  const snapshot = { name, upper: record.upper, created: new Date().toISOString() }
  return { record: { ...record, snapshots: [...record.snapshots, snapshot] }, snapshot }
}
