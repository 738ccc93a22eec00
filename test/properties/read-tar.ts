import { nothing } from './inode.ts'

/** One member of an archive. Name and link text as they are written. */
export interface TarEntry {
  readonly type: string
  readonly name: string
  readonly linkName: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Nanoseconds. */
  readonly mtime: bigint
  readonly major: number
  readonly minor: number
  readonly content: Buffer
  readonly xattrs: Map<string, Buffer>
}

/** A second reader of archives, as plain as can be: ustar, extended headers and GNU long names of well-formed archives. */
export function readTar(tar: Buffer): TarEntry[] {
  const entries: TarEntry[] = []
  let extended = new Map<string, string>()
  let longName: string | undefined
  let longLink: string | undefined
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const header = at
    const field = (from: number, length: number) => {
      const part = tar.toString('latin1', header + from, header + from + length)
      const end = part.indexOf('\0')
      return end < 0 ? part : part.slice(0, end)
    }
    const number = (from: number, length: number) => Number.parseInt(field(from, length).trim() || '0', 8)
    const type = String.fromCharCode(tar[header + 156]!)
    const size = Number(extended.get('size') ?? number(124, 12))
    const content = tar.subarray(header + 512, header + 512 + size)
    at += 512 + Math.ceil(size / 512) * 512
    if (type === 'x') {
      extended = records(content)
      continue
    }
    if (type === 'L' || type === 'K') {
      const long = content.toString('latin1').replace(/\0.*$/s, '')
      if (type === 'L') longName = long
      else longLink = long
      continue
    }
    const posix = tar.toString('latin1', header + 257, header + 263) === 'ustar\0'
    const prefix = posix ? field(345, 155) : ''
    const short = prefix === '' ? field(0, 100) : `${prefix}/${field(0, 100)}`
    const xattrs = new Map<string, Buffer>()
    for (const [key, value] of extended) {
      if (key.startsWith('SCHILY.xattr.')) xattrs.set(key.slice(13), Buffer.from(value, 'latin1'))
    }
    entries.push({
      type: type === '\0' ? '0' : type,
      name: longName ?? extended.get('path') ?? short,
      linkName: longLink ?? extended.get('linkpath') ?? field(157, 100),
      mode: number(100, 8) & 0o7777,
      uid: Number(extended.get('uid') ?? number(108, 8)),
      gid: Number(extended.get('gid') ?? number(116, 8)),
      mtime: timeOf(extended.get('mtime') ?? String(number(136, 12))),
      major: number(329, 8),
      minor: number(337, 8),
      content: type === '0' || type === '\0' ? content : nothing,
      xattrs,
    })
    extended = new Map()
    longName = undefined
    longLink = undefined
  }
  return entries
}

function records(bytes: Buffer): Map<string, string> {
  const found = new Map<string, string>()
  const text = bytes.toString('latin1')
  for (let at = 0; at < text.length; ) {
    const length = Number.parseInt(text.slice(at), 10)
    const record = text.slice(text.indexOf(' ', at) + 1, at + length - 1)
    const equals = record.indexOf('=')
    found.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return found
}

/** A decimal number of seconds, in nanoseconds. */
function timeOf(text: string): bigint {
  const [, sign, whole, fraction = ''] = /^(-?)(\d*)(?:\.(\d*))?$/.exec(text)!
  const size = BigInt(whole || '0') * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9))
  return sign === '-' ? -size : size
}
