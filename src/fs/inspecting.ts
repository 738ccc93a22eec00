import { posix } from 'node:path'
import { type ByteString, bytesOf, decodeText } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { realPath } from '../union/resolve.ts'
import { Dir } from './dir.ts'
import { fsConstants } from './flags.ts'
import type { Namespace } from './namespace.ts'
import type { OpenFiles } from './open-files.ts'
import { Dirent, StatFs, type StatOptions, type StatsFor, statsOf } from './stats.ts'
import { type EncodingOption, encoded, type Named, type PathLike, pathBytes, pathText } from './texts.ts'
import { checkBoolean, checkFd, checkInteger, checkUint32, optionsOf } from './validation.ts'

export interface ReaddirOptions {
  readonly encoding?: BufferEncoding | 'buffer' | null | undefined
  readonly withFileTypes?: boolean | undefined
  readonly recursive?: boolean | undefined
}

export interface OpendirOptions {
  readonly encoding?: BufferEncoding | 'buffer' | undefined
  readonly bufferSize?: number | undefined
  readonly recursive?: boolean | undefined
}

type ReaddirOption = ReaddirOptions | BufferEncoding | 'buffer' | null | undefined

/** What `readdir` answers with these options. */
export type Listing<Option> = Option extends { readonly withFileTypes: true }
  ? Dirent<Named<Option>>[]
  : Named<Option>[]

interface Listed {
  readonly name: ByteString
  readonly kind: Kind
  /** Path of its directory from the one that is listed, with a slash; `''` for that one. */
  readonly prefix: ByteString
}

