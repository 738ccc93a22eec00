import type { ByteString } from '../model/bytes.ts'

/** Bytes of a block: everything in an archive is a whole number of them. */
export const blockSize = 512

/** The size with the padding that follows it in an archive. */
export function padded(size: number): number {
  const rest = size % blockSize
  return rest === 0 ? size : size + blockSize - rest
}

/** Byte positions of the fields in a header block, as POSIX ustar lays them out. */
export const fields = {
  name: { at: 0, size: 100 },
  mode: { at: 100, size: 8 },
  uid: { at: 108, size: 8 },
  gid: { at: 116, size: 8 },
  size: { at: 124, size: 12 },
  mtime: { at: 136, size: 12 },
  checksum: { at: 148, size: 8 },
  type: { at: 156, size: 1 },
  linkName: { at: 157, size: 100 },
  magic: { at: 257, size: 8 },
  major: { at: 329, size: 8 },
  minor: { at: 337, size: 8 },
  prefix: { at: 345, size: 155 },
} as const

/**
 * Who laid out the block (layer-semantics F-04). `v7` has neither device numbers nor a prefix; `gnu` keeps other
 * things where ustar has its prefix; `star` has a shorter prefix.
 */
export type Layout = 'v7' | 'ustar' | 'gnu' | 'star'

export function layoutOf(buffer: Uint8Array, at: number): Layout {
  const magic = at + fields.magic.at
  // "ustar" and then NUL (POSIX) or space (GNU).
  if (
    buffer[magic] !== 0x75 ||
    buffer[magic + 1] !== 0x73 ||
    buffer[magic + 2] !== 0x74 ||
    buffer[magic + 3] !== 0x61 ||
    buffer[magic + 4] !== 0x72
  ) {
    return 'v7'
  }
  if (buffer[magic + 5] === 0x20) return 'gnu'
  if (buffer[magic + 5] !== 0) return 'v7'
  const trailer = at + 508
  const star =
    buffer[trailer] === 0x74 &&
    buffer[trailer + 1] === 0x61 &&
    buffer[trailer + 2] === 0x72 &&
    buffer[trailer + 3] === 0
  return star ? 'star' : 'ustar'
}

/** How many bytes of a block, outside its checksum field, have their top bit set: each counts 256 less when signed. */
export function highBytes(buffer: Uint8Array, at: number): number {
  const start = at + fields.checksum.at
  let count = 0
  for (let i = at; i < at + blockSize; i++) if (buffer[i]! > 127 && (i < start || i >= start + 8)) count++
  return count
}

/** The text of a field: up to its first NUL, or all of it (layer-semantics N-06, F-05). */
export function textOf(buffer: Buffer, start: number, size: number): ByteString {
  const limit = start + size
  let end = start
  while (end < limit && buffer[end] !== 0) end++
  return end === start ? '' : buffer.toString('latin1', start, end)
}

/** The name that the header has, without what an extended header says. */
export function headerName(buffer: Buffer, at: number, layout: Layout): ByteString {
  const name = textOf(buffer, at, 100)
  if (layout === 'v7' || layout === 'gnu' || buffer[at + fields.prefix.at] === 0) return name
  return `${textOf(buffer, at + fields.prefix.at, layout === 'star' ? 131 : fields.prefix.size)}/${name}`
}
