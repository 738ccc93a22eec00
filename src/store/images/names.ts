import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type Digest, isDigest } from '../../model/digest.ts'
import type { Descriptor, ImageIndex } from '../../model/documents.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import { syncFileSystem } from '../../sys/sync.ts'
import type { Layout } from '../layout.ts'
import { namesIn, readJson, recordText, reserved, writeFileAtomically } from '../records.ts'
import { hasMoreThan, listedNames, problemOfList } from './name-list.ts'

const refName = 'org.opencontainers.image.ref.name'

/** Above this many names `index.json` is brought up to date by `collect`, not at every change. */
const eager = 1000

export interface NameRecord {
  readonly name: string
  readonly descriptor: Descriptor
}

/** `index.json`, taken apart. `other` holds the fields that are not ours to know. */
interface IndexContent {
  readonly named: ReadonlyMap<string, Descriptor>
  /** Entries without a name of their own, and what is no entry that we understand, as they stand. */
  readonly unnamed: readonly Descriptor[]
  readonly other: object
}

interface Stamp {
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
}

/** What `index.json` looked like when we last wrote or adopted it. */
interface Seen extends Stamp {
  /** What its names pointed at: only what differs from this has somebody else changed. */
  readonly names?: Readonly<Record<string, Digest>>
  /** CRC-32 (zlib's) of its bytes. */
  readonly content?: number
}

/** `index.json` as somebody else wrote it; `changed` is what names point at anew. */
interface Foreign {
  readonly stamp: Stamp
  readonly named: ReadonlyMap<string, Descriptor>
  readonly changed: ReadonlyMap<string, Descriptor>
}

/** What names keep alive. */
export interface NameSurvey {
  readonly records: readonly NameRecord[]
  /** Files of records that cannot be read. */
  readonly unreadable: readonly string[]
  /** What `index.json` says of names; `undefined` if it is damaged. */
  readonly inIndex: ReadonlyMap<string, Descriptor> | undefined
  /** What other tools left in it without a name. */
  readonly unnamed: readonly Descriptor[]
}

/**
 * The names of a store: one immutable file a name is the truth, `index.json` is derived from them so that other tools
 * read the store as an OCI layout.
 *
 * What another tool wrote into `index.json` is noticed by its inode, time and size, and adopted before anything else is
 * done: names it added or moved, compared with what the file said when we last wrote it, become ours. A name missing
 * there stays ours, since a tool that read the file before our last change would otherwise delete what it never saw.
 */
export class Names {
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #writable: boolean

  /** `writable`: whether a list of very many names may be kept for the next time. */
  constructor(disk: Disk, layout: Layout, writable = false) {
    this.#disk = disk
    this.#layout = layout
    this.#writable = writable
  }

  /** @throws PLY_BAD_DOCUMENT if the record is damaged */
  get(name: string): Descriptor | undefined {
    const foreign = this.#foreign()?.changed.get(name)
    if (foreign !== undefined) return foreign
    return this.#recordIn(this.#fileOf(name))?.descriptor
  }

