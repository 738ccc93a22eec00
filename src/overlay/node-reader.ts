import type { Stats } from 'node:fs'
import type { Marks } from '../layer/overlay-marks.ts'
import { decodeOverride, type Override } from '../layer/override.ts'
import type { ByteString } from '../model/bytes.ts'
import { type Kind, kindOf } from '../model/entry.ts'
import { firstNewInode } from '../union/upper.ts'
import type { Asides } from './asides.ts'
import type { FrozenBelow } from './frozen-below.ts'
import { decodeOrigin } from './origin.ts'
import { firstForeignInode, foreignNumber, type OverlayNode } from './overlay-node.ts'
import type { UpperDisk } from './upper-disk.ts'

/** What stands on the disk at a path. */
export type FoundNode = Pick<
  OverlayNode,
  | 'real'
  | 'realKind'
  | 'kind'
  | 'origin'
  | 'impure'
  | 'opaque'
  | 'holdsMarked'
  | 'metacopy'
  | 'blocks'
  | 'aside'
  | 'override'
> & {
  readonly ino: number
  /** It was copied up, under the number that it has below. */
  readonly below: boolean
  /** As it is marked: from the root with a slash, or a name in the lower part of the directory that holds it. */
  readonly redirect: ByteString | undefined
}

/** Reads what the real inodes of an upper say: their marks, or that they are whiteouts. */
export class NodeReader {
  readonly #disk: UpperDisk
  readonly #marks: Marks
  readonly #uuid: Uint8Array
  readonly #firstOwn: number
  readonly #frozen: FrozenBelow
  readonly #asides: Asides | undefined

  constructor(
    disk: UpperDisk,
    options: {
      readonly marks: Marks
      readonly uuid: Uint8Array
      readonly firstOwn: number
      readonly frozen: FrozenBelow
      readonly asides: Asides | undefined
    },
  ) {
    this.#disk = disk
    this.#marks = options.marks
    this.#uuid = options.uuid
    this.#firstOwn = options.firstOwn
    this.#frozen = options.frozen
    this.#asides = options.asides
  }

  /** `undefined` for a whiteout, in either form: device 0:0, or an empty file with the mark. */
  read(path: ByteString): FoundNode | undefined {
    const stat = this.#disk.lstat(path)
    if (stat.isCharacterDevice() && stat.rdev === 0) return undefined
    const realKind = kindOf(stat.mode) ?? 'file'
    const aside = this.#asideOf(path, realKind)
    const carrier = aside ?? (this.#asides && !isPlain(realKind) ? undefined : path)
    const found = carrier === undefined ? [] : this.#disk.xattrNames(carrier)
    if (realKind === 'file' && stat.size === 0 && found.includes(this.#marks.whiteout)) return undefined
    return this.#nodeOf(stat, realKind, { carrier: carrier ?? path, aside, found })
  }

  #nodeOf(
    stat: Stats,
    realKind: Kind,
    {
      carrier,
      aside,
      found,
    }: { readonly carrier: ByteString; readonly aside: ByteString | undefined; readonly found: readonly ByteString[] },
  ): FoundNode {
    const marks = this.#marks
    const override = this.#override(carrier, found)
    const kind = realKind === 'file' && override?.kind && override.kind !== 'directory' ? override.kind : realKind
    const opaque = realKind === 'directory' && found.includes(marks.opaque) ? this.#text(carrier, marks.opaque) : ''
    const number = this.#numberBelow(carrier, found)
    return {
      ino: number ?? this.#numberHere(carrier, found) ?? foreignNumber(stat.ino),
      below: number !== undefined,
      real: stat.ino,
      realKind,
      kind,
      origin: found.includes(marks.origin),
      impure: found.includes(marks.impure),
      opaque: opaque === 'y',
      holdsMarked: opaque === 'x',
      metacopy: kind === 'file' && found.includes(marks.metacopy),
      // Without the other mark the kernel, or we, have given it all its content since.
      blocks: kind === 'file' && found.includes(marks.metacopy) && found.includes(marks.blocks),
      redirect: found.includes(marks.redirect) ? this.#text(carrier, marks.redirect) : undefined,
      aside,
      override,
    }
  }

  #override(carrier: ByteString, found: readonly ByteString[]): Override | undefined {
    const { override } = this.#marks
    const value = override !== undefined && found.includes(override) ? this.#disk.xattr(carrier, override) : undefined
    return value && decodeOverride(value, carrier)
  }

  #asideOf(path: ByteString, realKind: Kind): ByteString | undefined {
    return this.#asides && !isPlain(realKind) ? this.#asides.find(this.#disk.lstatExact(path)) : undefined
  }

  /** That of what was copied up: of the image, of a frozen upper by its mark, or by what the kernel calls it there. */
  #numberBelow(carrier: ByteString, found: readonly ByteString[]): number | undefined {
    const origin = found.includes(this.#marks.origin) ? this.#disk.xattr(carrier, this.#marks.origin) : undefined
    const nid = origin && decodeOrigin(origin, this.#uuid)
    if (nid !== undefined) return nid
    const marked = this.#marked(carrier, found)
    if (marked !== undefined) return marked < this.#firstOwn ? marked : undefined
    return origin && this.#frozen.numberOf(origin)
  }

  #numberHere(carrier: ByteString, found: readonly ByteString[]): number | undefined {
    const marked = this.#marked(carrier, found)
    return marked !== undefined && marked >= this.#firstOwn ? marked : undefined
  }

  #marked(carrier: ByteString, found: readonly ByteString[]): number | undefined {
    if (!found.includes(this.#marks.number)) return undefined
    const number = Number(this.#text(carrier, this.#marks.number))
    const isOne = Number.isSafeInteger(number) && number > 0 && number !== firstNewInode && number < firstForeignInode
    return isOne ? number : undefined
  }

  #text(carrier: ByteString, mark: ByteString): ByteString {
    return this.#disk.xattr(carrier, mark)?.toString('latin1') ?? ''
  }
}

function isPlain(kind: Kind): boolean {
  return kind === 'file' || kind === 'directory'
}
