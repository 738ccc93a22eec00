import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Digest } from '../../model/digest.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { Disk, Lock } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import { escapeName, namesIn, readJson, recordText, writeFileAtomically } from '../records.ts'

/** A state of a container that was kept: an upper that nobody writes any more. */
export interface Snapshot {
  readonly name: string
  readonly upper: string
  /** RFC 3339. */
  readonly created: string
}

/** What a store knows of a container without opening it. */
export interface ContainerRecord {
  readonly name: string
  /** The name of the image it was made from, as it was given. */
  readonly image: string
  /** The manifest it was made from. */
  readonly manifest: Digest
  /** RFC 3339. */
  readonly created: string
  /** The upper it writes to. */
  readonly upper: string
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[]
}

/** As it stands on the disk: containers from before there were snapshots have none. */
type Stored = Omit<ContainerRecord, 'snapshots'> & Partial<Pick<ContainerRecord, 'snapshots'>>

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

/** @throws PLY_USAGE for what can name neither a container nor a snapshot */
export function checkContainerName(name: string, what: 'container' | 'snapshot'): void {
  if (namePattern.test(name)) return
  throw new PlyError('PLY_USAGE', {
    reason: `${JSON.stringify(name)} cannot name a ${what}: use letters, digits, '_', '.', '-', at most 128`,
  })
}

/** `work@before` is the snapshot `before` of the container `work`. */
export function splitSnapshot(text: string): { readonly container: string; readonly snapshot: string | undefined } {
  const at = text.indexOf('@')
  return at < 0
    ? { container: text, snapshot: undefined }
    : { container: text.slice(0, at), snapshot: text.slice(at + 1) }
}

/** @throws PLY_SNAPSHOT_NOT_FOUND */
export function snapshotOf({ name, snapshots }: ContainerRecord, wanted: string): Snapshot {
  const found = snapshots.find((snapshot) => snapshot.name === wanted)
  if (found) return found
  const available = snapshots.map((snapshot) => snapshot.name).join(', ') || 'none'
  throw new PlyError('PLY_SNAPSHOT_NOT_FOUND', { name, snapshot: wanted, available })
}

/**
 * The records of containers. Each is replaced whole, by a rename: what it says of uppers is so from that moment. Who replaces one
 * that may be another's too holds `lock`, and has read it under that.
 */
export class ContainerRecords {
  readonly #disk: Disk
  readonly #layout: Layout

  constructor(disk: Disk, layout: Layout) {
    this.#disk = disk
    this.#layout = layout
  }

  /** Held for milliseconds, alone, by whoever changes on which frozen uppers containers stand. */
  async lock({ signal }: Operation): Promise<Lock> {
    return (await this.#disk.lock(join(this.#layout.locks, 'containers'), { wait: true, signal }))!
  }

  /** @throws PLY_CONTAINER_NOT_FOUND, PLY_BAD_DOCUMENT */
  read(name: string): ContainerRecord {
    const found = this.#read(escapeName(name))
    if (found === undefined) throw new PlyError('PLY_CONTAINER_NOT_FOUND', { name })
    return found
  }

  has(name: string): boolean {
    return this.#disk.fs.existsSync(this.#pathOf(name))
  }

  /** Those whose records can be read: one that is damaged hides no other. */
  readable(): ContainerRecord[] {
    return this.list((error) => {
      if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
    })
  }

  /** @throws PLY_BAD_DOCUMENT, unless `damaged` takes it */
  list(
    damaged: (error: unknown) => void = (error) => {
      throw error
    },
  ): ContainerRecord[] {
    const found: ContainerRecord[] = []
    for (const file of namesIn(this.#disk, this.#layout.containers)) {
      try {
        const one = this.#read(file)
        if (one !== undefined) found.push(one)
      } catch (error) {
        damaged(error)
      }
    }
    return found
  }

  /** Makes a container of a name that is free. @throws PLY_CONTAINER_EXISTS */
  publish(record: ContainerRecord): void {
    const { fs } = this.#disk
    const path = this.#pathOf(record.name)
    const making = join(this.#layout.tmp, `container-${randomBytes(8).toString('hex')}`)
    const taken = (cause?: unknown) => new PlyError('PLY_CONTAINER_EXISTS', { name: record.name }, { cause })
    try {
      fs.mkdirSync(making, { mode: 0o700 })
      this.#write(join(making, 'record.json'), record)
      // Renaming a directory over one that is not empty fails: that makes the name exclusive. In memory it does not, but
      // there nothing comes in between.
      if (this.#disk.kind === 'memory' && fs.existsSync(path)) throw taken()
      fs.renameSync(making, path)
    } catch (error) {
      fs.rmSync(making, { recursive: true, force: true })
      // Somebody else was faster.
      throw codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST' ? taken(error) : error
    }
    this.#disk.syncDirectory(this.#layout.containers)
  }

  replace(record: ContainerRecord): void {
    this.#write(join(this.#pathOf(record.name), 'record.json'), record)
  }

  /** Takes the name away, at once. */
  remove(name: string): void {
    const { fs } = this.#disk
    const doomed = join(this.#layout.tmp, `removed-${randomBytes(8).toString('hex')}`)
    fs.renameSync(this.#pathOf(name), doomed)
    this.#disk.syncDirectory(this.#layout.containers)
    fs.rmSync(doomed, { recursive: true, force: true })
  }

  /** Whether a container stands on an upper, as its record is now: also where writing it has failed halfway. */
  names(container: string, upper: string): boolean {
    try {
      return this.read(container).upper === upper
    } catch (error) {
      return codeOf(error) !== 'PLY_CONTAINER_NOT_FOUND'
    }
  }

  #read(file: string): ContainerRecord | undefined {
    const found = readJson<Stored>(this.#disk, join(this.#layout.containers, file, 'record.json'))
    return found && { ...found, snapshots: found.snapshots ?? [] }
  }

  #write(path: string, { snapshots, ...rest }: ContainerRecord): void {
    const stored: Stored = snapshots.length === 0 ? rest : { ...rest, snapshots }
    writeFileAtomically({ disk: this.#disk, tmp: this.#layout.tmp }, path, recordText(stored))
  }

  #pathOf(name: string): string {
    return join(this.#layout.containers, escapeName(name))
  }
}
