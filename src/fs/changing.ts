import { randomBytes } from 'node:crypto'
import { type ByteString, bytesOf, decodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { AttributeChange } from '../union/upper.ts'
import { User } from '../union/user.ts'
import { parseMode } from './flags.ts'
import type { Namespace } from './namespace.ts'
import type { OpenFiles } from './open-files.ts'
import { type EncodingOption, encoded, type Named, type PathLike, pathBytes, pathText } from './texts.ts'
import { nanosecondsOf, type TimeLike } from './times.ts'

export interface MkdirOptions {
  readonly recursive?: boolean | undefined
  readonly mode?: number | string | undefined
}

/** Calls that make, move and describe names. */
export function changing(namespace: Namespace, files: OpenFiles) {
  function describe(syscall: string, path: PathLike, follow: boolean, change: AttributeChange): void {
    namespace.call(syscall, path, () => namespace.writable.setAttributes(namespace.find(path, follow), change))
  }

  function describeOpen(syscall: string, fd: number, change: AttributeChange): void {
    const ino = files.ino(fd, syscall)
    namespace.call(syscall, undefined, () => namespace.writable.setAttributes(ino, change))
  }

  /** -1 leaves an owner as it is, as in `chown(2)`; asking for nothing at all still takes set-id bits. */
  function changeOwner(ino: number, uid: number, gid: number): void {
    const { writable, user } = namespace
    if (uid !== -1 || gid !== -1) {
      writable.setAttributes(ino, { ...(uid !== -1 && { uid }), ...(gid !== -1 && { gid }) })
      return
    }
    const stat = writable.stat(ino)
    const mode = (user?.user ?? superuser).withoutSetId(stat)
    writable.setAttributes(ino, mode === stat.mode ? {} : { mode })
  }

  function makeDirectory(path: PathLike, mode: number): void {
    const { directory, name } = namespace.free(path, 'directory')
    const attributes = namespace.attributesIn(directory, 'directory', mode)
    namespace.writable.create(directory, name, { kind: 'directory', ...attributes })
  }

  /** Makes what is missing on the way, with Node's answers to what stands there; tells the topmost directory that it made. */
  function makeDirectories(path: PathLike, mode: number): string | undefined {
    const stack = [pathBytes(path)]
    let first: ByteString | undefined
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const bytes = bytesOf(next)
      try {
        makeDirectory(bytes, mode)
        first ??= next
      } catch (error) {
        const code = codeOf(error)
        const above = next.slice(0, Math.max(0, next.lastIndexOf('/')))
        if (code === 'ENOENT' && above !== '') stack.push(next, above)
        else if (code !== 'EEXIST') throw error
        else if (namespace.stat(bytes, true).kind !== 'directory')
          throw new PlyError(stack.length > 0 ? 'ENOTDIR' : 'EEXIST')
      }
    }
    return first === undefined ? undefined : decodeText(first)
  }

  return {
    mkdirSync(path: PathLike, options?: MkdirOptions | number | string | null): string | undefined {
      const { recursive = false, mode } =
        typeof options === 'object' && options !== null ? options : { mode: options ?? undefined }
      const wanted = parseMode(mode, 0o777)
      return namespace.call('mkdir', path, () =>
        recursive ? makeDirectories(path, wanted) : makeDirectory(path, wanted),
      ) as string | undefined
    },

    /** A new directory whose name begins with the last component of `prefix`; answers its path. */
    mkdtempSync<Option extends EncodingOption = undefined>(prefix: PathLike, options?: Option): Named<Option> {
      return namespace.call('mkdtemp', `${pathText(prefix)}XXXXXX`, () => {
        for (;;) {
          const path = pathBytes(prefix) + randomBytes(5).toString('base64url').replace(/[-_]/g, 'x').slice(0, 6)
          const bytes = Buffer.from(path, 'latin1')
          if (namespace.resolveName(bytes).ino !== undefined) continue
          makeDirectory(bytes, 0o700)
          return encoded(path, options as Option)
        }
      })
    },

    symlinkSync(target: PathLike, path: PathLike, _type?: string | null): void {
      const call = () => {
        const { directory, name } = namespace.free(path, 'other')
        const text = pathBytes(target)
        if (text === '') throw new PlyError('ENOENT')
        if (text.length > 4095) throw new PlyError('ENAMETOOLONG')
        const attributes = namespace.attributesIn(directory, 'symlink', 0o777)
        namespace.writable.create(directory, name, { kind: 'symlink', target: text, ...attributes })
      }
      namespace.call('symlink', target, call, path)
    },

    linkSync(existing: PathLike, path: PathLike): void {
      const call = () => {
        const ino = namespace.find(existing, false)
        const { directory, name } = namespace.free(path, 'other')
        namespace.writable.link(directory, name, ino)
      }
      namespace.call('link', existing, call, path)
    },

    renameSync(from: PathLike, to: PathLike): void {
      const call = () => {
        const source = namespace.resolveName(from)
        const target = namespace.resolveName(to)
        if (source.last !== 'name' || target.last !== 'name') throw new PlyError('EBUSY')
        if (source.ino === undefined) throw new PlyError('ENOENT')
        if (source.trailingSlash || target.trailingSlash) {
          if (namespace.tree.stat(source.ino).kind !== 'directory') throw new PlyError('ENOTDIR')
        }
        namespace.writable.rename(source.directory, source.name, target.directory, target.name)
      }
      namespace.call('rename', from, call, to)
    },

    unlinkSync(path: PathLike): void {
      namespace.call('unlink', path, () => {
        const { directory, name, ino, last, trailingSlash } = namespace.resolveName(path)
        if (last !== 'name') throw new PlyError('EISDIR')
        if (ino === undefined) throw new PlyError('ENOENT')
        if (trailingSlash) throw new PlyError(namespace.tree.stat(ino).kind === 'directory' ? 'EISDIR' : 'ENOTDIR')
        namespace.writable.unlink(directory, name)
      })
    },

    chmodSync: (path: PathLike, mode: number | string) => describe('chmod', path, true, { mode: parseMode(mode, 0) }),
    fchmodSync: (fd: number, mode: number | string) => describeOpen('fchmod', fd, { mode: parseMode(mode, 0) }),

    chownSync: (path: PathLike, uid: number, gid: number): void =>
      namespace.call('chown', path, () => changeOwner(namespace.find(path, true), uid, gid)),
    lchownSync: (path: PathLike, uid: number, gid: number): void =>
      namespace.call('lchown', path, () => changeOwner(namespace.find(path, false), uid, gid)),
    fchownSync(fd: number, uid: number, gid: number): void {
      const ino = files.ino(fd, 'fchown')
      namespace.call('fchown', undefined, () => changeOwner(ino, uid, gid))
    },

    /** The access time is checked and not kept. Exact times can be given as bigint nanoseconds. */
    utimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void {
      nanosecondsOf(atime)
      describe('utime', path, true, { mtime: nanosecondsOf(mtime) })
    },
    lutimesSync(path: PathLike, atime: TimeLike, mtime: TimeLike): void {
      nanosecondsOf(atime)
      describe('lutime', path, false, { mtime: nanosecondsOf(mtime) })
    },
    futimesSync(fd: number, atime: TimeLike, mtime: TimeLike): void {
      nanosecondsOf(atime)
      describeOpen('futime', fd, { mtime: nanosecondsOf(mtime) })
    },
  }
}

const superuser = new User({ uid: 0, gid: 0 })
