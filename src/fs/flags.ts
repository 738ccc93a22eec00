import * as constants from 'node:constants'
import { misuse } from './refusal.ts'

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
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_TRUNC, O_SYNC, O_DIRECTORY, O_NOFOLLOW } = constants

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

/** The words are Node's; some may be written the other way round (`xw+`, `sr`). @throws ERR_INVALID_ARG_VALUE */
export function parseFlags(flags: string | number): OpenFlags {
  const bits = typeof flags === 'number' ? flags : (words[flags] ?? words[flags.replace(/^([sx])([rwa])/, '$2$1')])
  if (bits === undefined) throw misuse('ERR_INVALID_ARG_VALUE', `The argument 'flags' is invalid. Received '${flags}'`)
  const access = bits & (O_WRONLY | O_RDWR)
  return {
    read: access !== O_WRONLY,
    write: access !== O_RDONLY,
    append: (bits & O_APPEND) !== 0,
    create: (bits & O_CREAT) !== 0,
    exclusive: (bits & O_EXCL) !== 0,
    truncate: (bits & O_TRUNC) !== 0,
    directory: (bits & O_DIRECTORY) !== 0,
    noFollow: (bits & O_NOFOLLOW) !== 0,
  }
}

/** A mode as a number, or in octal digits. @throws ERR_INVALID_ARG_VALUE */
export function parseMode(mode: number | string | undefined, otherwise: number): number {
  if (mode === undefined) return otherwise
  if (typeof mode === 'number') return mode & 0o7777
  if (!/^[0-7]+$/.test(mode)) {
    throw misuse('ERR_INVALID_ARG_VALUE', `The argument 'mode' must be a number or octal digits. Received '${mode}'`)
  }
  return Number.parseInt(mode, 8) & 0o7777
}

/** What `fs.constants` holds. */
export const fsConstants = {
  F_OK: 0,
  X_OK: 1,
  W_OK: 2,
  R_OK: 4,
  COPYFILE_EXCL: 1,
  COPYFILE_FICLONE: 2,
  COPYFILE_FICLONE_FORCE: 4,
  O_RDONLY,
  O_WRONLY,
  O_RDWR,
  O_CREAT,
  O_EXCL,
  O_TRUNC,
  O_APPEND,
  O_SYNC,
  O_DIRECTORY,
  O_NOFOLLOW,
  S_IFMT: constants.S_IFMT,
  S_IFREG: constants.S_IFREG,
  S_IFDIR: constants.S_IFDIR,
  S_IFCHR: constants.S_IFCHR,
  S_IFBLK: constants.S_IFBLK,
  S_IFIFO: constants.S_IFIFO,
  S_IFLNK: constants.S_IFLNK,
  S_IFSOCK: constants.S_IFSOCK,
} as const
