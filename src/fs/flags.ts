import * as constants from 'node:constants'
import { checkInt32, checkUint32, wrongValue } from './validation.ts'

/** How a file is opened. */
export interface OpenFlags {
  readonly read: boolean
  readonly write: boolean
  readonly append: boolean
  readonly create: boolean
  readonly exclusive: boolean
  readonly truncate: boolean
  readonly directory: boolean
  readonly noFollow: boolean
  /** A file without a name (`O_TMPFILE`). */
  readonly unnamed: boolean
  /** `O_PATH`: a place and nothing else, which only `fstat` and `close` take. */
  readonly pathOnly: boolean
  /** `O_NOATIME`: nothing is read to a time here, and only owners may ask. */
  readonly noAccessTime: boolean
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_TRUNC, O_SYNC, O_DIRECTORY, O_NOFOLLOW, O_NOATIME } =
  constants
/** `__O_TMPFILE`: with `O_DIRECTORY` it is `O_TMPFILE`, which Node has no name for. */
const tmpfile = 0o20000000
/** `O_PATH`: Node has no name for it either. */
const pathOnly = 0o10000000

const words: Readonly<Record<string, number>> = {
  r: O_RDONLY,
  rs: O_RDONLY | O_SYNC,
  'r+': O_RDWR,
  'rs+': O_RDWR | O_SYNC,
  w: O_TRUNC | O_CREAT | O_WRONLY,
  wx: O_TRUNC | O_CREAT | O_WRONLY | O_EXCL,
  'w+': O_TRUNC | O_CREAT | O_RDWR,
  'wx+': O_TRUNC | O_CREAT | O_RDWR | O_EXCL,
  a: O_APPEND | O_CREAT | O_WRONLY,
  ax: O_APPEND | O_CREAT | O_WRONLY | O_EXCL,
  as: O_APPEND | O_CREAT | O_WRONLY | O_SYNC,
  'a+': O_APPEND | O_CREAT | O_RDWR,
  'ax+': O_APPEND | O_CREAT | O_RDWR | O_EXCL,
  'as+': O_APPEND | O_CREAT | O_RDWR | O_SYNC,
}

/** The words are Node's; some may be written the other way round (`xw+`, `sr`). @throws ERR_INVALID_ARG_VALUE, ERR_OUT_OF_RANGE */
export function parseFlags(flags: string | number | null | undefined, name = 'flags'): number {
  if (flags === null || flags === undefined) return O_RDONLY
  if (typeof flags === 'number') return checkInt32(flags, name)
  const bits = typeof flags === 'string' ? (words[flags] ?? words[flags.replace(/^([sx])([rwa])/, '$2$1')]) : undefined
  return bits ?? wrongValue('flags', flags)
}

/**
 * What the bits ask for; `undefined` for what Linux refuses whatever the path: a directory that is to be made by `open`, an
 * unnamed file that is not for writing. What needs no care in a union (O_SYNC, O_DIRECT, O_NONBLOCK …) is taken and has no effect.
 */
export function openFlags(given: number): OpenFlags | undefined {
  const known = knownFlags.get(given)
  if (known) return known
  const flags = flagsOf(given)
  if (flags && knownFlags.size < mostKnown) knownFlags.set(given, flags)
  return flags
}

/** What was asked for before: programs open in a few ways, and often. */
const knownFlags = new Map<number, OpenFlags>()
const mostKnown = 64

function flagsOf(given: number): OpenFlags | undefined {
  // Linux looks at no other flags then.
  const bits = (given & pathOnly) === 0 ? given : given & (pathOnly | O_DIRECTORY | O_NOFOLLOW)
  const access = bits & (O_WRONLY | O_RDWR)
  const unnamed = (bits & tmpfile) !== 0
  const directory = (bits & O_DIRECTORY) !== 0
  const create = (bits & O_CREAT) !== 0
  if (unnamed ? !directory || create || access === O_RDONLY : directory && create) return undefined
  return {
    read: access !== O_WRONLY && (bits & pathOnly) === 0,
    write: access !== O_RDONLY,
    append: (bits & O_APPEND) !== 0,
    create,
    exclusive: (bits & O_EXCL) !== 0,
    truncate: (bits & O_TRUNC) !== 0,
    directory: directory && !unnamed,
    noFollow: (bits & O_NOFOLLOW) !== 0,
    unnamed,
    pathOnly: (bits & pathOnly) !== 0,
    noAccessTime: (bits & O_NOATIME) !== 0,
  }
}

/** A mode as a number, or in octal digits. @throws ERR_INVALID_ARG_VALUE, ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE */
export function parseMode(mode: number | string | null | undefined, otherwise?: number): number {
  const given = mode ?? otherwise
  if (typeof given !== 'string') return checkUint32(given, 'mode') & 0o7777
  if (!/^[0-7]+$/.test(given)) wrongValue('mode', given, 'must be a 32-bit unsigned integer or an octal string')
  return checkUint32(Number.parseInt(given, 8), 'mode') & 0o7777
}

const names = [
  'UV_FS_SYMLINK_DIR',
  'UV_FS_SYMLINK_JUNCTION',
  'O_RDONLY',
  'O_WRONLY',
  'O_RDWR',
  'UV_DIRENT_UNKNOWN',
  'UV_DIRENT_FILE',
  'UV_DIRENT_DIR',
  'UV_DIRENT_LINK',
  'UV_DIRENT_FIFO',
  'UV_DIRENT_SOCKET',
  'UV_DIRENT_CHAR',
  'UV_DIRENT_BLOCK',
  'S_IFMT',
  'S_IFREG',
  'S_IFDIR',
  'S_IFCHR',
  'S_IFBLK',
  'S_IFIFO',
  'S_IFLNK',
  'S_IFSOCK',
  'O_CREAT',
  'O_EXCL',
  'UV_FS_O_FILEMAP',
  'O_NOCTTY',
  'O_TRUNC',
  'O_APPEND',
  'O_DIRECTORY',
  'O_NOATIME',
  'O_NOFOLLOW',
  'O_SYNC',
  'O_DSYNC',
  'O_DIRECT',
  'O_NONBLOCK',
  'S_IRWXU',
  'S_IRUSR',
  'S_IWUSR',
  'S_IXUSR',
  'S_IRWXG',
  'S_IRGRP',
  'S_IWGRP',
  'S_IXGRP',
  'S_IRWXO',
  'S_IROTH',
  'S_IWOTH',
  'S_IXOTH',
  'F_OK',
  'R_OK',
  'W_OK',
  'X_OK',
  'UV_FS_COPYFILE_EXCL',
  'COPYFILE_EXCL',
  'UV_FS_COPYFILE_FICLONE',
  'COPYFILE_FICLONE',
  'UV_FS_COPYFILE_FICLONE_FORCE',
  'COPYFILE_FICLONE_FORCE',
] as const

/** What `fs.constants` holds, as `node:fs` has it on this platform. */
export const fsConstants = Object.freeze(
  Object.fromEntries(names.map((name) => [name, (constants as Readonly<Record<string, unknown>>)[name]])),
) as Readonly<Record<(typeof names)[number], number>>
