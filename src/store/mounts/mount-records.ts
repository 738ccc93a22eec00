import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { askMount } from '../../fuse/ask-mount.ts'
import { bytesOf, decodeText } from '../../model/bytes.ts'
import { isDigest } from '../../model/digest.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { Disk, Lock } from '../../sys/disk.ts'
import { holdersLeft } from '../../sys/mount-holders.ts'
import { mountAt } from '../../sys/mount-table.ts'
import { commandOf, mountNamespaceOf } from '../../sys/processes.ts'
import { syncFileSystem } from '../../sys/sync.ts'
import { unsynced } from '../../sys/unsynced-disk.ts'
import type { Layout } from '../layout.ts'
import { namesIn, readJson, recordText, writeFileAtomically } from '../records.ts'
import { Liveness } from './liveness.ts'
import type { MountRecord, RecordedMount } from './mount-record.ts'
import type { MountQuestion } from './questions.ts'

/** What of a store is mounted, by whomever. */
export interface Mounts {
  /** The oldest first: what was mounted and is still there, also where nobody serves it any more. Records that cannot be read are left out. */
  list(): readonly RecordedMount[]
}

/**
 * The records of what is mounted: a file each, written whole. Whoever writes one, or removes one of a mount that is gone, holds
 * `lock`; whoever makes a mount holds it from the record on until the mount is there, so that nobody takes it for gone.
 */
export class MountRecords implements Mounts {
  readonly #disk: Disk
  readonly #layout: Layout

  constructor(disk: Disk, layout: Layout) {
    this.#disk = disk
    this.#layout = layout
  }

  newId(): string {
    return randomBytes(6).toString('hex')
  }

