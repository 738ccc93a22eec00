import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Digest } from '../../model/digest.ts'
import type { Descriptor } from '../../model/documents.ts'
import { codeOf } from '../../model/errors.ts'
import type { Disk } from '../../sys/disk.ts'
import type { Layout } from '../layout.ts'
import { escapeName, namesIn, readJson, recordText, reserved } from '../records.ts'
import type { NameRecord } from './name-records.ts'

/** Below this many names their records are read: that costs no more than to know better. */
const worthwhile = 1000

/** Milliseconds in which a file may change twice and look the same. */
const slack = 2000

/** `cache/names.list`. */
interface Stored {
  readonly format: 2
  /** The directory of the records. */
  readonly directory: Stamp
  /** What the clock of the disk said before the directory was read, in milliseconds. */
  readonly taken: number
  readonly descriptors: readonly Descriptor[]
  /** Of each name in the same place: which descriptor it has, and the inode and change time of its record. */
  readonly names: readonly string[]
  readonly of: readonly number[]
  readonly inos: readonly number[]
  readonly ctimes: readonly number[]
}

interface Stamp {
  readonly ino: number
  readonly mtimeMs: number
  readonly ctimeMs: number
}

/**
 * What the records of many names said when they were last read (`cache/names.list`), so that a list of a hundred thousand does not
 * read as many files. It is believed as far as the disk confirms it: all of it where the directory has not changed since, else record
 * by record, by inode and change time; what changed within two seconds before it was made may have changed again unseen, and is
 * read. Deleted, it is made anew. `undefined` where there are so few names that it is not worth it.
 */
export function listedNames(
  { disk, layout, writable }: { readonly disk: Disk; readonly layout: Layout; readonly writable: boolean },
  read: (file: string) => NameRecord | undefined,
): NameRecord[] | undefined {
  if (disk.kind === 'memory') return undefined
  const known = stored(disk, layout)
  const directory = stampOf(disk, layout.names)
  if (known !== undefined && directory !== undefined && confirms(known, directory))
    return known.names.map((name, i) => ({ name, descriptor: known.descriptors[known.of[i]!]! }))

  const taken = writable ? clockOf(disk, layout) : undefined
  const before = stampOf(disk, layout.names)
  const files = namesIn(disk, layout.names)
  if (files.length < worthwhile) return undefined
  const last = new Map(known?.names.map((name, i) => [escapeName(name), i]))
  const records: NameRecord[] = []
  const names: string[] = []
  const of: number[] = []
  const inos: number[] = []
  const ctimes: number[] = []
  const descriptors: Descriptor[] = []
  const places = new Map<string, number>()
  let whole = true
  for (const file of files) {
    const stat = disk.fs.lstatSync(join(layout.names, file), { throwIfNoEntry: false })
    if (stat === undefined) continue
    const { ino, ctimeMs } = stat
    const i = last.get(file)
    const same =
      i !== undefined && known!.inos[i] === ino && known!.ctimes[i] === ctimeMs && ctimeMs < known!.taken - slack
    const record = same ? { name: known!.names[i]!, descriptor: known!.descriptors[known!.of[i]!]! } : read(file)
    if (record === undefined || escapeName(record.name) !== file) {
      if (record !== undefined) records.push(record)
      // One that cannot be read, or is not where its name says, is asked again each time.
      whole = false
      continue
    }
    records.push(record)
    const key = keyOf(record.descriptor)
    let at = places.get(key)
    if (at === undefined) {
      places.set(key, (at = descriptors.length))
      descriptors.push(record.descriptor)
    }
    names.push(record.name)
    of.push(at)
    inos.push(ino)
    ctimes.push(ctimeMs)
  }
  if (whole && taken !== undefined && before !== undefined)
    store(disk, layout, { format: 2, directory: before, taken, descriptors, names, of, inos, ctimes })
  return records
}

/**
 * What is wrong with the list of names: bytes of it have changed, or it would be believed and says something else than the records.
 * `undefined` where nothing is, or there is none. `read` answers `undefined` for a record that cannot be read, which is told elsewhere.
 *
 * @throws what the disk says
 */
