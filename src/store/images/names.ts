import { join } from 'node:path'
import type { Descriptor } from '../../model/documents.ts'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import { syncFileSystem } from '../../sys/sync.ts'
import type { Layout } from '../layout.ts'
import { IndexJson, type IndexStamp } from './index-json.ts'
import { IndexSeen, sameStamp } from './index-seen.ts'
import { hasMoreThan, listedNames, problemOfList } from './name-list.ts'
import { inByteOrder, type NameRecord, NameRecords } from './name-records.ts'

/** Above this many names `index.json` is brought up to date by `collect`, not at every change. */
const eager = 1000

/** `index.json` as somebody else wrote it; `changed` is what names point at anew. */
interface Foreign {
  readonly stamp: IndexStamp
  /** What we had seen of it before. */
  readonly since: IndexStamp | undefined
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
  readonly #records: NameRecords
  readonly #index: IndexJson
  readonly #seen: IndexSeen
  /** What was read last of somebody else's `index.json`, as long as there is room for it. */
  #read: WeakRef<Foreign> | undefined

  /** `writable`: whether a list of very many names may be kept for the next time. */
  constructor(disk: Disk, layout: Layout, writable = false) {
    this.#disk = disk
    this.#layout = layout
    this.#writable = writable
    this.#records = new NameRecords(disk, layout)
    this.#index = new IndexJson(disk, layout)
    this.#seen = new IndexSeen(disk, layout)
  }

  /** @throws PLY_BAD_DOCUMENT if the record is damaged */
  get(name: string): Descriptor | undefined {
    const foreign = this.#foreign()?.changed.get(name)
    if (foreign !== undefined) return foreign
    return this.#records.get(name)?.descriptor
  }

  /** Every name with what it points at, in byte order. Records that cannot be read are left out. */
  list(): NameRecord[] {
    const own = this.#listed() ?? this.#records.list()
    const changed = this.#foreign()?.changed
    if (changed === undefined || changed.size === 0) return inByteOrder(own)
    const found = new Map(own.map((record) => [record.name, record]))
    for (const [name, descriptor] of changed) found.set(name, { name, descriptor })
    return inByteOrder([...found.values()])
  }

  /**
   * All that names keep alive, and what cannot be read: no such record hides another. `quick` believes the list that is kept of very
   * many names, as `list` does: for who decides nothing by it.
   */
  survey({ quick = false }: { readonly quick?: boolean } = {}): NameSurvey {
    const unreadable: string[] = []
    const damaged = (file: string) => unreadable.push(file)
    const listed = quick ? this.#listed(damaged) : undefined
    const own = new Map((listed ?? this.#records.list(damaged)).map((record) => [record.name, record]))
    for (const [name, descriptor] of this.#foreign()?.changed ?? []) own.set(name, { name, descriptor })
    try {
      const { named, unnamed } = this.#index.parse()
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
    const stamp = this.#index.stamp()
    const seen = this.#seen.read()
    if (stamp === undefined || seen === undefined || !sameStamp(seen, stamp)) return 'foreign'
    return seen.content === undefined || seen.content === this.#index.sum() ? 'ours' : 'damaged'
  }

  /** What the bytes of `index.json` should sum to, as far as somebody knows. */
  get indexSum(): number | undefined {
    return this.#seen.read()?.content
  }

  /** What is wrong with the list that is kept of very many names; `undefined` if nothing is, or there is none. */
  get problemOfList(): string | undefined {
    return problemOfList(this.#disk, this.#layout, (file) => this.#records.readable(file))
  }

  async set(name: string, descriptor: Descriptor): Promise<void> {
    await this.#change(() => this.#records.write({ name, descriptor }))
  }

  /** Answers whether there was such a name. */
  async remove(name: string): Promise<boolean> {
    let removed = false
    await this.#change(() => {
      removed = this.#records.remove(name)
    })
    return removed
  }

  /** Brings `index.json` up to date whatever the number of names. */
  async refresh(): Promise<void> {
    await this.#change(() => {}, true)
  }

  #listed(damaged?: (file: string) => void): NameRecord[] | undefined {
    const place = { disk: this.#disk, layout: this.#layout, writable: this.#writable }
    return listedNames(place, (file) => this.#records.readable(file, damaged))
  }

  async #change(act: () => void, always = false): Promise<void> {
    using _ = (await this.#disk.lock(join(this.#layout.locks, 'names'), { wait: true }))!
    this.#adopt()
    act()
    if (!always && hasMoreThan(this.#disk, this.#layout.names, eager)) return
    const records = this.#records.list()
    this.#index.write(records)
    this.#remember(
      this.#index.stamp()!,
      records.map(({ name, descriptor }) => [name, descriptor] as const),
    )
  }

  /** What somebody else wrote into `index.json` since we last did. */
  #foreign(): Foreign | undefined {
    const stamp = this.#index.stamp()
    if (stamp === undefined) return undefined
    const last = this.#seen.stamp()
    if (last !== undefined && sameStamp(last, stamp)) return undefined
    const known = this.#read?.deref()
    if (known !== undefined && sameStamp(known.stamp, stamp) && isSame(known.since, last)) return known
    const before = this.#seen.read()?.names
    const { named } = this.#index.read()
    const changed = new Map<string, Descriptor>()
    for (const [name, descriptor] of named)
      if (before === undefined || !Object.hasOwn(before, name) || before[name] !== descriptor.digest)
        changed.set(name, descriptor)
    const found: Foreign = { stamp, since: last, named, changed }
    this.#read = new WeakRef(found)
    return found
  }

  #adopt(): void {
    const foreign = this.#foreign()
    if (foreign === undefined) return
    // Other tools sync nothing: a name of ours would last where what it leads to does not.
    if (foreign.changed.size > 0 && this.#disk.kind === 'disk') syncFileSystem(this.#layout.root)
    this.#records.writeAll(foreign.changed)
    // Otherwise what was just adopted would look newer than what we change next, where `index.json` is not written.
    this.#remember(foreign.stamp, foreign.named)
  }

  #remember(stamp: IndexStamp, names: Iterable<readonly [string, Descriptor]>): void {
    this.#seen.remember(stamp, this.#index.sum(), names)
  }
}

function isSame(one: IndexStamp | undefined, other: IndexStamp | undefined): boolean {
  return one === undefined || other === undefined ? one === other : sameStamp(one, other)
}
