/** One member of an archive as the fuzzer sees it: where it stands, no matter whether it is valid. */
export interface Span {
  /** Its header block. */
  readonly at: number
  readonly type: string
  /** Bytes after the header, padding not counted. */
  readonly payload: number
  /** Behind its padding. */
  readonly end: number
}

const most = 300

/**
 * The members of an archive, read as leniently as can be: checksums are not looked at, and what is no number is none.
 * Blocks of zeros are not members.
 */
export function spansOf(archive: Buffer): Span[] {
  const spans: Span[] = []
  for (let at = 0; at + 512 <= archive.length && spans.length < most; ) {
    if (isZero(archive, at)) {
      at += 512
      continue
    }
    const type = String.fromCharCode(archive[at + 156]!)
    const takes = !'123456'.includes(type)
    let start = at + 512
    // Old GNU sparse members: blocks with more of the map stand before the content.
    if (type === 'S' && archive[at + 482] === 1) {
      while (start + 512 <= archive.length && archive[start + 504] === 1) start += 512
      start += 512
    }
    const payload = takes ? Math.min(numberAt(archive, at + 124, 12), Math.max(0, archive.length - start)) : 0
    const end = Math.min(archive.length, start + Math.ceil(payload / 512) * 512)
    spans.push({ at, type, payload, end })
    at = end
  }
  return spans
}

function isZero(archive: Buffer, at: number): boolean {
  for (let i = at; i < at + 512; i++) if (archive[i] !== 0) return false
  return true
}

function numberAt(archive: Buffer, at: number, size: number): number {
  if (archive[at]! & 0x80) return archive.readUIntBE(at + size - 6, 6)
  const value = Number.parseInt(archive.toString('latin1', at, at + size).replaceAll('\0', ' '), 8)
  return Number.isNaN(value) || value < 0 ? 0 : value
}

/** Makes the checksum of a header block right. */
export function repairChecksum(archive: Buffer, at: number): void {
  archive.write('        ', at + 148, 'latin1')
  let sum = 0
  for (let i = at; i < at + 512; i++) sum += archive[i]!
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1')
}

/** Makes the checksums of all members right that are still found. */
export function repairChecksums(archive: Buffer): void {
  for (const { at } of spansOf(archive)) repairChecksum(archive, at)
}
