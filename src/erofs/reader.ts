import { crc32 } from 'node:zlib'
import { type ByteString, byteString } from '../model/bytes.ts'
import type { Digest } from '../model/digest.ts'
import type { Kind, Stat, Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Segments } from '../stream/sparse-bytes.ts'
import { Directories } from './directories.ts'
import { FactTable } from './fact-table.ts'
import type { Device, Extent, ExternalLink, IndexEntry, InodeFacts } from './format.ts'
import { InodeReader } from './inode-reader.ts'
import type { InodeRow } from './inode-row.ts'
import { roundUp } from './layout.ts'
import type { OverlayData } from './overlay-data.ts'
import { pageSize } from './page-output.ts'
import { Pages } from './pages.ts'
import type { Fail } from './refusal.ts'
import { SegmentTable } from './segment-table.ts'
import {
  blockSize,
  decodeSuperblock,
  deviceSlotSize,
  deviceTableAt,
  indexUuid,
  inodesStart,
  superblockAt,
} from './superblock.ts'
import { decodeFooter, type Footer, footerSize, linkHeaderSize, segmentSize } from './trailer.ts'

export interface IndexOptions {
  /** Whose index it is, for error messages. */
  readonly what?: string
  /** The diffID of the layer or the chainID of the tree that it must be the index of. */
  readonly uuidSeed?: Digest
  /** Pages of 64 KiB that are kept; 256 unless told. */
  readonly cachePages?: number
  /** Called before damage is thrown. */
  readonly onDamage?: () => void
}

/**
 * An index, read where it lies, a page at a time (docs/index-format.md). Inode numbers are its nids, stable as long as
 * the bytes are. Names are byte strings.
 *
 * Everything here throws PLY_BAD_INDEX where the file is damaged: the file is a cache, and whoever opened it can build
 * it again. A number that is no inode counts as damage too, for it can only come from there.
 */
export class Index {
  readonly root: number
  readonly devices: readonly Device[]
  readonly uuid: Uint8Array
  /** How many inodes there are. */
  readonly inodes: number
  /** What would mean something to overlayfs over a kernel mount of this index, though it is data. */
  readonly overlayData: OverlayData
  readonly #bytes: Bytes
  readonly #pages: Pages
  readonly #footer: Footer
  readonly #inodeReader: InodeReader
  readonly #directories: Directories
  readonly #facts: FactTable
  readonly #fail: Fail
  #links: readonly ExternalLink[] | undefined

  /** The index takes the bytes over: closing it closes them. @throws PLY_BAD_INDEX (the bytes stay open then) */
  static open(bytes: Bytes, options: IndexOptions = {}): Index {
    return new Index(bytes, options)
  }

