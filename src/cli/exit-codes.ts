import type { ErrorCode } from '../index.ts'

/** What each exit code means: the table in docs/cli.md. */
export const exitMeanings = {
  0: 'done',
  1: 'the answer is no: `diff` found a difference, `fsck` something that is not as it should be, and no damage',
  2: 'wrong usage: an argument, a flag, a reference or a key that cannot be read',
  3: 'not found, or not ours to see: an image, a container, a platform, a blob, a file',
  4: 'integrity: bytes that do not hash to their name, an image that nobody vouches for who has to, a truncated archive, a malformed layer or document; damage that `fsck` leaves',
  5: 'not supported, or not on this machine',
  6: 'in the way: the name is taken, the target exists, somebody else is writing',
  7: 'not permitted, or read-only',
  8: 'out of something: disk space, descriptors, memory, a budget',
  9: 'any other answer of a file system',
  10: 'the network, or a registry that cannot be reached, is not trusted, or answers what makes no sense',
  70: 'an error of ply itself; PLY_LOG=debug shows where',
  125: 'with a command after `--`, and of `ply run`: it was not run, or not to its end, and the error is one of ply',
  126: 'with a command after `--`, and of `ply run`: it cannot be started',
  127: 'with a command after `--`, and of `ply run`: there is no such program',
  129: 'stopped by SIGHUP; nothing half done stays behind',
  130: 'stopped by SIGINT; nothing half done stays behind',
  143: 'stopped by SIGTERM; nothing half done stays behind',
} as const

/** What ply says of itself where every other code would be taken for that of the command it runs. */
export const ownFailure = 125 satisfies ExitCode

export type ExitCode = keyof typeof exitMeanings

/** The exit code of every error code, in one place. */
export const exitCodes = {
  PLY_USAGE: 2,
  PLY_BUILD_FAILED: 1,
  PLY_BAD_DOCKERFILE: 2,
  PLY_BAD_KEY: 2,
  PLY_BAD_REFERENCE: 2,
  PLY_AMBIGUOUS: 2,
  PLY_UNKNOWN_TRANSPORT: 2,

  PLY_BLOB_NOT_FOUND: 3,
  PLY_CONTAINER_NOT_FOUND: 3,
  PLY_IMAGE_NOT_FOUND: 3,
  PLY_MOUNT_NOT_FOUND: 3,
  PLY_MOUNT_TARGET: 3,
  PLY_PLATFORM_NOT_FOUND: 3,
  PLY_SNAPSHOT_NOT_FOUND: 3,
  PLY_UNAUTHORIZED: 3,
  ENODATA: 3,
  ENOENT: 3,
  ENOTDIR: 3,

  PLY_BAD_ARCHIVE: 4,
  PLY_BAD_COMPRESSION: 4,
  PLY_BAD_DOCUMENT: 4,
  PLY_BAD_INDEX: 4,
  PLY_BAD_LAYER: 4,
  PLY_DAMAGED: 4,
  PLY_DIGEST_MISMATCH: 4,
  PLY_SIZE_MISMATCH: 4,
  PLY_UNSIGNED: 4,

  PLY_NO_NATIVE: 5,
  PLY_NO_ZSTD_ENCODER: 5,
  PLY_STORE_FORMAT: 5,
  PLY_UNREPRESENTABLE: 5,
  PLY_UNSUPPORTED: 5,
  ENOTSUP: 5,
  ENOSYS: 5,
  EOPNOTSUPP: 5,

  PLY_CHANGED: 6,
  PLY_CONTAINER_BUSY: 6,
  PLY_CONTAINER_EXISTS: 6,
  PLY_EXISTS: 6,
  PLY_MOUNT_BUSY: 6,
  PLY_MOUNT_EXISTS: 6,
  PLY_SNAPSHOT_EXISTS: 6,
  PLY_STORE_BUSY: 6,
  EAGAIN: 6,
  EBUSY: 6,
  EDEADLK: 6,
  EEXIST: 6,
  ENOTEMPTY: 6,
  ETXTBSY: 6,

  PLY_CREDENTIALS: 7,
  PLY_REFUSED: 7,
  PLY_STORE_OWNER: 7,
  PLY_STORE_READ_ONLY: 7,
  EACCES: 7,
  EPERM: 7,
  EROFS: 7,
  EKEYREJECTED: 7,
  ENOKEY: 7,

  PLY_BUDGET: 8,
  PLY_RATE_LIMITED: 8,
  PLY_TOO_LARGE: 8,
  E2BIG: 8,
  EDQUOT: 8,
  EFBIG: 8,
  EMFILE: 8,
  EMLINK: 8,
  ENOMEM: 8,
  ENOSPC: 8,

  PLY_SERVER_ENDED: 9,
  EBADF: 9,
  EBADMSG: 9,
  EINTR: 9,
  EINVAL: 9,
  EIO: 9,
  EISDIR: 9,
  ELOOP: 9,
  EMEDIUMTYPE: 9,
  ENAMETOOLONG: 9,
  ENODEV: 9,
  ENOLCK: 9,
  ENOLINK: 9,
  ENOMEDIUM: 9,
  ENOTBLK: 9,
  ENOTTY: 9,
  ENXIO: 9,
  EOVERFLOW: 9,
  ERANGE: 9,
  EREMOTEIO: 9,
  ESTALE: 9,
  EUCLEAN: 9,
  EXDEV: 9,

  PLY_REGISTRY: 10,
  PLY_TLS: 10,
  PLY_UNREACHABLE: 10,

  PLY_ABORTED: 130,
} as const satisfies Readonly<Record<ErrorCode, ExitCode>>

/** The exit code for the code of a thrown value; 70 for none, and 9 for a system's code that has no place of its own. */
export function exitCodeOf(code: string | undefined): ExitCode {
  if (code === undefined) return 70
  const known = (exitCodes as Readonly<Record<string, ExitCode>>)[code]
  if (known !== undefined) return known
  return /^E[A-Z0-9]+$/.test(code) ? 9 : 70
}
