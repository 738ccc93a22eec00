import { crc32 } from 'node:zlib'
import type { Descriptor, ImageIndex } from '../../model/documents.ts'
import { codeOf, PlyError } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import { readJson, writeFileAtomically } from '../records.ts'
import { isEntry, type NameRecord } from './name-records.ts'

const refName = 'org.opencontainers.image.ref.name'

/** `index.json`, taken apart. `other` holds the fields that are not ours to know. */
export interface IndexContent {
  readonly named: ReadonlyMap<string, Descriptor>
  /** Entries without a name of their own, and what is no entry that we understand, as they stand. */
  readonly unnamed: readonly Descriptor[]
  readonly other: object
}

/** By what one state of the file is told from another without reading it. */
export interface IndexStamp {
  readonly ino: number
  readonly size: number
  readonly mtimeMs: number
}

/** `index.json`, by which other tools read the store as an OCI layout, and in which they may name images themselves. */
export class IndexJson {
  readonly #disk: Disk
  readonly #layout: Layout

  constructor(disk: Disk, layout: Layout) {
    this.#disk = disk
    this.#layout = layout
  }

  /** A file that another tool has half written, or that is damaged, holds nothing: the names are in their records. */
  read(): IndexContent {
    try {
      return this.parse()
    } catch (error) {
      if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
      return { named: new Map(), unnamed: [], other: { schemaVersion: 2 } }
    }
  }

  /** @throws PLY_BAD_DOCUMENT */
  parse(): IndexContent {
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

  /** Writes the file anew with these names; what is in it without a name, or is not ours to know, stays. */
  write(records: readonly NameRecord[]): void {
    const { unnamed, other } = this.read()
    const manifests = [
      ...records.map(({ name, descriptor }) => ({
        ...descriptor,
        annotations: { ...descriptor.annotations, [refName]: name },
      })),
      ...unnamed,
    ]
    const content = JSON.stringify({ ...other, manifests })
    writeFileAtomically({ disk: this.#disk, tmp: this.#layout.tmp }, this.#layout.indexJson, content)
  }

  stamp(): IndexStamp | undefined {
    try {
      const { ino, size, mtimeMs } = this.#disk.fs.statSync(this.#layout.indexJson)
      return { ino, size, mtimeMs }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** CRC-32 (zlib's) of its bytes. */
  sum(): number | undefined {
    try {
      return crc32(this.#disk.fs.readFileSync(this.#layout.indexJson) as Uint8Array)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }
}
