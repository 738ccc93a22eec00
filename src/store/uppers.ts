import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { ChainId, Digest } from '../model/digest.ts'
import { PlyError } from '../model/errors.ts'
import { openOverlayUpper } from '../overlay/overlay-upper.ts'
import { openPortableUpper } from '../overlay/portable-upper.ts'
import type { StoredUpper } from '../overlay/stored-upper.ts'
import type { Disk } from '../sys/disk.ts'
import type { Layout } from './layout.ts'
import { namesIn, readJson, writeFileAtomically } from './records.ts'

/** How an upper keeps what was written (docs/upper-format.md). */
export type UpperForm = 'portable' | 'overlay'

/** `uppers/<id>/record.json`: what an upper stands on. It never changes. */
export interface UpperRecord {
  readonly id: string
  /** The frozen upper below it, in a chain of snapshots. */
  readonly parent: string | null
  readonly form: UpperForm
  /** The version of the index format whose inode numbers the upper holds. */
  readonly indexFormat: 1
  readonly chainId: ChainId | null
  /** The manifest whose layers are that chain. */
  readonly manifest: Digest
}

/** The writable layers of a store, by id. They are state: only their user removes them. */
export class Uppers {
  readonly #disk: Disk
  readonly #layout: Layout

  constructor(disk: Disk, layout: Layout) {
    this.#disk = disk
    this.#layout = layout
  }

  /** Makes an empty upper and returns its record. */
  create(stands: Omit<UpperRecord, 'id' | 'indexFormat'>): UpperRecord {
    const { fs } = this.#disk
    const record: UpperRecord = { id: randomBytes(12).toString('hex'), indexFormat: 1, ...stands }
    const making = join(this.#layout.tmp, `upper-${record.id}`)
    fs.mkdirSync(join(making, 'upper'), { recursive: true, mode: 0o700 })
    fs.mkdirSync(join(making, 'work'), { mode: 0o700 })
    writeFileAtomically(
      { disk: this.#disk, tmp: this.#layout.tmp },
      join(making, 'record.json'),
      `${JSON.stringify(record)}\n`,
    )
    fs.renameSync(making, this.#pathOf(record.id))
    this.#disk.syncDirectory(this.#layout.uppers)
    return record
  }

  list(): string[] {
    return namesIn(this.#disk, this.#layout.uppers)
  }

  record(id: string): UpperRecord {
    const path = join(this.#pathOf(id), 'record.json')
    const record = readJson<UpperRecord>(this.#disk, path)
    if (record === undefined) throw new PlyError('ENOENT', { syscall: 'open', path })
    return record
  }

  open(record: UpperRecord, options: { readonly readOnly: boolean }): StoredUpper {
    const root = this.#pathOf(record.id)
    if (record.form === 'portable')
      return openPortableUpper({ disk: this.#disk, root: join(root, 'upper'), ...options })
    return openOverlayUpper({
      disk: this.#disk,
      upperDir: join(root, 'upper'),
      workDir: join(root, 'work'),
      xattr: 'trusted',
      metacopy: true,
      ...(record.chainId && { chainId: record.chainId }),
      ...options,
    })
  }

  /** Out of sight at once, then gone. */
  remove(id: string): void {
    const { fs } = this.#disk
    const doomed = join(this.#layout.tmp, `removed-${id}-${randomBytes(4).toString('hex')}`)
    fs.renameSync(this.#pathOf(id), doomed)
    fs.rmSync(doomed, { recursive: true, force: true })
    fs.rmSync(this.lockOf(id), { force: true })
  }

  lockOf(id: string): string {
    return join(this.#layout.locks, `upper-${id}`)
  }

  pathOf(id: string): string {
    return this.#pathOf(id)
  }

  #pathOf(id: string): string {
    return join(this.#layout.uppers, id)
  }
}
