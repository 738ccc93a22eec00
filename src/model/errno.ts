import { constants } from 'node:os'

/**
 * Errnos that Node has no name for, by their number on Linux: it says `UNKNOWN` where a file system answers with one of them. Those that
 * `os.constants` knows are in there, since other systems number them otherwise.
 */
const unnamed: Readonly<Record<string, number | undefined>> = {
  EBADMSG: constants.errno.EBADMSG,
  EDQUOT: constants.errno.EDQUOT,
  ENOLCK: constants.errno.ENOLCK,
  ENOLINK: constants.errno.ENOLINK,
  ESTALE: constants.errno.ESTALE,
  ...(process.platform === 'linux' && {
    ENOTBLK: 15,
    EUCLEAN: 117,
    EREMOTEIO: 121,
    ENOMEDIUM: 123,
    EMEDIUMTYPE: 124,
    ENOKEY: 126,
    EKEYREJECTED: 129,
  }),
}

const names = new Map(Object.entries({ ...constants.errno, ...unnamed }).map(([name, number]) => [number, name]))
// These numbers have another name as well.
for (const name of ['EAGAIN', 'ENOTSUP'] as const) names.set(constants.errno[name], name)

/** The name of an errno (positive), as Node says it where it has one; `undefined` where nobody knows it. */
export function nameOfErrno(errno: number): string | undefined {
  return names.get(errno)
}

/** The number of an errno name on this system; `undefined` for one that it does not have. */
export function errnoNumber(name: string): number | undefined {
  return unnamed[name] ?? (constants.errno as Readonly<Record<string, number | undefined>>)[name]
}
