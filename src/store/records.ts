import { createHash, randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Disk } from '../sys/disk.ts'
import { withPath } from '../sys/system-error.ts'
import { entriesIn } from './walk.ts'

/** How files begin that are no records: no escaped name begins so. */
export const reserved = '%.'

/**
 * Writes a small file whole: temporary name in `tmp`, sync, rename, sync of the directory. A reader, or a machine that
 * loses power, sees the old content or the new.
 *
 * The temporary name is random: process ids are the same again and again where each container has its own.
 */
export function writeFileAtomically(
  { disk, tmp }: { readonly disk: Disk; readonly tmp: string },
  path: string,
  content: string | Uint8Array,
): void {
  const { fs } = disk
  const temporary = join(tmp, `record-${randomBytes(8).toString('hex')}`)
  try {
    const fd = fs.openSync(temporary, 'wx', 0o600)
    try {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at)
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    fs.renameSync(temporary, path)
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    throw withPath(error, path)
  }
  disk.syncDirectory(dirname(path))
}

/** The text of a record: JSON, whose last field is the CRC-32 (zlib's) of everything before it. */
export function recordText(record: object): string {
  const body = JSON.stringify(record).slice(0, -1)
  return `${body},"crc32":"${checksum(body)}"}\n`
}

/**
 * A JSON record, without its checksum; one without any is not checked. `undefined` if there is none.
 *
 * @throws PLY_BAD_DOCUMENT if it does not parse, or does not match its checksum
 */
export function readJson<T>(disk: Disk, path: string): T | undefined {
  let text: string
  try {
    text = disk.fs.readFileSync(path, 'utf8') as string
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  let record: T
  try {
    record = JSON.parse(text) as T
  } catch (error) {
    throw new PlyError('PLY_BAD_DOCUMENT', { what: path, reason: 'it is not JSON' }, { cause: error })
  }
  // Only the end is looked at: a list of names is many megabytes long.
  const [last, key, sum] = /,"([^"]{5})":"([^"]{8})"\}\s*$/.exec(text.slice(-256)) ?? []
  if (last === undefined) return record
  const right = sum === checksum(text.slice(0, -last.length)) && last.endsWith('}\n')
  // The right sum under another key: what is damaged is the key.
  if (key === 'crc32' ? !right : right)
    throw new PlyError('PLY_BAD_DOCUMENT', { what: path, reason: 'it does not match its checksum' })
  if (key === 'crc32') delete (record as { crc32?: unknown }).crc32
  return record
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0')
}

/** Names of the records in a directory, sorted; none if there is no directory. */
export function namesIn(disk: Disk, directory: string): string[] {
  return entriesIn(disk, directory)
    .filter((name) => !name.startsWith(reserved))
    .sort()
}

/**
 * A file name for any name: lower-case letters, digits, `-`, `_` and dots that are not first stand, the rest is
 * percent-encoded: capitals too, since some disks fold case. Long ones end in a hash.
 */
export function escapeName(name: string): string {
  const escaped = Buffer.from(name)
    .toString('latin1')
    .replace(/[^a-z0-9._-]|^\./g, (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
  if (escaped.length <= 200) return escaped
  return `${escaped.slice(0, 120)}~${createHash('sha256').update(name).digest('hex')}`
}
