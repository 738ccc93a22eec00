import { type ByteString, compareBytes, displayText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { blockSize, checksumOf, fields, padded, sumOf } from './header.ts'
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
  const { type, name, linkName, size, mtime, uid, gid } = member
  refuseNul(name, name)
  refuseNul(linkName, name)
  const records: [key: ByteString, value: ByteString][] = []
  const split = splitName(name)
  if (split === undefined) records.push(['path', name])
  const linkFits = linkName.length <= 100 && isAscii(linkName)
  if (!linkFits) records.push(['linkpath', linkName])
  if (size > octal11) records.push(['size', String(size)])
  if (uid > octal7) records.push(['uid', String(uid)])
  if (gid > octal7) records.push(['gid', String(gid)])
  const seconds = mtime / 1_000_000_000n
  const timeFits = mtime >= 0n && seconds <= octal11 && seconds * 1_000_000_000n === mtime
  if (!timeFits) records.push(['mtime', formatTime(mtime)])
  for (const [key, value] of member.xattrs) records.push([xattrKey(key, value, name), latin1(value)])

  const extended = records.length > 0 ? encodeRecords(records) : undefined
  const start = extended === undefined ? 0 : blockSize + padded(extended.length)
  const blocks = Buffer.alloc(start + blockSize)
  if (extended !== undefined) {
    writeBlock(blocks, 0, {
      type: 'x',
      name: extendedName(name),
      prefix: '',
      linkName: '',
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: extended.length,
      seconds: 0,
      device: undefined,
    })
    blocks.set(extended, blockSize)
  }
  writeBlock(blocks, start, {
    type,
    name: split?.name ?? ascii(name).slice(0, 100),
    prefix: split?.prefix ?? '',
    linkName: linkFits ? linkName : ascii(linkName).slice(0, 100),
    mode: member.mode & 0o7777,
    uid: uid > octal7 ? 0 : uid,
    gid: gid > octal7 ? 0 : gid,
    size: size > octal11 ? 0 : size,
    seconds: mtime < 0n || seconds > octal11 ? 0 : Number(seconds),
    device: type === '3' || type === '4' ? [member.major, member.minor] : undefined,
  })
  return blocks
}

/** The zero bytes that follow content of this size, up to the next block. */
export function paddingOf(size: number): number {
  return padded(size) - size
}

interface Block {
  readonly type: string
  readonly name: ByteString
  readonly prefix: ByteString
  readonly linkName: ByteString
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly seconds: number
  readonly device: readonly [major: number, minor: number] | undefined
}

function writeBlock(into: Buffer, at: number, block: Block): void {
  into.write(block.name, at, 'latin1')
  writeOctal(into, at, fields.mode, block.mode)
  writeOctal(into, at, fields.uid, block.uid)
  writeOctal(into, at, fields.gid, block.gid)
  writeOctal(into, at, fields.size, block.size)
  writeOctal(into, at, fields.mtime, block.seconds)
  into.write(block.type, at + fields.type.at, 'latin1')
  into.write(block.linkName, at + fields.linkName.at, 'latin1')
  into.write('ustar\x0000', at + fields.magic.at, 'latin1')
  if (block.device !== undefined) {
    writeOctal(into, at, fields.major, block.device[0])
    writeOctal(into, at, fields.minor, block.device[1])
  }
  into.write(block.prefix, at + fields.prefix.at, 'latin1')
  const checksum = checksumOf(into, at, sumOf(into, at))
  into.write(`${checksum.toString(8).padStart(6, '0')}\0 `, at + fields.checksum.at, 'latin1')
}

function writeOctal(into: Buffer, at: number, field: { at: number; size: number }, value: number): void {
  let rest = value
  for (let i = at + field.at + field.size - 2; i >= at + field.at; i--) {
    into[i] = 0x30 + (rest % 8)
    rest = Math.floor(rest / 8)
  }
}

/** Name and prefix as ustar can hold them; `undefined` if it cannot. */
function splitName(name: ByteString): { readonly name: ByteString; readonly prefix: ByteString } | undefined {
  if (!isAscii(name)) return undefined
  if (name.length <= 100) return { name, prefix: '' }
  if (name.length > 256) return undefined
  // The last slash that leaves a prefix of at most 155 bytes; a trailing one separates nothing.
  const slash = name.lastIndexOf('/', Math.min(155, name.length - 2))
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined
  return { name: name.slice(slash + 1), prefix: name.slice(0, slash) }
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

function isAscii(text: ByteString): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
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