export function problemOfList(
  disk: Disk,
  layout: Layout,
  read: (file: string) => NameRecord | undefined,
): string | undefined {
  let known: Stored | null | undefined
  try {
    known = readJson<Stored | null>(disk, layout.nameList)
  } catch (error) {
    if (codeOf(error) !== 'PLY_BAD_DOCUMENT') throw error
    return 'it does not match its checksum'
  }
  if (known?.format !== 2) return undefined
  const directory = stampOf(disk, layout.names)
  const whole = directory !== undefined && confirms(known, directory)
  const records = new Map(namesIn(disk, layout.names).map((file) => [file, read(file)]))
  const listed = new Set<string>()
  for (const [i, name] of known.names.entries()) {
    const file = escapeName(name)
    const ctimeMs = known.ctimes[i]!
    listed.add(file)
    if (whole && !records.has(file)) return `it has the name ${name}, which is gone`
    const record = records.get(file)
    if (record === undefined) continue
    const stat = disk.fs.lstatSync(join(layout.names, file), { throwIfNoEntry: false })
    const believed =
      whole || (stat?.ino === known.inos[i] && stat?.ctimeMs === ctimeMs && ctimeMs < known.taken - slack)
    const descriptor = known.descriptors[known.of[i]!]
    const same = record.name === name && descriptor !== undefined && keyOf(record.descriptor) === keyOf(descriptor)
    if (believed && !same) return `it says something else of ${record.name} than its record`
  }
  const [missing] = whole ? [...records].filter(([file, record]) => record !== undefined && !listed.has(file)) : []
  return missing && `it lacks the name ${missing[1]!.name}`
}

/** Whether a directory is worth a list: as many names as are asked for are looked at, and no more. */
export function hasMoreThan(disk: Disk, directory: string, count: number): boolean {
  const { opendirSync } = disk.fs
  if (disk.kind === 'memory' || opendirSync === undefined) return namesIn(disk, directory).length > count
  const open = opendirSync(directory, { bufferSize: 1024 })
  try {
    for (let seen = 0; ; ) {
      const entry = open.readSync()
      if (entry === null) return false
      if (!entry.name.startsWith(reserved) && ++seen > count) return true
    }
  } finally {
    open.closeSync()
  }
}

function confirms({ directory, taken }: Stored, now: Stamp): boolean {
  return (
    directory.ino === now.ino &&
    directory.mtimeMs === now.mtimeMs &&
    directory.ctimeMs === now.ctimeMs &&
    Math.max(now.mtimeMs, now.ctimeMs) < taken - slack
  )
}

/** Descriptors without anything special are told apart by their digest; two of one digest rarely say different things of it. */
function keyOf(descriptor: Descriptor): Digest | string {
  return Object.keys(descriptor).length === 3
    ? `${descriptor.digest} ${descriptor.mediaType} ${descriptor.size}`
    : JSON.stringify(descriptor)
}

function stored(disk: Disk, layout: Layout): Stored | undefined {
  try {
    const found = readJson<Stored | null>(disk, layout.nameList)
    return found?.format === 2 ? found : undefined
  } catch (error) {
    if (!harmless.includes(codeOf(error) ?? '')) throw error
    return undefined
  }
}

function stampOf(disk: Disk, path: string): Stamp | undefined {
  const stat = disk.fs.statSync(path, { throwIfNoEntry: false })
  return stat && { ino: stat.ino, mtimeMs: stat.mtimeMs, ctimeMs: stat.ctimeMs }
}

const harmless = [
  'PLY_BAD_DOCUMENT',
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOENT',
  'ENOSPC',
  'EDQUOT',
  'EIO',
  'ENOTDIR',
  'EISDIR',
]

/** What time the disk has: another machine's may be ahead of ours. */
function clockOf(disk: Disk, { tmp }: Layout): number | undefined {
  const path = join(tmp, `clock-${randomBytes(8).toString('hex')}`)
  try {
    disk.fs.writeFileSync(path, '', { flag: 'wx', mode: 0o600 })
    const { mtimeMs } = disk.fs.statSync(path)
    disk.fs.rmSync(path, { force: true })
    return mtimeMs
  } catch (error) {
    if (!harmless.includes(codeOf(error) ?? '')) throw error
    return undefined
  }
}

/** Whole or not at all, but not synced: it has a checksum, and is made anew. A disk that does not take it is left alone. */
function store(disk: Disk, { tmp, nameList }: Layout, content: Stored): void {
  const { fs } = disk
  const path = join(tmp, `names-${randomBytes(8).toString('hex')}`)
  try {
    fs.writeFileSync(path, recordText(content), { flag: 'wx', mode: 0o600 })
    fs.renameSync(path, nameList)
  } catch (error) {
    try {
      fs.rmSync(path, { force: true })
    } catch {
      // As little concern as the failure before.
    }
    if (!harmless.includes(codeOf(error) ?? '')) throw error
  }
}
