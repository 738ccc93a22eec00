import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Origins } from '../extract/origins.ts'
import { decodeWritten, encodeWritten, type Written } from '../extract/written.ts'
import { PlyError } from '../model/errors.ts'
import { writeFileAtomically } from '../store/records.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import type { OwnerRanges } from './owner-ranges.ts'

/** `uppers/<id>/extracted`: what a directory was made of that a container's changes are made in (docs/store-format.md). */
export interface ExtractionRecord {
  /** How owners were shifted on the way. */
  readonly owners: OwnerRanges | undefined
  /** What was made of which inode. */
  readonly origins: Origins
  /** What stands for an inode of the container, by its number, where that is less than it says. */
  readonly written: ReadonlyMap<number, Omit<Written, 'path'>>
  /** Everything is in the container: the directory is only to be removed. */
  readonly broughtBack: boolean
}

interface Head {
  readonly version: 1
  readonly owners?: OwnerRanges
  readonly broughtBack?: true
  /** How many lines of `Written` follow; the rest are origins. */
  readonly written: number
}

/** The record beside an upper. */
export class ExtractionRecords {
  readonly #path: string
  readonly #tmp: string

  /** @param upper the directory of the upper, which holds `upper/` and `work/` */
  constructor(upper: string, tmp: string) {
    this.#path = join(upper, 'extracted')
    this.#tmp = tmp
  }

  exists(): boolean {
    return existsSync(this.#path)
  }

  /** `written` with the numbers of their inodes in the container. */
  write(
    owners: OwnerRanges | undefined,
    origins: Origins,
    written: readonly { readonly ino: number; readonly written: Written }[],
  ): void {
    const head: Head = { version: 1, ...(owners && { owners }), written: written.length }
    const lines = [`${JSON.stringify(head)}\n`]
    for (const one of written) lines.push(`${one.ino.toString(36)} ${encodeWritten(one.written)}`)
    lines.push(...origins.encode())
    this.#put(lines.join(''))
  }

  /** From here on only the directory is to be removed. */
  broughtBack(): void {
    const head: Head = { version: 1, broughtBack: true, written: 0 }
    this.#put(`${JSON.stringify(head)}\n0\n`)
  }

  /** @throws PLY_BAD_DOCUMENT; PLY_UNSUPPORTED if there is none */
  read(): ExtractionRecord {
    if (!this.exists())
      throw new PlyError('PLY_UNSUPPORTED', {
        what: 'bringing back what was changed in the directory',
        reason: `there is no record of what it was made of (${this.#path}); what is in it can be imported with rootfs:`,
      })
    const [first = '', ...lines] = readFileSync(this.#path, 'latin1').trimEnd().split('\n')
    const head = this.#head(first)
    const written = new Map<number, Omit<Written, 'path'>>()
    for (const line of lines.slice(0, head.written)) {
      const space = line.indexOf(' ')
      written.set(Number.parseInt(line.slice(0, space), 36), decodeWritten(line.slice(space + 1))[0]!)
    }
    return {
      owners: head.owners,
      origins: Origins.decode(lines.slice(head.written)),
      written,
      broughtBack: head.broughtBack === true,
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }

  #put(text: string): void {
    writeFileAtomically({ disk: nodeDisk(), tmp: this.#tmp }, this.#path, Buffer.from(text, 'latin1'))
  }

  #head(line: string): Head {
    try {
      const head = JSON.parse(line) as Head
      if (head.version === 1 && typeof head.written === 'number') return head
    } catch {
      // Said below.
    }
    throw new PlyError('PLY_BAD_DOCUMENT', { what: this.#path, reason: 'its first line makes no sense' })
  }
}
