import { type ByteString, compareBytes, displayText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { blockSize, fields, padded } from './header.ts'
import type { MemberFields } from './member.ts'
import { formatTime } from './numbers.ts'

/** What ends an archive: two blocks of zeros, no further padding (layer-semantics E-14). Do not write into it. */
export const endMarker: Uint8Array = new Uint8Array(2 * blockSize)

const octal7 = 0o7777777
const octal11 = 0o77777777777

/**
 * The header blocks of a member in their one canonical form (layer-semantics E-11): a ustar header when everything
 * fits; before it an extended header with what does not, its records in byte order of their keys. No user or group
 * names, no access or change times. The same fields give the same bytes.
 *
 * @throws PLY_UNREPRESENTABLE for what no archive can say: a NUL in a name, an xattr that is empty or has `=` in its name.
 */
export function encodeHeader(member: MemberFields): Uint8Array {
  const plain = Buffer.allocUnsafe(blockSize)
  const size = writeHeader(plain, 0, member)
  if (size === blockSize) return plain
  const blocks = Buffer.allocUnsafe(size)
  writeHeader(blocks, 0, member)
  return blocks
}

/**
 * Writes what `encodeHeader` answers to `at`, over whatever is there, and answers how many bytes it has. Where there is no
 * room for so many, nothing is written.
 *
 * @throws PLY_UNREPRESENTABLE as `encodeHeader` does.
 */
export function writeHeader(into: Uint8Array, at: number, member: MemberFields): number {
  const { type, name, linkName, size, mtime, uid, gid } = member
  const plain = isPlain(name)
  if (!plain) refuseNul(name, name)
  const records: [key: ByteString, value: ByteString][] = []
  const prefix = plain ? prefixOf(name) : undefined
  if (prefix === undefined) records.push(['path', name])
  let linkFits = true
  if (linkName !== '') {
    refuseNul(linkName, name)
    linkFits = linkName.length <= 100 && isPlain(linkName)
    if (!linkFits) records.push(['linkpath', linkName])
  }
  if (size > octal11) records.push(['size', String(size)])
  if (uid > octal7) records.push(['uid', String(uid)])
  if (gid > octal7) records.push(['gid', String(gid)])
  const seconds = mtime / 1_000_000_000n
  const timeFits = mtime >= 0n && seconds <= octal11 && seconds * 1_000_000_000n === mtime
  if (!timeFits) records.push(['mtime', formatTime(mtime)])
  if (member.xattrs.size > 0) {
    for (const [key, value] of member.xattrs) records.push([xattrKey(key, value, name), latin1(value)])
  }

  const extended = records.length > 0 ? encodeRecords(records) : undefined
  const start = extended === undefined ? 0 : blockSize + padded(extended.length)
  if (start + blockSize > into.length - at) return start + blockSize
  if (extended !== undefined) {
    writeBlock(into, at, {
      type: 'x',
      name: extendedName(name),
      prefix: 0,
      linkName: '',
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: extended.length,
      seconds: 0,
      device: undefined,
    })
    into.set(extended, at + blockSize)
    into.fill(0, at + blockSize + extended.length, at + start)
  }
  writeBlock(into, at + start, {
    type,
    name: prefix === undefined ? ascii(name).slice(0, 100) : name,
    prefix: prefix ?? 0,
    linkName: linkFits ? linkName : ascii(linkName).slice(0, 100),
    mode: member.mode & 0o7777,
    uid: uid > octal7 ? 0 : uid,
    gid: gid > octal7 ? 0 : gid,
    size: size > octal11 ? 0 : size,
    seconds: mtime < 0n || seconds > octal11 ? 0 : Number(seconds),
    device: type === '3' || type === '4' ? [member.major, member.minor] : undefined,
  })
  return start + blockSize
}

/** The zero bytes that follow content of this size, up to the next block. */
export function paddingOf(size: number): number {
  return padded(size) - size
}

interface Block {
  readonly type: string
  readonly name: ByteString
  /** How many bytes of the name stand in the prefix, without the slash after them. */
  readonly prefix: number
  readonly linkName: ByteString
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly seconds: number
  readonly device: readonly [major: number, minor: number] | undefined
}

/** What most of a block is: every number is zero, every text empty. */
const blank = new Uint8Array(blockSize)
for (const { at, size } of [fields.mode, fields.uid, fields.gid, fields.size, fields.mtime]) {
  blank.fill(0x30, at, at + size - 1)
}
blank.set(Buffer.from('ustar\x0000'), fields.magic.at)
/** The sum of it, in which the checksum itself counts as spaces. */
const blankSum = blank.reduce((sum, byte) => sum + byte, fields.checksum.size * 0x20)
blank.set(Buffer.from('000000\0 '), fields.checksum.at)

function writeBlock(into: Uint8Array, at: number, block: Block): void {
  const { type, name, prefix, linkName, device } = block
  into.set(blank, at)
  // The checksum is added up on the way: the greater part of the block is as it was.
  let sum = blankSum + writeText(into, at + fields.type.at, type, 0)
  sum += writeText(into, at + fields.name.at, name, prefix === 0 ? 0 : prefix + 1)
  if (prefix > 0) sum += writeText(into, at + fields.prefix.at, name, 0, prefix)
  if (linkName !== '') sum += writeText(into, at + fields.linkName.at, linkName, 0)
  sum += writeOctal(into, at, fields.mode, block.mode)
  sum += writeOctal(into, at, fields.uid, block.uid)
  sum += writeOctal(into, at, fields.gid, block.gid)
  sum += writeOctal(into, at, fields.size, block.size)
  sum += writeOctal(into, at, fields.mtime, block.seconds)
  if (device !== undefined) {
    for (const [i, field] of [fields.major, fields.minor].entries()) {
      sum += writeText(into, at + field.at, '0000000', 0)
      sum += writeOctal(into, at, field, device[i]!)
    }
  }
  writeOctal(into, at, { at: fields.checksum.at, size: fields.checksum.size - 1 }, sum)
}

/** Writes a part of a text. Answers the sum of its bytes. */
function writeText(into: Uint8Array, at: number, text: ByteString, start: number, end = text.length): number {
  let sum = 0
  for (let i = start; i < end; i++) {
    const byte = text.charCodeAt(i)
    into[at + i - start] = byte
    sum += byte
  }
  return sum
}

/** Writes a number over a zero, a NUL at the end of the field left alone. Answers how much larger that makes the sum. */
function writeOctal(into: Uint8Array, at: number, field: { at: number; size: number }, value: number): number {
  const start = at + field.at
  let sum = 0
  let rest = value
  for (let i = start + field.size - 2; i >= start && rest > 0; i--) {
    const digit = rest % 8
    into[i] = 0x30 + digit
    sum += digit
    rest = (rest - digit) / 8
  }
  return sum
}

/** How many bytes of a name the prefix takes, where ustar has it in two parts; `undefined` if it cannot hold it. */
function prefixOf(name: ByteString): number | undefined {
  if (name.length <= 100) return 0
  if (name.length > 256) return undefined
  // The last slash that leaves a prefix of at most 155 bytes; a trailing one separates nothing.
  const slash = name.lastIndexOf('/', Math.min(155, name.length - 2))
  return slash <= 0 || name.length - slash - 1 > 100 ? undefined : slash
}

/** What a reader without extended headers sees: a name for each record, so that none hides another. */
function extendedName(name: ByteString): ByteString {
  return `PaxHeaders.0/${ascii(name).replace(/\/+$/, '').slice(-87).replaceAll('/', '_')}`
}

function encodeRecords(records: [key: ByteString, value: ByteString][]): Buffer {
  records.sort((a, b) => compareBytes(a[0], b[0]))
  return Buffer.from(records.map(([key, value]) => encodeRecord(key, value)).join(''), 'latin1')
}

function encodeRecord(key: ByteString, value: ByteString): ByteString {
  const rest = key.length + value.length + 3
  let length = rest + String(rest).length
  // Writing down the length may need one more digit, which makes it longer.
  if (rest + String(length).length !== length) length = rest + String(length).length
  return `${length} ${key}=${value}\n`
}

function xattrKey(key: ByteString, value: Uint8Array, name: ByteString): ByteString {
  if (key === '' || value.length === 0 || key.includes('=') || key.includes('\0')) {
    const what = value.length === 0 ? 'an extended attribute without a value' : 'the name of an extended attribute'
    throw unrepresentable(name, `${what}: ${displayText(key)}`)
  }
  return `SCHILY.xattr.${key}`
}

function latin1(value: Uint8Array): ByteString {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')
}

/** Whether a text is ASCII without NULs: what a header can say as it is. */
function isPlain(text: ByteString): boolean {
  return !/[^\x01-\x7f]/.test(text)
}

function ascii(text: ByteString): ByteString {
  return text.replace(/[^\x01-\x7f]/g, '_')
}

function refuseNul(text: ByteString, name: ByteString): void {
  if (text.includes('\0')) throw unrepresentable(name, 'a NUL in a name')
}

function unrepresentable(name: ByteString, reason: string): PlyError {
  return new PlyError('PLY_UNREPRESENTABLE', { path: displayText(name), where: 'an archive', reason })
}
