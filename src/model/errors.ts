import { nameOfErrno } from './errno.ts'

/** Every code that plyfs throws, with the sentence that goes with it. `{name}` is filled from the details. */
const table = {
  PLY_ABORTED: 'stopped on request',
  PLY_AMBIGUOUS: '{where} holds several images; name one of: {available}',
  PLY_BAD_ARCHIVE: 'not an image archive: {reason}',
  PLY_BAD_DOCKERFILE: '{file}:{line}: {reason}',
  PLY_BAD_INDEX: 'the index of {what} is damaged: {reason}; it is a cache: open it again and it is built anew',
  PLY_BAD_LAYER: 'layer entry {entry}: {reason} ({rule})',
  PLY_BAD_DOCUMENT: '{what} is not valid: {reason}',
  PLY_BAD_KEY: '{what} is not a key that can be used: {reason}',
  PLY_BAD_REFERENCE: 'not a reference: {text}: {reason}',
  PLY_BAD_COMPRESSION: 'the compressed bytes are damaged: {reason}',
  PLY_BLOB_NOT_FOUND: 'no blob {digest} in {where}',
  PLY_BUDGET: 'layer entry {entry}: {what} exceeds the budget of {limit}; raise it with {option}',
  PLY_BUILD_FAILED: '{file}:{line}: {step}: {how}{output}',
  PLY_CHANGED: '{path} changed while it was being read; stop what writes to it and try again',
  PLY_CONTAINER_BUSY: 'container {name} is {state}; {advice}',
  PLY_CONTAINER_EXISTS:
    'there is already a container named {name}; choose another name or remove it with: ply rm {name}',
  PLY_CONTAINER_NOT_FOUND: 'no container named {name}; list them with: ply ps',
  PLY_CREDENTIALS: 'no credentials for {registry}: {reason}',
  PLY_DAMAGED: '{what} is damaged: page {page} does not match its checksum; {advice}',
  PLY_DIGEST_MISMATCH: '{what}: expected {expected} but the bytes hash to {actual}',
  PLY_EXISTS: '{path} exists already and is not empty; name another directory, or empty it first',
  PLY_IMAGE_NOT_FOUND: 'no image named {name} in {where}; list them with: ply images',
  PLY_MOUNT_BUSY: '{target} is in use by {who}; {advice}',
  PLY_MOUNT_EXISTS: '{target} is a mount of ply already; unmount it first: ply umount {target}',
  PLY_MOUNT_NOT_FOUND: 'nothing of this store is mounted as {name}; see what is with: ply ps',
  PLY_MOUNT_TARGET: 'nothing can be mounted on {target}: {reason}',
  PLY_NO_NATIVE: 'this platform lacks the system calls that {what} needs ({reason})',
  PLY_NO_ZSTD_ENCODER: 'there is no zstd encoder here; use gzip, or Node 22.15 or later, or install libzstd',
  PLY_PLATFORM_NOT_FOUND: '{name} has no image for {platform}; it has: {available}',
  PLY_RATE_LIMITED:
    '{registry} takes no more requests for now ({reason}); try again later, or log in with: ply login {registry}',
  PLY_REFUSED: '{registry} does not allow it: {reason}; log in as somebody who may with: ply login {registry}',
  PLY_REGISTRY: '{registry}: {reason}',
  PLY_SERVER_ENDED:
    'the process that serves the mount has ended ({how}); what was synced is in the container: mount it again',
  PLY_SIZE_MISMATCH: '{what}: expected {expected} bytes but there are {actual}',
  PLY_SNAPSHOT_EXISTS: 'container {name} has a snapshot {snapshot} already; choose another name',
  PLY_SNAPSHOT_NOT_FOUND: 'container {name} has no snapshot {snapshot}; it has: {available}',
  PLY_STORE_BUSY: 'another process holds the lock on {root}',
  PLY_STORE_FORMAT: 'the store at {root} has format {found}; this version reads {supported}: {reason}',
  PLY_STORE_OWNER:
    'the store at {root} belongs to user {owner}, and this is user {user}: what is in it may be made to harm you; choose another with --root, or trust it with {option}',
  PLY_STORE_READ_ONLY: 'the store at {root} is open for reading only',
  PLY_TLS:
    'no trust in {registry}: {reason}; name the certificate of its authority with --cert-dir, or do without with --tls-verify=false',
  PLY_TOO_LARGE: '{what} is larger than {limit} bytes, which is the most that is read',
  PLY_UNAUTHORIZED: '{registry} asks who this is: {reason}; log in with: ply login {registry}',
  PLY_UNKNOWN_TRANSPORT: 'unknown transport {transport}; known: {known}',
  PLY_UNREACHABLE: '{registry} cannot be reached: {reason}; see whether its name and the network are right',
  PLY_UNREPRESENTABLE: '{path} cannot be written to {where}: {reason}',
  PLY_UNSIGNED: 'no signature vouches for {what}: {reason}',
  PLY_UNSUPPORTED: '{what} is not supported: {reason}',
  PLY_USAGE: '{reason}',
} as const

