import { join } from 'node:path'
import { type Digest, isDigest } from '../../model/digest.ts'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import { makeDirectoryDurably } from '../../sys/durable-directory.ts'
import type { Layout } from '../layout.ts'
import { readJson, recordText, writeFileAtomically } from '../records.ts'
import { entriesIn } from '../walk.ts'

/** What one step of a build made, under the key of all that went into it. */
export interface BuildRecord {
  /** 64 hexadecimal digits. */
  readonly key: string
  /** The image up to and with the step. */
  readonly manifest: Digest
  /** The instruction, for people. */
  readonly step: string
  /** Which step it is: the same for the same instruction at the same place of a build, whatever went into it. 64 hexadecimal digits. */
  readonly place: string
  /** What went into the key, part by part, as digests or as short text: by what name which part is known. */
  readonly inputs: Readonly<Record<string, string>>
}

/**
 * Records of what builds have made: `builds/KEY.json`. Each keeps an image alive until it is forgotten. They are worth nothing but time:
 * one that cannot be read is none.
 */
export class BuildRecords {
  readonly #disk: Disk
  readonly #layout: Layout

  constructor(disk: Disk, layout: Layout) {
    this.#disk = disk
    this.#layout = layout
  }

  get(key: string): BuildRecord | undefined {
    try {
      const record = readJson<BuildRecord>(this.#disk, this.#pathOf(key))
      return record !== undefined && isRecord(record) && record.key === key ? record : undefined
    } catch (error) {
      if (codeOf(error) === 'PLY_BAD_DOCUMENT') return undefined
      throw error
    }
  }

  /** All that can be read, by their keys. */
  *list(): Generator<BuildRecord, void, undefined> {
    for (const file of entriesIn(this.#disk, this.#layout.builds)) {
      const record = /^[0-9a-f]{64}\.json$/.test(file) ? this.get(file.slice(0, 64)) : undefined
      if (record !== undefined) yield record
    }
  }

  set(record: BuildRecord): void {
    const { fs } = this.#disk
    if (!fs.existsSync(this.#layout.builds)) makeDirectoryDurably(this.#disk, this.#layout.builds)
    writeFileAtomically({ disk: this.#disk, tmp: this.#layout.tmp }, this.#pathOf(record.key), recordText(record))
  }

  /** Notes that it was of use: those that were not for the longest time are forgotten first. */
  touch(key: string): void {
    const now = new Date()
    try {
      this.#disk.fs.utimesSync(this.#pathOf(key), now, now)
    } catch (error) {
      if (!['ENOENT', 'EROFS', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '')) throw error
    }
  }

  /** Milliseconds since the epoch. */
  usedAt(key: string): number {
    return this.#disk.fs.statSync(this.#pathOf(key)).mtimeMs
  }

  forget(key: string): void {
    this.#disk.fs.rmSync(this.#pathOf(key), { force: true })
  }

  #pathOf(key: string): string {
    return join(this.#layout.builds, `${key}.json`)
  }
}

function isRecord(record: Partial<BuildRecord>): boolean {
  return (
    typeof record.key === 'string' &&
    isDigest(record.manifest) &&
    typeof record.step === 'string' &&
    typeof record.place === 'string' &&
    typeof record.inputs === 'object' &&
    record.inputs !== null
  )
}