  /** Every name with what it points at, in byte order. Records that cannot be read are left out. */
  list(): NameRecord[] {
    const place = { disk: this.#disk, layout: this.#layout, writable: this.#writable }
    const own = listedNames(place, (file) => this.#readable(file)) ?? this.#ownRecords()
    const changed = this.#foreign()?.changed
    if (changed === undefined || changed.size === 0) return inByteOrder(own)
    const found = new Map(own.map((record) => [record.name, record]))
    for (const [name, descriptor] of changed) found.set(name, { name, descriptor })
    return inByteOrder([...found.values()])
  }

  /** All that names keep alive, and what cannot be read: no such record hides another. */
  survey(): NameSurvey {
    const unreadable: string[] = []
    const own = new Map(this.#ownRecords((file) => unreadable.push(file)).map((record) => [record.name, record]))
    for (const [name, descriptor] of this.#foreign()?.changed ?? []) own.set(name, { name, descriptor })
    try {
      const { named, unnamed } = this.#parseIndex()
      return { records: [...own.values()], unreadable, inIndex: named, unnamed }
    } catch (error) {
      if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
      return { records: [...own.values()], unreadable, inIndex: undefined, unnamed: [] }
    }
  }

  /**
   * Whether `index.json` is what we last wrote: `foreign` if another tool has written it since (or nothing is known of it),
   * `damaged` if nobody has and its bytes are others.
   */
  index(): 'ours' | 'foreign' | 'damaged' {
    const stamp = this.#stamp()
    const seen = this.#seen()
    if (stamp === undefined || seen === undefined || !sameStamp(seen, stamp)) return 'foreign'
    return seen.content === undefined || seen.content === this.#contentSum() ? 'ours' : 'damaged'
  }

  /** What the bytes of `index.json` should sum to, as far as somebody knows. */
  get indexSum(): number | undefined {
    return this.#seen()?.content
  }

  /** What is wrong with the list that is kept of very many names; `undefined` if nothing is, or there is none. */
  get problemOfList(): string | undefined {
    return problemOfList(this.#disk, this.#layout, (file) => this.#readable(file))
  }

  async set(name: string, descriptor: Descriptor): Promise<void> {
    await this.#change(() => {
      this.#write(this.#fileOf(name), recordText({ name, descriptor }))
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
    if (always || !hasMoreThan(this.#disk, this.#layout.names, eager)) this.#writeIndex(this.#ownRecords())
  }

  /** A record that cannot be read hides no other name; `damaged` hears of its file. */
  #ownRecords(damaged: (file: string) => void = () => {}): NameRecord[] {
    const records: NameRecord[] = []
    for (const file of namesIn(this.#disk, this.#layout.names)) {
      const record = this.#readable(file, damaged)
      if (record !== undefined) records.push(record)
    }
    return records
  }

  #readable(file: string, damaged: (file: string) => void = () => {}): NameRecord | undefined {
    try {
      return this.#recordIn(join(this.#layout.names, file))
    } catch (error) {
      if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
      damaged(file)
      return undefined
    }
  }

  #recordIn(path: string): NameRecord | undefined {
    const record = readJson<Partial<NameRecord> | null>(this.#disk, path)
    if (record === undefined) return undefined
    if (typeof record?.name === 'string' && isEntry(record.descriptor)) return record as NameRecord
    throw new PlyError('PLY_BAD_DOCUMENT', {
      what: path,
      reason: 'it is no record of a name; set the name anew, or delete the file',
    })
  }

  /** What somebody else wrote into `index.json` since we last did. */
  #foreign(): Foreign | undefined {
    const stamp = this.#stamp()
    if (stamp === undefined) return undefined
    const last = this.#seenStamp()
    if (last !== undefined && sameStamp(last, stamp)) return undefined
    const seen = this.#seen()
    const { named } = this.#readIndex()
    const before = new Map(Object.entries(seen?.names ?? {}))
    return { stamp, named, changed: new Map([...named].filter(([name, { digest }]) => before.get(name) !== digest)) }
  }

  #adopt(): void {
    const foreign = this.#foreign()
    if (foreign === undefined) return
    // Other tools sync nothing: a name of ours would last where what it leads to does not.
    if (foreign.changed.size > 0 && this.#disk.kind === 'disk') syncFileSystem(this.#layout.root)
    for (const [name, descriptor] of foreign.changed) this.#write(this.#fileOf(name), recordText({ name, descriptor }))
    // Otherwise what was just adopted would look newer than what we change next, where `index.json` is not written.
    this.#remember(foreign.stamp, foreign.named)
  }

  /** The head of what was seen: with a hundred thousand names, reading the rest takes longer than setting one. */
  #seenStamp(): Stamp | undefined {
    const { fs } = this.#disk
    const path = join(this.#layout.names, seenFile)
    const size = fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0
    if (size < headWorthwhile) return this.#seen()
    const fd = fs.openSync(path, 'r')
    try {
      const head = Buffer.alloc(256)
      const text = head.toString('latin1', 0, fs.readSync(fd, head, 0, head.length, 0))
      const found = /^\{"ino":(\d+),"size":(\d+),"mtimeMs":(\d+(?:\.\d+)?),/.exec(text)
      if (found === null) return this.#seen()
      return { ino: Number(found[1]), size: Number(found[2]), mtimeMs: Number(found[3]) }
    } finally {
      fs.closeSync(fd)
    }
  }

  #seen(): Seen | undefined {
    try {
      return readJson<Seen | null>(this.#disk, join(this.#layout.names, seenFile)) ?? undefined
    } catch (error) {
      if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
      return undefined
    }
  }

  #remember(stamp: Stamp, names: Iterable<readonly [string, Descriptor]>): void {
    const content = this.#contentSum()
    const pointed = Object.fromEntries([...names].map(([name, { digest }]) => [name, digest]))
    const seen: Seen = { ...stamp, ...(content !== undefined && { content }), names: pointed }
    this.#write(join(this.#layout.names, seenFile), recordText(seen))
  }

  #write(path: string, content: string): void {
    writeFileAtomically({ disk: this.#disk, tmp: this.#layout.tmp }, path, content)
  }

  /** A file that another tool has half written, or that is damaged, holds nothing: the names are in their records. */
  #readIndex(): IndexContent {
    try {
      return this.#parseIndex()
    } catch (error) {
      if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
      return { named: new Map(), unnamed: [], other: { schemaVersion: 2 } }
    }
  }

  #parseIndex(): IndexContent {
    const named = new Map<string, Descriptor>()
    const unnamed: Descriptor[] = []
    const path = this.#layout.indexJson
    const index = readJson<ImageIndex | null>(this.#disk, path) ?? { schemaVersion: 2, manifests: [] }
    const { manifests, ...other } = index
    if (!Array.isArray(manifests))
      throw new PlyError('PLY_BAD_DOCUMENT', { what: path, reason: 'it has no list of manifests' })
    for (const entry of manifests) {
      const { [refName]: name, ...annotations } = entry?.annotations ?? {}
      // Of two entries with one name other tools read the first; the second keeps its blobs.
      if (!isEntry(entry) || typeof name !== 'string' || name === '' || named.has(name)) {
        unnamed.push(entry)
        continue
      }
      const { annotations: _, ...bare } = entry
      named.set(name, Object.keys(annotations).length > 0 ? { ...bare, annotations } : bare)
    }
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
    this.#write(this.#layout.indexJson, JSON.stringify({ ...other, manifests }))
    this.#remember(
      this.#stamp()!,
      records.map(({ name, descriptor }) => [name, descriptor] as const),
    )
  }

  #stamp(): Stamp | undefined {
    try {
      const { ino, size, mtimeMs } = this.#disk.fs.statSync(this.#layout.indexJson)
      return { ino, size, mtimeMs }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  #contentSum(): number | undefined {
    try {
      return crc32(this.#disk.fs.readFileSync(this.#layout.indexJson) as Uint8Array)
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

/** Bytes from which on only the head of what was seen is read first. */
const headWorthwhile = 1 << 16

/** As the bytes of the names are in UTF-8, which is how JavaScript compares them but for what follows the surrogates. */
function inByteOrder(records: NameRecord[]): NameRecord[] {
  const plain = !records.some(({ name }) => /[\ud800-\uffff]/.test(name))
  return records.sort(
    plain
      ? (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
      : (a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
  )
}

function sameStamp(one: Stamp, other: Stamp): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeMs === other.mtimeMs
}

function isEntry(descriptor: Descriptor | undefined | null): boolean {
  return (
    isDigest(descriptor?.digest) && typeof descriptor.mediaType === 'string' && Number.isSafeInteger(descriptor.size)
  )
}

/**
 * A file name for any name: lower-case letters, digits, `-`, `_` and dots that are not first stand, the rest is
 * percent-encoded: capitals too, since some disks fold case. Long ones end in a hash.
 */
export function escapeName(name: string): string {
  const escaped = Buffer.from(name)
    .toString('latin1')
    .replace(/[^a-z0-9._-]|^\./g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
  if (escaped.length <= 200) return escaped
  return `${escaped.slice(0, 120)}~${createHash('sha256').update(name).digest('hex')}`
}