/** Calls that change nothing. */
export function inspecting(namespace: Namespace, files: OpenFiles) {
  function stat<Options extends StatOptions | undefined>(path: PathLike, follow: boolean, options: Options) {
    const bytes = pathBytes(path)
    return namespace.call(follow ? 'stat' : 'lstat', path, () => {
      try {
        const { ino } = namespace.resolve(bytes, follow)
        if (ino !== undefined) return statsOf(namespace.tree.stat(ino), options)
        if (options?.throwIfNoEntry !== false) throw new PlyError('ENOENT')
      } catch (error) {
        if (options?.throwIfNoEntry !== false || codeOf(error) !== 'ENOENT') throw error
      }
      return undefined as StatsFor<Options>
    })
  }

  /**
   * Level by level, as Node lists them; a symlink is not followed, so there is an end to it. `call` is what a refusal of the first
   * level is said to be of.
   */
  function* listed(path: PathLike, root: number, recursive: boolean, call = 'scandir'): Generator<Listed> {
    const pending = [{ ino: root, prefix: '' }]
    for (const { ino, prefix } of pending) {
      const at = prefix === '' ? path : `${pathText(path)}/${decodeText(prefix.slice(0, -1))}`
      const syscall = prefix === '' ? call : 'scandir'
      for (const { name, kind, ino: entry } of namespace.call(syscall, at, () => namespace.tree.list(ino))) {
        yield { name, kind, prefix }
        if (recursive && kind === 'directory') pending.push({ ino: entry, prefix: `${prefix}${name}/` })
      }
    }
  }

  function* dirents(
    path: PathLike,
    root: number,
    recursive: boolean,
    options: EncodingOption,
    call?: string,
  ): Generator<Dirent<string | Buffer>> {
    const base = pathText(path)
    for (const { name, kind, prefix } of listed(path, root, recursive, call)) {
      const parent = prefix === '' ? base : posix.join(base, decodeText(prefix.slice(0, -1)))
      yield new Dirent<string | Buffer>(encoded(name, options), parent, kind)
    }
  }

  function directoryAt(path: ByteString): number {
    const ino = namespace.find(path, true)
    if (namespace.tree.stat(ino).kind !== 'directory') throw new PlyError('ENOTDIR')
    return ino
  }

  /** Cuts `..` off by the names, and follows symlinks one by one: Node's own way, which is not that of `native`. */
  function realPathByNames(path: ByteString): ByteString {
    let rest = posix.resolve('/', path)
    for (let end = 0; end < rest.length; ) {
      const next = rest.indexOf('/', end + 1)
      const here = next === -1 ? rest : rest.slice(0, next)
      if (here === '/') break
      const { kind } = namespace.call('lstat', bytesOf(here), () => namespace.stat(here, false))
      if (kind === 'symlink') {
        namespace.call('stat', bytesOf(here), () => namespace.stat(here, true))
        const target = namespace.tree.readlink(namespace.find(here, false))
        rest = posix.resolve(posix.resolve(posix.dirname(here), target), `.${rest.slice(here.length)}`)
        end = 0
      } else end = here.length
    }
    return rest
  }

  const realpathSync = <Option extends EncodingOption = undefined>(path: PathLike, options?: Option): Named<Option> =>
    encoded(realPathByNames(pathBytes(path)), optionsOf<object>(options) as Option)

  const native = <Option extends EncodingOption = undefined>(path: PathLike, options?: Option): Named<Option> => {
    const wanted = optionsOf<object>(options) as Option
    const bytes = pathBytes(path)
    return namespace.call('realpath', path, () => encoded(realPath(namespace.tree, bytes), wanted))
  }

  return {
    statSync: <Options extends StatOptions | undefined = undefined>(path: PathLike, options?: Options) =>
      stat(path, true, options as Options),

    lstatSync: <Options extends StatOptions | undefined = undefined>(path: PathLike, options?: Options) =>
      stat(path, false, options as Options),

    fstatSync: <Options extends StatOptions | undefined = undefined>(fd: number, options?: Options) => {
      const { ino } = files.file(checkFd(fd), 'fstat')
      return namespace.call('fstat', undefined, () => statsOf(namespace.tree.stat(ino), options as Options))
    },

    statfsSync<Options extends { readonly bigint?: boolean } | undefined = undefined>(
      path: PathLike,
      options?: Options,
    ): Options extends { readonly bigint: true } ? StatFs<bigint> : StatFs {
      const bytes = pathBytes(path)
      return namespace.call('statfs', path, () => {
        namespace.find(bytes, true)
        const room = namespace.isReadOnly ? undefined : namespace.writable.room()
        return (options?.bigint ? new StatFs(room, (amount) => amount) : new StatFs(room, Number)) as never
      })
    },

    existsSync(path: PathLike): boolean {
      try {
        return namespace.resolve(pathBytes(path), true).ino !== undefined
      } catch (error) {
        // Node's promise: whatever is wrong with the path, the answer is no.
        if (error instanceof Error) return false
        throw error
      }
    },

    accessSync(path: PathLike, wanted?: number | null): void {
      const bytes = pathBytes(path)
      const mode = checkInteger(wanted ?? fsConstants.F_OK, 'mode', 0, 7)
      namespace.call('access', path, () => {
        const ino = namespace.find(bytes, true)
        if (namespace.user) return namespace.user.access(ino, mode)
        const { kind, mode: bits } = namespace.tree.stat(ino)
        if (mode & fsConstants.W_OK && namespace.isReadOnly) throw new PlyError('EROFS')
        if (mode & fsConstants.X_OK && kind !== 'directory' && (bits & 0o111) === 0) throw new PlyError('EACCES')
      })
    },

    readlinkSync: <Option extends EncodingOption = undefined>(path: PathLike, options?: Option): Named<Option> => {
      const wanted = optionsOf<object>(options) as Option
      const bytes = pathBytes(path, 'oldPath')
      return namespace.call('readlink', path, () => {
        const ino = namespace.find(bytes, false)
        if (namespace.tree.stat(ino).kind !== 'symlink') throw new PlyError('EINVAL')
        return encoded(namespace.tree.readlink(ino), wanted)
      })
    },

    realpathSync: Object.assign(realpathSync, { native }),

    readdirSync<Option extends ReaddirOption = undefined>(path: PathLike, options?: Option): Listing<Option> {
      const given = optionsOf<ReaddirOptions>(options)
      const bytes = pathBytes(path)
      const recursive = checkBoolean(given.recursive ?? false, 'options.recursive')
      const root = namespace.call('scandir', path, () => directoryAt(bytes))
      if (given.withFileTypes) return [...dirents(path, root, recursive, given)] as Listing<Option>
      const names = []
      for (const { name, prefix } of listed(path, root, recursive)) names.push(encoded(prefix + name, given))
      return names as Listing<Option>
    },

    opendirSync(path: PathLike, options?: OpendirOptions | BufferEncoding): Dir {
      const given = optionsOf<OpendirOptions>(options)
      const bytes = pathBytes(path)
      checkUint32(given.bufferSize === undefined ? 32 : given.bufferSize, 'options.bufferSize', 1)
      return namespace.call('opendir', path, () => {
        const root = directoryAt(bytes)
        const entries = dirents(path, root, given.recursive ?? false, given, 'opendir') as Iterable<Dirent>
        // What is asked later is answered as it is now; of a tree below, it is asked when it is come to.
        const now = given.recursive ? entries : [...entries]
        const release = namespace.isReadOnly ? undefined : namespace.writable.hold(root)
        return new Dir(pathText(path), now, () => release?.())
      })
    },
  }
}