/** Answers of file systems keep their errno names, so that every face passes them on untouched. */
const errnoTable = {
  E2BIG: 'argument list too long',
  EACCES: 'permission denied',
  EAGAIN: 'resource temporarily unavailable',
  EBADF: 'bad file descriptor',
  EBADMSG: 'what is on the disk does not match its checksum',
  EBUSY: 'resource busy or locked',
  EDEADLK: 'resource deadlock avoided',
  EDQUOT: 'disk quota exceeded',
  EEXIST: 'file already exists',
  EFBIG: 'file too large',
  EINTR: 'interrupted system call',
  EINVAL: 'invalid argument',
  EIO: 'input/output error',
  EISDIR: 'illegal operation on a directory',
  EKEYREJECTED: 'key was rejected by service',
  ELOOP: 'too many symbolic links encountered',
  EMEDIUMTYPE: 'wrong medium type',
  EMFILE: 'too many open files',
  EMLINK: 'too many links',
  ENAMETOOLONG: 'name too long',
  ENODATA: 'no such attribute',
  ENODEV: 'no such device',
  ENOENT: 'no such file or directory',
  ENOKEY: 'required key not available',
  ENOLCK: 'no locks available',
  ENOLINK: 'link has been severed',
  ENOMEDIUM: 'no medium found',
  ENOMEM: 'not enough memory',
  ENOSPC: 'no space left on device',
  ENOSYS: 'function not implemented',
  ENOTBLK: 'block device required',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  ENOTSUP: 'operation not supported',
  ENOTTY: 'inappropriate request for this device',
  ENXIO: 'no such device or address',
  EOPNOTSUPP: 'operation not supported',
  EOVERFLOW: 'value too large for its type',
  EPERM: 'operation not permitted',
  ERANGE: 'result too large',
  EREMOTEIO: 'remote input/output error',
  EROFS: 'read-only file system',
  ESTALE: 'stale file handle',
  ETXTBSY: 'text file is busy',
  EUCLEAN: 'the structure of the file system needs cleaning',
  EXDEV: 'cross-device link not permitted',
} as const

export type ErrnoName = keyof typeof errnoTable
export type PlyCode = keyof typeof table
/** Any code that a `PlyError` may have: those of plyfs, and errno names. */
export type ErrorCode = PlyCode | ErrnoName

/** Every code there is. */
export const errorCodes: readonly ErrorCode[] = [...Object.keys(table), ...Object.keys(errnoTable)] as ErrorCode[]

/** Whether a code is the errno name of a file-system answer. */
export function isErrnoName(code: unknown): code is ErrnoName {
  return typeof code === 'string' && Object.hasOwn(errnoTable, code)
}

/** What the file-system errors carry beside their code, as Node words it. */
export interface SystemDetails {
  readonly syscall?: string
  readonly path?: string
  readonly dest?: string
}

/**
 * The one error class. Match `code`, never text. `details` holds the values in the message;
 * `cause` holds the error underneath, where there was one.
 */
export class PlyError extends Error {
  override readonly name = 'PlyError'
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>
  /** Set on file-system answers only, as Node sets them. */
  readonly syscall?: string
  readonly path?: string
  readonly dest?: string

  constructor(code: ErrorCode, details: Readonly<Record<string, unknown>> = {}, options?: ErrorOptions) {
    super(sentence(code, details), options)
    this.code = code
    this.details = details
    if (code in errnoTable) {
      const { syscall, path, dest } = details as SystemDetails
      if (syscall !== undefined) this.syscall = syscall
      if (path !== undefined) this.path = path
      if (dest !== undefined) this.dest = dest
    }
  }
}

/** Places outside a store say what they hold: `ply images` would not list it. */
const imageNotFoundElsewhere = 'no image named {name} in {where}; it has: {available}'

function sentence(code: ErrorCode, details: Readonly<Record<string, unknown>>): string {
  if (code in errnoTable) {
    const { syscall, path, dest } = details as SystemDetails
    const where = path === undefined ? '' : dest === undefined ? ` '${path}'` : ` '${path}' -> '${dest}'`
    return `${code}: ${errnoTable[code as ErrnoName]}${syscall === undefined ? '' : `, ${syscall}`}${where}`
  }
  const elsewhere = code === 'PLY_IMAGE_NOT_FOUND' && details.available !== undefined
  const text: string = elsewhere ? imageNotFoundElsewhere : table[code as PlyCode]
  return text.replace(/\{(\w+)\}/g, (_, key: string) => String(details[key]))
}

/**
 * The code of any thrown value, plyfs's own or Node's; `undefined` if it has none. Node says `UNKNOWN` of errnos that it has no name for,
 * or `Unknown system error -122`: they are called by theirs (EDQUOT, ESTALE, EUCLEAN …), and `EIO` if nobody has one.
 */
export function codeOf(error: unknown): string | undefined {
  const { code, errno } = (error ?? {}) as { readonly code?: unknown; readonly errno?: unknown }
  if (isNameless(code) && typeof errno === 'number') {
    const name = nameOfErrno(-errno)
    return isErrnoName(name) ? name : 'EIO'
  }
  return typeof code === 'string' ? code : undefined
}

/** Asynchronous calls say the one, synchronous ones the other. */
function isNameless(code: unknown): boolean {
  return code === 'UNKNOWN' || (typeof code === 'string' && code.startsWith('Unknown system error '))
}
