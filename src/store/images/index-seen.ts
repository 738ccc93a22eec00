import { join } from 'node:path'
import type { Digest } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import { readJson, recordText, reserved, writeFileAtomically } from '../records.ts'
import type { IndexStamp } from './index-json.ts'

/** Its name among the records of names. */
export const seenFile = `${reserved}index-seen`

/** Bytes from which on only the head of what was seen is read first. */
const headWorthwhile = 1 << 16

/** What `index.json` looked like when we last wrote or adopted it. */
export interface Seen extends IndexStamp {
  /** What its names pointed at: only what differs from this has somebody else changed. */
  readonly names?: Readonly<Record<string, Digest>>
  /** CRC-32 (zlib's) of its bytes. */
  readonly content?: number
}

/** What we remember of `index.json`, by which what others write there is noticed. */
export class IndexSeen {
  readonly #disk: Disk
  readonly #tmp: string
  readonly #path: string

  constructor(disk: Disk, { names, tmp }: Layout) {
    this.#disk = disk
    this.#tmp = tmp
    this.#path = join(names, seenFile)
  }

  /** The head of what was seen: with a hundred thousand names, reading the rest takes longer than setting one. */
  stamp(): IndexStamp | undefined {
    const { fs } = this.#disk
    const size = fs.statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0
    if (size < headWorthwhile) return this.read()
    const fd = fs.openSync(this.#path, 'r')
    try {
      const head = Buffer.alloc(256)
      const text = head.toString('latin1', 0, fs.readSync(fd, head, 0, head.length, 0))
      const found = /^\{"ino":(\d+),"size":(\d+),"mtimeMs":(\d+(?:\.\d+)?),/.exec(text)
      if (found === null) return this.read()
      return { ino: Number(found[1]), size: Number(found[2]), mtimeMs: Number(found[3]) }
    } finally {
      fs.closeSync(fd)
    }
  }

  /** All of it; `undefined` if there is nothing, or it is damaged. */
  read(): Seen | undefined {
    try {
      return readJson<Seen | null>(this.#disk, this.#path) ?? undefined
    } catch (error) {
      if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
      return undefined
    }
  }

  /** `content` is the sum of its bytes; `names`, what they point at there. */
  remember(stamp: IndexStamp, content: number | undefined, names: Iterable<readonly [string, Descriptor]>): void {
    const pointed = Object.fromEntries([...names].map(([name, { digest }]) => [name, digest]))
    const seen: Seen = { ...stamp, ...(content !== undefined && { content }), names: pointed }
    writeFileAtomically({ disk: this.#disk, tmp: this.#tmp }, this.#path, recordText(seen))
  }
}

/** Whether it is the same state of the file, as far as can be told without reading it. */
export function sameStamp(one: IndexStamp, other: IndexStamp): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeMs === other.mtimeMs
}
