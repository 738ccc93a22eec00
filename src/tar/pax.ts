import { type ByteString, byteString } from '../model/bytes.ts'
import { noXattrs, type Xattrs } from '../model/entry.ts'
import { badLayer } from './member.ts'

/** What an extended header says, its records read as bytes. What it does not say, or takes back, is `undefined`. */
export interface Extended {
  path: ByteString | undefined
  linkpath: ByteString | undefined
  size: string | undefined
  uid: string | undefined
  gid: string | undefined
  mtime: string | undefined
  schilyXattrs: Map<ByteString, Uint8Array> | undefined
  libarchiveXattrs: Map<ByteString, Uint8Array> | undefined
  sparse: SparseRecords | undefined
  windows: boolean
  /** A key that would have had an effect on an entry: for the warning about global headers. */
  known: ByteString | undefined
}

/** The records `GNU.sparse.*`, as texts: what they mean together is for whoever meets the entry (layer-semantics S-01). */
export interface SparseRecords {
  major: string | undefined
  minor: string | undefined
  name: ByteString | undefined
  size: string | undefined
  realsize: string | undefined
  numblocks: string | undefined
  map: string | undefined
  /** Offset and numbytes, again and again: the one key of which every record counts. */
  pairs: string[] | undefined
  /** They do not come in turns. */
  disordered: boolean
}

const gnuSparse = 'GNU.sparse.'
const schily = 'SCHILY.xattr.'
const libarchive = 'LIBARCHIVE.xattr.'

/**
 * Reads the records of an extended header: `length SPACE key=value NEWLINE`, the length counting all of it
 * (layer-semantics P-01 to P-04, P-06, P-07).
 *
 * @throws PLY_BAD_LAYER P-02, naming `entry`.
 */
export function parseExtended(bytes: Buffer, entry: ByteString): Extended {
  const found: Extended = {
    path: undefined,
    linkpath: undefined,
    size: undefined,
    uid: undefined,
    gid: undefined,
    mtime: undefined,
    schilyXattrs: undefined,
    libarchiveXattrs: undefined,
    sparse: undefined,
    windows: false,
    known: undefined,
  }
  for (let at = 0; at < bytes.length; ) {
    let length = 0
    let cursor = at
    for (; cursor < bytes.length && cursor - at < 10; cursor++) {
      const digit = bytes[cursor]! - 0x30
      if (digit < 0 || digit > 9) break
      length = length * 10 + digit
    }
    const end = at + length
    if (cursor === at || bytes[cursor] !== 0x20 || end > bytes.length || end < cursor + 4 || bytes[end - 1] !== 0x0a) {
      throw badLayer(entry, 'P-02', `malformed extended header record at byte ${at} of it`)
    }
    const equals = bytes.indexOf(0x3d, cursor + 1)
    if (equals <= cursor + 1 || equals >= end - 1) {
      throw badLayer(entry, 'P-02', `extended header record without a key at byte ${at} of it`)
    }
    record(found, bytes.toString('latin1', cursor + 1, equals), bytes, equals + 1, end - 1)
    at = end
  }
  return found
}

function record(found: Extended, key: ByteString, bytes: Buffer, start: number, end: number): void {
  switch (key) {
    case 'path':
    case 'linkpath':
    case 'size':
    case 'uid':
    case 'gid':
    case 'mtime':
      found[key] = start === end ? undefined : bytes.toString('latin1', start, end)
      found.known = key
      return
    case 'atime':
    case 'ctime':
      found.known = key
      return
  }
  if (key.startsWith(schily)) {
    found.schilyXattrs = withXattr(found.schilyXattrs, key.slice(schily.length), bytes, start, end)
    found.known = key
  } else if (key.startsWith(libarchive)) {
    found.libarchiveXattrs = withXattr(found.libarchiveXattrs, key.slice(libarchive.length), bytes, start, end)
    found.known = key
  } else if (key.startsWith(gnuSparse)) {
    sparseRecord((found.sparse ??= noRecords()), key.slice(gnuSparse.length), bytes.toString('latin1', start, end))
    found.known = key
  } else if (key.startsWith('MSWINDOWS.')) {
    found.windows = true
  }
}

function noRecords(): SparseRecords {
  return {
    major: undefined,
    minor: undefined,
    name: undefined,
    size: undefined,
    realsize: undefined,
    numblocks: undefined,
    map: undefined,
    pairs: undefined,
    disordered: false,
  }
}

function sparseRecord(records: SparseRecords, key: ByteString, value: ByteString): void {
  switch (key) {
    case 'major':
    case 'minor':
    case 'name':
    case 'size':
    case 'realsize':
    case 'numblocks':
    case 'map':
      records[key] = value === '' ? undefined : value
      return
    case 'offset':
    case 'numbytes': {
      records.pairs ??= []
      const turn = records.pairs.length % 2 === 0 ? 'offset' : 'numbytes'
      if (key !== turn) records.disordered = true
      records.pairs.push(value)
    }
  }
}

/** Whether the records say anything: an empty value takes back what was said (layer-semantics P-03). */
export function saysSparse(records: SparseRecords | undefined): records is SparseRecords {
  if (records === undefined) return false
  const { pairs, disordered, ...texts } = records
  return pairs !== undefined || Object.values(texts).some((text) => text !== undefined)
}

function withXattr(
  xattrs: Map<ByteString, Uint8Array> | undefined,
  name: ByteString,
  bytes: Buffer,
  start: number,
  end: number,
): Map<ByteString, Uint8Array> {
  const map = xattrs ?? new Map<ByteString, Uint8Array>()
  // An empty value takes the attribute back (P-03). The copy outlives the archive's buffer.
  if (start === end) map.delete(name)
  else map.set(name, new Uint8Array(bytes.subarray(start, end)))
  return map
}

/**
 * The xattrs of both spellings in one map, names and values decoded (layer-semantics X-01).
 *
 * @throws PLY_BAD_LAYER X-01 for a name or value that cannot be decoded, X-02 if the spellings disagree.
 */
export function xattrsOf(extended: Extended, entry: ByteString): Xattrs {
  const { schilyXattrs, libarchiveXattrs } = extended
  if (schilyXattrs === undefined && libarchiveXattrs === undefined) return noXattrs
  const all = new Map<ByteString, Uint8Array>(schilyXattrs)
  for (const name of all.keys()) checkName(name, entry)
  for (const [encoded, text] of libarchiveXattrs ?? []) {
    const name = decodeUrl(encoded)
    checkName(name, entry)
    const value = decodeBase64(byteString(text))
    if (value === undefined) throw badLayer(entry, 'X-01', `the value of LIBARCHIVE.xattr.${encoded} is not base64`)
    const other = all.get(name)
    if (other !== undefined && Buffer.compare(other, value) !== 0) {
      throw badLayer(entry, 'X-02', `two different values for the attribute ${name}`)
    }
    if (value.length > 0) all.set(name, value)
  }
  return all
}

function checkName(name: ByteString, entry: ByteString): void {
  if (name === '' || name.includes('\0')) throw badLayer(entry, 'X-01', 'an attribute without a usable name')
}

function decodeUrl(text: ByteString): ByteString {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}

function decodeBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}\n?$/.test(text)) return undefined
  return new Uint8Array(Buffer.from(text, 'base64'))
}