  /** Held for milliseconds. */
  async lock({ signal }: Operation): Promise<Lock> {
    return (await this.#disk.lock(join(this.#layout.locks, 'mounts'), { wait: true, signal }))!
  }

  /** What is mounted now, the oldest first. Damaged records are left out, unless `damaged` takes their paths in the store. */
  list(damaged: (path: string) => void = () => {}): readonly RecordedMount[] {
    const liveness = new Liveness()
    const found: RecordedMount[] = []
    for (const record of this.#readable(damaged)) {
      const state = liveness.stateOf(record)
      // Also who was not asked may have taken its name away.
      if (state === 'held') found.push({ ...record, state: 'live', detached: true })
      else if (state !== 'void') found.push({ ...record, state, target: liveness.targetOf(record) })
    }
    return found.toSorted((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0))
  }

  /** The mount that a container's upper is in, if there is one: also one for reading only counts on nobody else writing. */
  of(container: string): RecordedMount | undefined {
    // Most stores have none, and everything that writes a container asks.
    if (!this.#disk.fs.existsSync(this.#layout.mounts)) return undefined
    return this.list().find(
      ({ subject, state }) => state === 'live' && subject.kind === 'container' && subject.name === container,
    )
  }

  /** @throws PLY_CONTAINER_BUSY, with where it is mounted, if a container is */
  checkFree(container: string): void {
    const mount = this.of(container)
    if (mount) throw busy(container, mount)
  }

  /**
   * @param snapshot of that name alone; else all of them
   * @throws PLY_CONTAINER_BUSY if a snapshot of a container is mounted
   */
  checkSnapshotsFree(container: string, snapshot?: string): void {
    if (!this.#disk.fs.existsSync(this.#layout.mounts)) return
    for (const one of this.list()) {
      const { subject, state } = one
      if (state !== 'live' || subject.kind !== 'snapshot' || subject.container !== container) continue
      if (snapshot === undefined || snapshot === subject.snapshot) throw busy(`${container}@${subject.snapshot}`, one)
    }
  }

  /**
   * Has what was written through the mount of a container, if there is one, come to its upper, for who is about to read that. Where it
   * cannot be asked (another namespace, another user's), what is there has to do. @throws EIO, ENOSPC … of what could not be written
   */
  sync(container: string): void {
    const record = this.of(container)
    if (record === undefined || record.readOnly || !shows(record)) return
    try {
      if (record.via === 'fuse') askMount(record.target, { ask: 'sync' } satisfies MountQuestion)
      else syncFileSystem(bytesOf(record.target))
    } catch (error) {
      if (!['EPERM', 'EACCES', 'ENOTTY', 'ENOENT', 'ENOTCONN', 'ECONNABORTED'].includes(codeOf(error) ?? ''))
        throw error
    }
  }

  /**
   * Asks whoever serves a container that is mounted by FUSE, where this process can reach it; `undefined` if it is not. The caller holds
   * no lock that answering may take. @throws what answering throws
   */
  asked(container: string, question: MountQuestion): { readonly answer: unknown } | undefined {
    const record = this.of(container)
    if (record?.via !== 'fuse' || record.readOnly || !shows(record)) return undefined
    return { answer: askMount(record.target, question) }
  }

  /** Writes a record, and removes those of mounts that are gone. The caller holds `lock`. */
  publish(record: MountRecord): void {
    const { fs } = this.#disk
    if (!fs.existsSync(this.#layout.mounts)) {
      fs.mkdirSync(this.#layout.mounts, { recursive: true, mode: 0o700 })
      this.#disk.syncDirectory(this.#layout.root)
    }
    this.forgetVoid()
    this.#write(record)
  }

  #write({ state: _, ...record }: MountRecord & Partial<RecordedMount>): void {
    // Of what a loss of power ends anyway nothing has to be on the disk.
    const disk = record.mount === null ? this.#disk : unsynced(this.#disk)
    writeFileAtomically({ disk, tmp: this.#layout.tmp }, this.#pathOf(record.id), recordText(record))
  }

  /** A container that is mounted stands on another upper by now: that of the record follows. */
  async follow(container: string, upper: string, operation: Operation): Promise<void> {
    using _ = await this.lock(operation)
    const found = this.of(container)
    if (found === undefined || found.upper === upper) return
    this.#write({ ...found, upper })
  }

  /** Removes the records of mounts that are gone. The caller holds `lock`. */
  forgetVoid(): void {
    const liveness = new Liveness()
    for (const record of this.#readable()) if (liveness.stateOf(record) === 'void') this.remove(record.id)
  }

  /** Safe to call twice. */
  remove(id: string): void {
    this.#disk.fs.rmSync(this.#pathOf(id), { force: true })
  }

  *#readable(damaged: (path: string) => void = () => {}): Generator<MountRecord> {
    for (const file of namesIn(this.#disk, this.#layout.mounts)) {
      try {
        const record = readJson<MountRecord>(this.#disk, join(this.#layout.mounts, file))
        if (record === undefined) continue
        if (isRecord(record, file)) yield record
        else damaged(`mounts/${file}`)
      } catch (error) {
        if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
        damaged(`mounts/${file}`)
      }
    }
  }

  #pathOf(id: string): string {
    return join(this.#layout.mounts, `${id}.json`)
  }
}

/** Whether a mount is what this process finds at its directory. */
function shows({ mount, target }: MountRecord): boolean {
  return mount?.namespace === mountNamespaceOf('self') && mountAt(target)?.source === mount.source
}

/** Why a container that is mounted can be written nowhere else, and what to do. */
function busy(
  container: string,
  { target, mount, detached }: Pick<MountRecord, 'target' | 'mount' | 'detached'>,
): PlyError {
  const where = decodeText(target)
  if (detached && mount) {
    const who = holdersLeft(mount).map((pid) => `${commandOf(pid) ?? '?'} (${pid})`)
    const state = `still in use by ${who.join(', ') || 'somebody'}, who had its mount when that was taken away`
    return new PlyError('PLY_CONTAINER_BUSY', { name: container, state, advice: 'wait until they have left' })
  }
  return new PlyError('PLY_CONTAINER_BUSY', {
    name: container,
    state: `mounted at ${where}`,
    advice: `unmount it first: ply umount ${where}`,
    target: where,
  })
}

function isRecord(record: Partial<MountRecord> | null, file: string): boolean {
  return (
    file === `${record?.id}.json` &&
    typeof record?.subject?.kind === 'string' &&
    isDigest(record.manifest) &&
    typeof record.target === 'string' &&
    typeof record.bootId === 'string' &&
    (record.mount === null || typeof record.mount?.id === 'number')
  )
}
