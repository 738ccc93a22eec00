import { randomBytes } from 'node:crypto'
import { type ByteString, decodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { lookupResolved, resolveParent } from '../union/resolve.ts'
import type { AttributeChange } from '../union/upper.ts'
import { User } from '../union/user.ts'
import type { Spot } from './changes.ts'
import { parseMode } from './flags.ts'
import type { Namespace } from './namespace.ts'
import type { OpenFiles } from './open-files.ts'
import { misuse } from './refusal.ts'
import { type EncodingOption, encoded, type Named, type PathLike, pathBytes, pathText } from './texts.ts'
import { nanosecondsOf, type TimeLike } from './times.ts'
import { checkBoolean, checkFd, checkInteger, optionsOf } from './validation.ts'

export interface MkdirOptions {
  readonly recursive?: boolean | undefined
  readonly mode?: number | string | undefined
}

const superuser = new User({ uid: 0, gid: 0 })
/** What libuv is compiled with. */
const symlinkTypes = new Set(['dir', 'file', 'junction'])

/** Calls that make, move and describe names. */
export function changing(namespace: Namespace, files: OpenFiles) {
  function describe(syscall: string, path: PathLike, follow: boolean, change: AttributeChange): void {
    const bytes = pathBytes(path)
    namespace.call(syscall, path, () => {
      const { ino, directory, name } = namespace.at(bytes, follow)
      setAttributes(ino, { directory, name }, change)
    })
  }

  function describeOpen(syscall: string, fd: number, change: AttributeChange): void {
    const { ino, spot } = files.file(checkFd(fd), syscall)
    namespace.call(syscall, undefined, () => setAttributes(ino, spot, change))
  }

  function setAttributes(ino: number, spot: Spot | undefined, change: AttributeChange): void {
    namespace.writable.setAttributes(ino, change)
    namespace.changes.changed(ino, spot)
  }

  /** -1 leaves an owner as it is, as in `chown(2)`; asking for nothing at all still takes set-id bits. */
  function changeOwner(ino: number, spot: Spot | undefined, uid: number, gid: number): void {
    const owner = { ...(isOwner(uid) && { uid }), ...(isOwner(gid) && { gid }) }
    if (isOwner(uid) || isOwner(gid)) {
      setAttributes(ino, spot, owner)
      return
    }
    const stat = namespace.writable.stat(ino)
    const mode = (namespace.user?.user ?? superuser).withoutSetId(stat)
    setAttributes(ino, spot, mode === stat.mode ? {} : { mode })
  }

  function chown(syscall: string, path: PathLike, follow: boolean, uid: number, gid: number): void {
    const bytes = pathBytes(path)
    checkOwners(uid, gid)
    namespace.call(syscall, path, () => {
      const { ino, directory, name } = namespace.at(bytes, follow)
      changeOwner(ino, { directory, name }, uid, gid)
    })
  }

  function makeDirectory(path: ByteString, mode: number): void {
    namespace.make(namespace.free(path, 'directory'), { kind: 'directory', mode })
  }

  /** Makes what is missing on the way, with Node's answers to what stands there; tells the topmost directory that it made. */
  function makeDirectories(path: ByteString, mode: number): string | undefined {
    const stack = [path]
    let first: ByteString | undefined
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      try {
        makeDirectory(next, mode)
        first ??= next
      } catch (error) {
        const code = codeOf(error)
        const above = next.slice(0, Math.max(0, next.lastIndexOf('/')))
        if (code === 'ENOENT' && above !== '') stack.push(next, above)
        else if (code !== 'EEXIST') throw error
        else if (namespace.stat(next, true).kind !== 'directory')
          throw new PlyError(stack.length > 0 ? 'ENOTDIR' : 'EEXIST')
      }
    }
    return first === undefined ? undefined : decodeText(first)
  }

  return {
    mkdirSync(path: PathLike, options?: MkdirOptions | number | string | null): string | undefined {
      const given: MkdirOptions =
        typeof options === 'object' && options !== null ? options : { mode: options ?? undefined }
      const bytes = pathBytes(path)
      const recursive = checkBoolean(given.recursive === undefined ? false : given.recursive, 'options.recursive')
      const mode = parseMode(given.mode, 0o777)
      return namespace.call('mkdir', path, () =>
        recursive ? makeDirectories(bytes, mode) : makeDirectory(bytes, mode),
      ) as string | undefined
    },

    /** A new directory whose name begins with the last component of `prefix`; answers its path. */
    mkdtempSync<Option extends EncodingOption = undefined>(prefix: PathLike, options?: Option): Named<Option> {
      const wanted = optionsOf<{ readonly encoding?: BufferEncoding | 'buffer' }>(options)
      const start = pathBytes(prefix, 'prefix')
      return namespace.call('mkdtemp', `${pathText(prefix)}XXXXXX`, () => {
        for (;;) {
          const path = start + randomBytes(5).toString('base64url').replace(/[-_]/g, 'x').slice(0, 6)
          if (namespace.resolveName(path).ino !== undefined) continue
          makeDirectory(path, 0o700)
          return encoded(path, wanted) as Named<Option>
        }
      })
    },

    symlinkSync(target: PathLike, path: PathLike, type?: string | null): void {
      const text = pathBytes(target, 'target')
      const bytes = pathBytes(path)
      if (typeof type === 'string' && !symlinkTypes.has(type)) {
        const message = `Symlink type must be one of "dir", "file", or "junction". Received "${type}"`
        throw misuse('ERR_FS_INVALID_SYMLINK_TYPE', message, Error)
      }
      const call = () => {
        const spot = namespace.free(bytes, 'other')
        if (text === '') throw new PlyError('ENOENT')
        if (text.length > 4095) throw new PlyError('ENAMETOOLONG')
        namespace.make(spot, { kind: 'symlink', target: text, mode: 0o777 })
      }
      namespace.call('symlink', target, call, path)
    },

    linkSync(existing: PathLike, path: PathLike): void {
      const from = pathBytes(existing, 'existingPath')
      const to = pathBytes(path, 'newPath')
      const call = () => {
        const ino = namespace.find(from, false)
        const spot = namespace.free(to, 'other')
        namespace.writable.link(spot.directory, spot.name, ino)
        namespace.changes.made(spot)
        namespace.changes.changed(ino, undefined)
      }
      namespace.call('link', existing, call, path)
    },

    renameSync(from: PathLike, to: PathLike): void {
      const [old, wanted] = [pathBytes(from, 'oldPath'), pathBytes(to, 'newPath')]
      const call = () => {
        const source = resolveParent(namespace.tree, old)
        const target = resolveParent(namespace.tree, wanted)
        if (source.last !== 'name' || target.last !== 'name') throw new PlyError('EBUSY')
        const ino = lookupResolved(namespace.tree, source)
        if (ino === undefined) throw new PlyError('ENOENT')
        const there = lookupResolved(namespace.tree, target)
        if (source.trailingSlash || target.trailingSlash) {
          if (namespace.tree.stat(ino).kind !== 'directory') throw new PlyError('ENOTDIR')
        }
        namespace.writable.rename(source.directory, source.name, target.directory, target.name)
        if (ino !== there) namespace.changes.moved(ino, source, target)
      }
      namespace.call('rename', from, call, to)
    },

    unlinkSync(path: PathLike): void {
      const bytes = pathBytes(path)
      namespace.call('unlink', path, () => {
        const found = namespace.resolveName(bytes)
        const { ino, last, trailingSlash } = found
        if (last !== 'name') throw new PlyError('EISDIR')
        if (ino === undefined) throw new PlyError('ENOENT')
        if (trailingSlash) throw new PlyError(namespace.tree.stat(ino).kind === 'directory' ? 'EISDIR' : 'ENOTDIR')
        namespace.unlink(found, ino)
      })
    },

    chmodSync(path: PathLike, mode: number | string): void {
      pathBytes(path)
      describe('chmod', path, true, { mode: parseMode(mode) })
    },
    fchmodSync: (fd: number, mode: number | string): void => describeOpen('fchmod', fd, { mode: parseMode(mode) }),

    chownSync: (path: PathLike, uid: number, gid: number): void => chown('chown', path, true, uid, gid),
    lchownSync: (path: PathLike, uid: number, gid: number): void => chown('lchown', path, false, uid, gid),
    fchownSync(fd: number, uid: number, gid: number): void {
      checkOwners(uid, gid)
      const { ino, spot } = files.file(checkFd(fd), 'fchown')
      namespace.call('fchown', undefined, () => changeOwner(ino, spot, uid, gid))
    },

    /** Exact times can be given as bigint nanoseconds. */
    utimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void {
      pathBytes(path)
      describe('utime', path, true, { atime: nanosecondsOf(atime), mtime: nanosecondsOf(mtime) })
    },
    lutimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void {
      pathBytes(path)
      describe('lutime', path, false, { atime: nanosecondsOf(atime), mtime: nanosecondsOf(mtime) })
    },
    futimesSync(fd: number, atime: TimeLike, mtime: TimeLike): void {
      describeOpen('futime', fd, { atime: nanosecondsOf(atime, 'atime'), mtime: nanosecondsOf(mtime, 'mtime') })
    },
  }
}

/** `(uid_t)-1`, however it is written, is nobody. */
function isOwner(id: number): boolean {
  return id !== -1 && id !== 2 ** 32 - 1
}

function checkOwners(uid: number, gid: number): void {
  checkInteger(uid, 'uid', -1, 2 ** 32 - 1)
  checkInteger(gid, 'gid', -1, 2 ** 32 - 1)
}
