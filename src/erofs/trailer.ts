import { crc32 } from 'node:zlib'
import { decodeOverlayData, encodeOverlayData, type OverlayData } from './overlay-data.ts'
import type { Fail } from './refusal.ts'

export const factSize = 16
export const footerSize = 64
export const linkHeaderSize = 12
export const segmentSize = 24

const magic = 'plyfsidx'
/** The version of the format, in every footer and in every record that remembers inode numbers. */
const indexFormat = 1

/** Where the sections of the trailer are; each ends where the next begins. Byte offsets in the file. */
export interface Footer {
  /** Facts begin behind the sizes of the devices (8 bytes each), which begin where the image ends. */
  readonly facts: number
  readonly factCount: number
  readonly links: number
  readonly linkCount: number
  /** The segments of the spill stand behind as many sums as the tar has pages. */
  readonly tarPages: number
  /** Sums of the pages of everything before this offset. */
  readonly pages: number
  readonly overlayData: OverlayData
}

/** The last 64 bytes of an index. `pageSums` is the section before it. */
export function encodeFooter(footer: Footer, pageSums: Buffer): Buffer {
  const bytes = Buffer.alloc(footerSize)
  bytes.write(magic, 0, 'latin1')
  bytes.writeUInt32LE(indexFormat, 8)
  bytes.writeUInt32LE(footer.factCount, 12)
  bytes.writeUInt32LE(footer.linkCount, 16)
  bytes.writeUInt32LE(encodeOverlayData(footer.overlayData), 20)
  bytes.writeBigUInt64LE(BigInt(footer.facts), 24)
  bytes.writeBigUInt64LE(BigInt(footer.links), 32)
  bytes.writeBigUInt64LE(BigInt(footer.tarPages), 40)
  bytes.writeBigUInt64LE(BigInt(footer.pages), 48)
  bytes.writeUInt32LE(crc32(pageSums), 56)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
  return bytes
}

/** The reverse, for a file of `size` bytes. */
export function decodeFooter(bytes: Buffer, size: number, fail: Fail): Footer & { readonly pageSum: number } {
  if (bytes.length !== footerSize || bytes.toString('latin1', 0, 8) !== magic) fail('it has no footer')
  if (crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) fail('the checksum of its footer is wrong')
  const found = bytes.readUInt32LE(8)
  if (found !== indexFormat) fail(`it has version ${found}, and this is ${indexFormat}`)
  const footer = {
    factCount: bytes.readUInt32LE(12),
    linkCount: bytes.readUInt32LE(16),
    overlayData: decodeOverlayData(bytes.readUInt32LE(20)),
    facts: Number(bytes.readBigUInt64LE(24)),
    links: Number(bytes.readBigUInt64LE(32)),
    tarPages: Number(bytes.readBigUInt64LE(40)),
    pages: Number(bytes.readBigUInt64LE(48)),
    pageSum: bytes.readUInt32LE(56),
  }
  const { facts, links, tarPages, pages } = footer
  const inOrder = facts + footer.factCount * factSize === links && links <= tarPages && tarPages <= pages
  const whole = (pages - tarPages) % 4 === 0 && pages + Math.ceil(pages / 65536) * 4 + footerSize === size
  if (!inOrder || !whole) fail('its sections do not fit together')
  return footer
}