  private constructor(bytes: Bytes, { what = 'a layer', uuidSeed, cachePages = 256, onDamage }: IndexOptions) {
    const fail: Fail = (reason) => {
      onDamage?.()
      throw new PlyError('PLY_BAD_INDEX', { what, reason })
    }
    this.#fail = fail
    this.#bytes = bytes
    const footer = decodeFooter(readAt(bytes, Math.max(0, bytes.size - footerSize), footerSize), bytes.size, fail)
    const sums = readAt(bytes, footer.pages, bytes.size - footerSize - footer.pages)
    if (crc32(sums) !== footer.pageSum) fail('the checksum of its checksums is wrong')
    this.#footer = footer
    this.#pages = new Pages(bytes, footer.pages, numbers(sums), cachePages, fail)
    const count = this.#pages.copy(superblockAt, 128).readUInt16LE(86)
    const head = this.#pages.copy(0, Math.max(deviceTableAt + count * deviceSlotSize, superblockAt + blockSize))
    const { rootNid, inodes, blocks, uuid, slots } = decodeSuperblock(head, fail)
    if (uuidSeed !== undefined && !indexUuid(uuidSeed).equals(uuid)) fail('it is the index of something else')
    const end = blocks * blockSize
    if (end + slots.length * 8 !== footer.facts || inodes !== footer.factCount)
      fail('its image and its trailer do not fit together')
    const sizes = this.#pages.copy(end, slots.length * 8)
    this.devices = slots.map(({ diffId, blocks: length, spill }, number) => {
      const size = sizes.readUInt32LE(number * 8 + 4) * 2 ** 32 + sizes.readUInt32LE(number * 8)
      if (Math.ceil(size / blockSize) !== length) fail(`the sizes of device ${number} disagree`)
      return spill ? { diffId, size, spill } : { diffId, size }
    })
    this.root = rootNid
    this.inodes = inodes
    this.overlayData = footer.overlayData
    this.uuid = uuid
    this.#inodeReader = new InodeReader(this.#pages, inodesStart(count), end, this.devices, fail)
    this.#directories = new Directories(this.#pages, this.#inodeReader, fail)
    this.#facts = new FactTable(this.#pages, footer.facts, footer.factCount, fail)
    if (this.#inodeReader.kind(rootNid) !== 'directory') fail('its root is no directory')
    if (this.#directories.parent(rootNid) !== rootNid) fail('its root is not its own parent')
  }

  /** @throws ENOTDIR if `directory` is none. `.` and `..` are not there. */
  lookup(directory: number, name: ByteString): number | undefined {
    return this.#directories.lookup(directory, name)
  }

  /** In byte order, without `.` and `..`. @throws ENOTDIR */
  list(directory: number): Iterable<IndexEntry> {
    return this.#directories.list(directory)
  }

  /** The directory that holds this one; the root holds itself. @throws ENOTDIR */
  parent(directory: number): number {
    return this.#directories.parent(directory)
  }

  stat(ino: number): Stat {
    return this.#inodeReader.stat(ino)
  }

  kind(ino: number): Kind {
    return this.#inodeReader.kind(ino)
  }

  /** Bytes of a file or symlink; 0 for anything else. */
  size(ino: number): number {
    return this.#inodeReader.size(ino)
  }

  /** @throws EINVAL if it is no symlink. */
  readlink(ino: number): ByteString {
    return this.#inodeReader.readlink(ino)
  }

  /** In byte order of the names. */
  xattrs(ino: number): Xattrs {
    return this.#inodeReader.xattrs(ino)
  }

  /** `undefined` where a file has no bytes in a device: it is empty, or nothing but a hole. @throws EISDIR, EINVAL */
  extent(ino: number): Extent | undefined {
    return this.#inodeReader.extent(ino)
  }

  /** All of an inode that is a number, in place of what `row` held. */
  load(ino: number, row: InodeRow): void {
    this.#inodeReader.load(ino, row)
    this.#facts.load(ino, row)
  }

  facts(ino: number): InodeFacts {
    return this.#facts.facts(ino)
  }

  /** The facts that are yes or no, as `factBits`: nothing is allocated. */
  flags(ino: number): number {
    return this.#facts.flags(ino)
  }

  /** The number of the device that the inode's attributes come from. */
  layer(ino: number): number {
    return this.#facts.layer(ino)
  }

  /** Offset of the entry's header in its tar. */
  header(ino: number): number | undefined {
    const header = this.#facts.header(ino)
    return header < 0 ? undefined : header
  }

  /** Names whose inode is only below, by directory and name. Read at the first call. */
  externalLinks(): readonly ExternalLink[] {
    return (this.#links ??= this.#readLinks())
  }

  /** CRC-32 of each 64 KiB page of device 0; `undefined` if they were not given when the index was written. */
  tarPages(): Uint32Array | undefined {
    const { tarPages, pages } = this.#footer
    if (tarPages === pages) return undefined
    return numbers(this.#pages.copy(tarPages, this.#segmentsAt() - tarPages))
  }

  /**
   * The layer's spill, which is its device 1: what of it is stored in device 0. `undefined` if it has none; a folded tree has
   * spills only as devices.
   */
  spillSegments(): (Segments & { readonly size: number }) | undefined {
    const [tar, spill] = this.devices
    const { tarPages, pages } = this.#footer
    if (tar === undefined || tarPages === pages) return undefined
    const at = this.#segmentsAt()
    const count = (pages - at) / segmentSize
    if (count === 0 && spill === undefined) return undefined
    if (count === 0 || spill?.spill !== true || spill.diffId !== tar.diffId || this.devices.length > 2) {
      return this.#fail('its segments do not fit its devices')
    }
    return new SegmentTable(this.#pages, at, count, { spill: spill.size, tar: tar.size }, this.#fail)
  }

  /** Behind the checksums of the tar. */
  #segmentsAt(): number {
    const { tarPages, pages } = this.#footer
    const at = tarPages + Math.ceil((this.devices[0]?.size ?? 0) / pageSize) * 4
    if (at > pages || (pages - at) % segmentSize !== 0) this.#fail('it has checksums for another tar')
    return at
  }

  /** Safe to call twice. */
  close(): void {
    this.#bytes.close()
  }

  #readLinks(): readonly ExternalLink[] {
    const { links, linkCount, tarPages } = this.#footer
    const found: ExternalLink[] = []
    let at = links
    for (let i = 0; i < linkCount; i++) {
      if (at + linkHeaderSize > tarPages) this.#fail('its links are cut off')
      const directory = this.#pages.u32(at)
      const nameLength = this.#pages.u32(at + 4)
      const length = nameLength + this.#pages.u32(at + 8)
      if (nameLength === 0 || nameLength > 255 || at + linkHeaderSize + length > tarPages)
        this.#fail('its links make no sense')
      const text = byteString(this.#pages.copy(at + linkHeaderSize, length))
      found.push({ directory, name: text.slice(0, nameLength), path: text.slice(nameLength) })
      at += linkHeaderSize + roundUp(length, 4)
    }
    if (at !== tarPages) this.#fail('its links make no sense')
    return found
  }
}

function readAt(bytes: Bytes, at: number, length: number): Buffer {
  const buffer = Buffer.alloc(length)
  return buffer.subarray(0, bytes.read(buffer, at))
}

function numbers(bytes: Buffer): Uint32Array {
  const read = new Uint32Array(bytes.length / 4)
  for (let i = 0; i < read.length; i++) read[i] = bytes.readUInt32LE(i * 4)
  return read
}
