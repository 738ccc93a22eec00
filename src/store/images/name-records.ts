import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { isDigest } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import { syncFileSystem } from '../../sys/sync.ts'
import type { Layout } from '../layout.ts'
import { escapeName, namesIn, readJson, recordText, writeFileAtomically } from '../records.ts'

/** Fewer than so many records are synced one by one: a whole disk may have more to write. */
const fewRecords = 32

/** How many records wait for one sync of the disk. */
const atOnce = 10_000

/** `names/<name>`: what a name points at. */
export interface NameRecord {
  readonly name: string
  readonly descriptor: Descriptor
}

/** The records of names: one immutable file each. */
export class NameRecords {
  readonly #disk: Disk
  readonly #layout: Layout

  constructor(disk: Disk, layout: Layout) {
    this.#disk = disk
    this.#layout = layout
  }

  /** @throws PLY_BAD_DOCUMENT if the record is damaged */
  get(name: string): NameRecord | undefined {
    return this.#read(this.#pathOf(name))
  }

  /** A record that cannot be read hides no other name; `damaged` hears of its file. */
  list(damaged: (file: string) => void = () => {}): NameRecord[] {
    const records: NameRecord[] = []
    for (const file of namesIn(this.#disk, this.#layout.names)) {
      const record = this.readable(file, damaged)
      if (record !== undefined) records.push(record)
    }
    return records
  }

  /** The record in a file; `undefined` if there is none, or one that cannot be read: `damaged` hears of that. */
  readable(file: string, damaged: (file: string) => void = () => {}): NameRecord | undefined {
    try {
      return this.#read(join(this.#layout.names, file))
    } catch (error) {
      if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
      damaged(file)
      return undefined
    }
  }

  write(record: NameRecord): void {
    const { name, descriptor } = record
    const place = { disk: this.#disk, tmp: this.#layout.tmp }
    writeFileAtomically(place, this.#pathOf(name), recordText({ name, descriptor }))
  }

  /**
   * Writes many: to sync each would take minutes for a hundred thousand. What is in them is on the disk before one of them has its
   * name.
   */
  writeAll(records: ReadonlyMap<string, Descriptor>): void {
    const batch: { readonly temporary: string; readonly path: string }[] = []
    const isFew = records.size < fewRecords || this.#disk.kind === 'memory'
    for (const [name, descriptor] of records) {
      if (isFew) this.write({ name, descriptor })
      else {
        batch.push({ temporary: this.#written({ name, descriptor }), path: this.#pathOf(name) })
        if (batch.length === atOnce) this.#place(batch.splice(0))
      }
    }
    this.#place(batch)
  }

  /** Answers whether there was one. */
  remove(name: string): boolean {
    try {
      this.#disk.fs.unlinkSync(this.#pathOf(name))
      this.#disk.syncDirectory(this.#layout.names)
      return true
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      return false
    }
  }

  /** A record under a temporary name, not synced. What is left of it if this dies is litter. */
  #written({ name, descriptor }: NameRecord): string {
    const temporary = join(this.#layout.tmp, `record-${randomBytes(8).toString('hex')}`)
    this.#disk.fs.writeFileSync(temporary, recordText({ name, descriptor }), { flag: 'wx', mode: 0o600 })
    return temporary
  }

  #place(batch: readonly { readonly temporary: string; readonly path: string }[]): void {
    if (batch.length === 0) return
    syncFileSystem(this.#layout.root)
    for (const { temporary, path } of batch) this.#disk.fs.renameSync(temporary, path)
    this.#disk.syncDirectory(this.#layout.names)
  }

  #read(path: string): NameRecord | undefined {
    const record = readJson<Partial<NameRecord> | null>(this.#disk, path)
    if (record === undefined) return undefined
    if (typeof record?.name === 'string' && isEntry(record.descriptor)) return record as NameRecord
    throw new PlyError('PLY_BAD_DOCUMENT', {
      what: path,
      reason: 'it is no record of a name; set the name anew, or delete the file',
    })
  }

  #pathOf(name: string): string {
    return join(this.#layout.names, escapeName(name))
  }
}

/** Whether it is a descriptor that we understand. */
export function isEntry(descriptor: Descriptor | undefined | null): boolean {
  return (
    isDigest(descriptor?.digest) && typeof descriptor.mediaType === 'string' && Number.isSafeInteger(descriptor.size)
  )
}

/** As the bytes of the names are in UTF-8, which is how JavaScript compares them but for what follows the surrogates. */
export function inByteOrder(records: NameRecord[]): NameRecord[] {
  const plain = !records.some(({ name }) => /[\ud800-\uffff]/.test(name))
  return records.sort(
    plain
      ? (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
      : (a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
  )
}
