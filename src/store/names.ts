import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isDigest } from '../model/digest.ts'
import type { Descriptor, ImageIndex } from '../model/documents.ts'
import { codeOf } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import type { Layout } from './layout.ts'
import { namesIn, readJson, reserved, writeFileAtomically } from './records.ts'

const refName = 'org.opencontainers.image.ref.name'

/** Above this many names `index.json` is brought up to date by `collect`, not at every change. */
const eager = 1000

interface NameRecord {
  readonly name: string
  readonly descriptor: Descriptor
}

/** `index.json`, taken apart. `other` holds the fields that are not ours to know. */
interface IndexContent {
  readonly named: ReadonlyMap<string, Descriptor>
  readonly unnamed: readonly Descriptor[]
  readonly other: object
}

/** What `index.json` looked like when we last wrote or read it. */
interface Seen {
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
}

/**
 * The names of a store: one immutable file a name is the truth, `index.json` is derived from them so that other tools
 * read the store as an OCI layout.
 *
 * What another tool wrote into `index.json` is noticed by its inode, time and size, and adopted before anything else is
 * done: names it added or moved become ours. A name missing there stays ours, since a tool that read the file before our
 * last change would otherwise delete what it never saw.
 */
export class Names {
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #writable: boolean

  constructor(disk: Disk, layout: Layout, writable: boolean) {
    this.#disk = disk
    this.#layout = layout
    this.#writable = writable
  }

  get(name: string): Descriptor | undefined {
    const foreign = this.#foreign()?.named.get(name)
    if (foreign !== undefined) return foreign
    return readJson<NameRecord>(this.#disk, this.#fileOf(name))?.descriptor
  }

  /** Every name with what it points at, in order. Records that cannot be read are left out. */
  list(): NameRecord[] {
    const found = new Map(this.#ownRecords().map((record) => [record.name, record]))
    for (const [name, descriptor] of this.#foreign()?.named ?? []) found.set(name, { name, descriptor })
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Descriptors that other tools left in `index.json` without a name. They keep their blobs. */
  unnamed(): readonly Descriptor[] {
    return this.#readIndex().unnamed
  }

  async set(name: string, descriptor: Descriptor): Promise<void> {
    await this.#change(() => {
      writeFileAtomically(this.#disk, this.#fileOf(name), recordText(name, descriptor))
    })
  }

  /** Answers whether there was such a name. */
  async remove(name: string): Promise<boolean> {
    let removed = false
    await this.#change(() => {
      try {
        this.#disk.fs.unlinkSync(this.#fileOf(name))
        this.#disk.syncDirectory(this.#layout.names)
        removed = true
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
      }
    })
    return removed
  }

  /** Brings `index.json` up to date whatever the number of names. */
  async refresh(): Promise<void> {
    await this.#change(() => {}, true)
  }

  async #change(act: () => void, always = false): Promise<void> {
    using _ = (await this.#disk.lock(join(this.#layout.locks, 'names'), { wait: true }))!
    this.#adopt()
    act()
    const records = this.#ownRecords()
    if (always || records.length <= eager) this.#writeIndex(records)
  }

  #ownRecords(): NameRecord[] {
    const records: NameRecord[] = []
    for (const file of namesIn(this.#disk, this.#layout.names)) {
      try {
        const record = readJson<NameRecord>(this.#disk, join(this.#layout.names, file))
        if (record !== undefined && isDigest(record.descriptor.digest)) records.push(record)
      } catch (error) {
        // One unreadable record must not hide the other names.
        if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
      }
    }
    return records
  }

  /** What somebody else wrote into `index.json` since we last did. */
  #foreign(): IndexContent | undefined {
    const seen = readJson<Seen>(this.#disk, join(this.#layout.names, seenFile))
    const now = this.#stamp()
    if (now === undefined) return undefined
    if (seen !== undefined && seen.ino === now.ino && seen.size === now.size && seen.mtimeMs === now.mtimeMs)
      return undefined
    return this.#readIndex()
  }

  #adopt(): void {
    for (const [name, descriptor] of this.#foreign()?.named ?? []) {
      const own = readJson<NameRecord>(this.#disk, this.#fileOf(name))
      if (own?.descriptor.digest !== descriptor.digest)
        writeFileAtomically(this.#disk, this.#fileOf(name), recordText(name, descriptor))
    }
  }

  #readIndex(): IndexContent {
    const named = new Map<string, Descriptor>()
    const unnamed: Descriptor[] = []
    const index = readJson<ImageIndex>(this.#disk, this.#layout.indexJson)
    for (const entry of Array.isArray(index?.manifests) ? index.manifests : []) {
      if (!isDigest(entry?.digest)) continue
      const { [refName]: name, ...annotations } = entry.annotations ?? {}
      const { annotations: _, ...bare } = entry
      const descriptor = Object.keys(annotations).length > 0 ? { ...bare, annotations } : bare
      if (name === undefined) unnamed.push(entry)
      else named.set(name, descriptor)
    }
    const { manifests: _, ...other } = index ?? { schemaVersion: 2, manifests: [] }
    return { named, unnamed, other }
  }

  #writeIndex(records: readonly NameRecord[]): void {
    const { unnamed, other } = this.#readIndex()
    const manifests = [
      ...records.map(({ name, descriptor }) => ({
        ...descriptor,
        annotations: { ...descriptor.annotations, [refName]: name },
      })),
      ...unnamed,
    ]
    writeFileAtomically(this.#disk, this.#layout.indexJson, JSON.stringify({ ...other, manifests }))
    if (this.#writable)
      writeFileAtomically(this.#disk, join(this.#layout.names, seenFile), JSON.stringify(this.#stamp()))
  }

  #stamp(): Seen | undefined {
    try {
      const { ino, size, mtimeMs } = this.#disk.fs.statSync(this.#layout.indexJson)
      return { ino, size, mtimeMs }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  #fileOf(name: string): string {
    return join(this.#layout.names, escapeName(name))
  }
}

const seenFile = `${reserved}index-seen`

function recordText(name: string, descriptor: Descriptor): string {
  return `${JSON.stringify({ name, descriptor })}\n`
}

/** A file name for any name: letters, digits, `-` and `_` stand, dots not first, the rest is percent-encoded. Long ones end in a hash. */
export function escapeName(name: string): string {
  const escaped = Buffer.from(name)
    .toString('latin1')
    .replace(/[^A-Za-z0-9._-]|^\./g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
  if (escaped.length <= 200) return escaped
  return `${escaped.slice(0, 120)}~${createHash('sha256').update(name).digest('hex')}`
}
