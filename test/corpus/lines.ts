import { createHash } from 'node:crypto'
import type { ByteString } from '../../src/model/bytes.ts'
import type { Attributes, Kind, Xattrs } from '../../src/model/entry.ts'

/**
 * How tables read. A line is a path (directories with a slash at the end, the root `/`), a space, and what is there:
 *
 *     d/ directory 755              mode in octal; then the owner (`5:6`) if it is not 0:0, the time (`@12.5`) if not 0
 *     d/f file 644 5:6 @12 "x"      content in quotes, or as `70000 bytes` and the start of their SHA-256
 *     d/f [user.a] "1"              an extended attribute, on a line of its own
 *     d/g = d/f                     one more name of the file that the walk met first at d/f
 *     l symlink 777 -> target
 *     c character 1:3 644           block, fifo the same
 *     e/ implied                    a directory that no entry describes, with default attributes
 *     o/ opaque directory 755       or `opaque implied`
 *     w whiteout
 *     q/ ghost                      a directory that only leads to whiteouts
 *     b = below e/a                 a hardlink to what stands at e/a below
 *
 * The root is left out where no entry describes it and nothing marks it. Bytes other than printable ASCII, blanks, quotes
 * and backslashes are written `\xNN`.
 */
export interface Told extends Attributes {
  /** Byte string; directories with a slash at the end. */
  readonly path: ByteString
  readonly kind: Kind
  readonly major: number
  readonly minor: number
  /** What stands before the kind. */
  readonly flags?: string
  readonly target?: ByteString
  readonly content?: Uint8Array
  readonly xattrs: Xattrs
}

export function linesOf({ path, kind, flags = '', mode, uid, gid, mtime, major, minor, ...rest }: Told): string[] {
  const words = [shown(path), `${flags}${kind}`]
  if (kind === 'character' || kind === 'block') words.push(`${major}:${minor}`)
  words.push(mode.toString(8))
  if (uid !== 0 || gid !== 0) words.push(`${uid}:${gid}`)
  if (mtime !== 0n) words.push(`@${seconds(mtime)}`)
  if (rest.target !== undefined) words.push(`-> ${shown(rest.target)}`)
  if (rest.content !== undefined) words.push(told(rest.content))
  const xattrs = [...rest.xattrs].sort(([a], [b]) => (a < b ? -1 : 1))
  return [words.join(' '), ...xattrs.map(([name, value]) => `${shown(path)} [${shown(name)}] ${told(value)}`)]
}

/** Bytes as they stand in a table. */
export function told(content: Uint8Array | ByteString): string {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : Buffer.from(content)
  if (bytes.length <= 100) return `"${shown(bytes.toString('latin1'), false)}"`
  return `${bytes.length} bytes ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`
}

export function shown(text: ByteString, blanks = true): string {
  return text.replace(blanks ? /[^\x21-\x7e]|["\\]/g : /[^\x20-\x7e]|["\\]/g, (byte) => {
    return `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}

function seconds(mtime: bigint): string {
  const size = mtime < 0n ? -mtime : mtime
  const fraction = String(size % 1_000_000_000n).padStart(9, '0')
  return `${mtime < 0n ? '-' : ''}${size / 1_000_000_000n}${`.${fraction}`.replace(/\.?0+$/, '')}`
}
