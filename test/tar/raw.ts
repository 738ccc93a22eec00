/**
 * Archives put together by hand, field by field, independent of the encoder under test: what a test needs is often
 * what no good writer makes. Texts are byte strings.
 */
export interface RawHeader {
  readonly name?: string
  /** The type flag; NUL is `\0`. */
  readonly type?: string
  readonly mode?: string | number
  readonly uid?: string | number
  readonly gid?: string | number
  readonly size?: string | number
  readonly mtime?: string | number
  readonly linkName?: string
  /** Magic and version, 8 bytes; empty for v7. */
  readonly magic?: string
  /** Names of owner and group. */
  readonly userName?: string
  readonly groupName?: string
  readonly major?: string | number
  readonly minor?: string | number
  readonly prefix?: string
  /** Bytes from 345 on, in place of a prefix. */
  readonly tail?: string
  /** A checksum other than the right one. */
  readonly checksum?: number | 'signed'
}

export const posix = 'ustar\x0000'
export const gnu = 'ustar  \0'

/** One header block. Numbers are written in octal; texts as they are. */
export function header(fields: RawHeader = {}): Buffer {
  const block = Buffer.alloc(512)
  const put = (at: number, size: number, value: string | number | undefined, otherwise: string | number) => {
    const chosen = value ?? otherwise
    const text = typeof chosen === 'string' ? chosen : `${chosen.toString(8).padStart(size - 1, '0')}\0`
    block.write(text.slice(0, size), at, 'latin1')
  }
  put(0, 100, fields.name, 'file')
  put(100, 8, fields.mode, 0o644)
  put(108, 8, fields.uid, 0)
  put(116, 8, fields.gid, 0)
  put(124, 12, fields.size, 0)
  put(136, 12, fields.mtime, 0)
  put(156, 1, fields.type, '0')
  put(157, 100, fields.linkName, '')
  put(257, 8, fields.magic, posix)
  if (fields.magic !== '') {
    put(265, 32, fields.userName, '')
    put(297, 32, fields.groupName, '')
    put(329, 8, fields.major, 0)
    put(337, 8, fields.minor, 0)
  }
  put(345, 155, fields.prefix, '')
  if (fields.tail !== undefined) put(345, 167, fields.tail, '')
  block.write('        ', 148, 'latin1')
  let sum = 0
  for (const byte of block) sum += fields.checksum === 'signed' && byte > 127 ? byte - 256 : byte
  if (typeof fields.checksum === 'number') sum = fields.checksum
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** Bytes with the padding that follows them. */
export function content(bytes: string | Uint8Array): Buffer {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes)
  return Buffer.concat([buffer, Buffer.alloc((512 - (buffer.length % 512)) % 512)])
}

/** A member with its content; the size is that of the content unless the header says otherwise. */
export function member(fields: RawHeader, bytes: string | Uint8Array = ''): Buffer {
  const size = typeof bytes === 'string' ? bytes.length : bytes.length
  return Buffer.concat([header({ size, ...fields }), content(bytes)])
}

/** One record of an extended header. */
export function record(key: string, value: string): string {
  const rest = key.length + value.length + 3
  let length = rest + 1
  while (rest + String(length).length !== length) length = rest + String(length).length
  return `${length} ${key}=${value}\n`
}

/** An extended header for the next member: records as pairs, or a text as it is. */
export function pax(records: Readonly<Record<string, string>> | string, type: 'x' | 'g' = 'x'): Buffer {
  const text =
    typeof records === 'string'
      ? records
      : Object.entries(records)
          .map(([key, value]) => record(key, value))
          .join('')
  return member({ name: 'PaxHeaders/x', type }, text)
}

/** A GNU long name or link text for the next member. */
export function long(type: 'L' | 'K', text: string): Buffer {
  return member({ name: '././@LongLink', type, magic: gnu }, `${text}\0`)
}

export const zeroBlock = Buffer.alloc(512)

/** An archive with its end marker. */
export function archive(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...parts, zeroBlock, zeroBlock])
}

/** A base-256 field of this many bytes. */
export function base256(value: bigint, size: number): string {
  let rest = BigInt.asUintN(size * 8, value)
  const bytes = Buffer.alloc(size)
  for (let i = size - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  // The top bit is the mark, the next one the sign.
  bytes[0]! |= 0x80
  return bytes.toString('latin1')
}
