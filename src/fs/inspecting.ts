import { decodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import { realPath } from '../union/resolve.ts'
import type { Namespace } from './namespace.ts'
import type { OpenFiles } from './open-files.ts'
import { Dirent, type StatOptions, type StatsFor, statsOf } from './stats.ts'
import { type EncodingOption, encoded, type Named, type PathLike, pathBytes, pathText } from './texts.ts'

export interface ReaddirOptions {
  readonly encoding?: BufferEncoding | 'buffer' | null | undefined
  readonly withFileTypes?: boolean | undefined
  readonly recursive?: boolean | undefined
}

type ReaddirOption = ReaddirOptions | BufferEncoding | 'buffer' | null | undefined

/** What `readdir` answers with these options. */
export type Listing<Option> = Option extends { readonly withFileTypes: true }
  ? Dirent<Named<Option>>[]
  : Named<Option>[]

/** Calls that change nothing. */
export function inspecting(namespace: Namespace, files: OpenFiles) {
  function stat<Options extends StatOptions | undefined>(path: PathLike, follow: boolean, options: Options) {
    const syscall = follow ? 'stat' : 'lstat'
    return namespace.call(syscall, path, () => {
      try {
        return statsOf(namespace.stat(path, follow), options)
      } catch (error) {
        const code = codeOf(error)
        if (options?.throwIfNoEntry === false && (code === 'ENOENT' || code === 'ENOTDIR')) {
          return undefined as StatsFor<Options>
        }
        throw error
      }
    })
  }

  /** Directories in the order in which they were met: level by level, as Node lists them. */
  function* listed(path: PathLike, recursive: boolean) {
    const root = namespace.call('scandir', path, () => directoryAt(path))
    const pending = [{ ino: root, prefix: '' }]
    const text = pathText(path)
    for (const { ino, prefix } of pending) {
      const at = prefix === '' ? path : `${text}/${decodeText(prefix.slice(0, -1))}`
      for (const entry of namespace.call('scandir', at, () => namespace.tree.list(ino))) {
        yield { ...entry, prefix }
        if (recursive && entry.kind === 'directory') pending.push({ ino: entry.ino, prefix: `${prefix}${entry.name}/` })
      }
    }
  }

  function directoryAt(path: PathLike): number {
    const ino = namespace.find(path, true)
    if (namespace.tree.stat(ino).kind !== 'directory') throw new PlyError('ENOTDIR')
    return ino
  }

  const realpathSync = <Option extends EncodingOption = undefined>(path: PathLike, options?: Option): Named<Option> =>
    namespace.call('realpath', path, () => encoded(realPath(namespace.tree, pathBytes(path)), options as Option))

  const verbs = {
    statSync: <Options extends StatOptions | undefined = undefined>(path: PathLike, options?: Options) =>
      stat(path, true, options as Options),

    lstatSync: <Options extends StatOptions | undefined = undefined>(path: PathLike, options?: Options) =>
      stat(path, false, options as Options),

    fstatSync: <Options extends StatOptions | undefined = undefined>(fd: number, options?: Options) =>
      namespace.call('fstat', undefined, () =>
        statsOf(namespace.tree.stat(files.ino(fd, 'fstat')), options as Options),
      ),

    existsSync(path: PathLike): boolean {
      try {
        return namespace.resolve(path, true).ino !== undefined
      } catch (error) {
        // Node's promise: whatever is wrong with the path, the answer is no.
        if (error instanceof Error) return false
        throw error
      }
    },

    accessSync(path: PathLike, mode = 0): void {
      namespace.call('access', path, () => {
        const ino = namespace.find(path, true)
        if (namespace.user) return namespace.user.access(ino, mode & 7)
        const { kind, mode: bits } = namespace.tree.stat(ino)
        if (mode & 2 && namespace.isReadOnly) throw new PlyError('EROFS')
        if (mode & 1 && kind !== 'directory' && (bits & 0o111) === 0) throw new PlyError('EACCES')
      })
    },

    readlinkSync: <Option extends EncodingOption = undefined>(path: PathLike, options?: Option): Named<Option> =>
      namespace.call('readlink', path, () => {
        const ino = namespace.find(path, false)
        if (namespace.tree.stat(ino).kind !== 'symlink') throw new PlyError('EINVAL')
        return encoded(namespace.tree.readlink(ino), options as Option)
      }),

    realpathSync: Object.assign(realpathSync, { native: realpathSync }),

    readdirSync<Option extends ReaddirOption = undefined>(path: PathLike, options?: Option): Listing<Option> {
      const { withFileTypes = false, recursive = false } =
        typeof options === 'object' && options !== null ? options : {}
      const base = withFileTypes ? pathText(path).replace(/(?<=.)\/+$/, '') : ''
      const names = []
      for (const { name, kind, prefix } of listed(path, recursive)) {
        if (!withFileTypes) names.push(encoded(prefix + name, options as EncodingOption))
        else {
          const parent = prefix === '' ? base : `${base === '/' ? '' : base}/${encoded(prefix.slice(0, -1), 'utf8')}`
          names.push(new Dirent<string | Buffer>(encoded(name, options as EncodingOption), parent, kind))
        }
      }
      return names as Listing<Option>
    },

    opendirSync: (
      path: PathLike,
      options?: { readonly recursive?: boolean; readonly bufferSize?: number; readonly encoding?: BufferEncoding },
    ) => {
      namespace.call('opendir', path, () => directoryAt(path))
      const text = pathText(path)
      return new Dir(text, verbs.readdirSync(path, { withFileTypes: true, recursive: options?.recursive ?? false }))
    },
  }
  return verbs
}

/** An open directory. Its names are those that were there when it was opened. */
export class Dir {
  readonly path: string
  readonly #entries: readonly Dirent[]
  #next = 0
  #closed = false

  constructor(path: string, entries: readonly Dirent[]) {
    this.path = path
    this.#entries = entries
  }

  /** The next name; `null` at the end. @throws ERR_DIR_CLOSED */
  readSync(): Dirent | null {
    this.#check()
    return this.#entries[this.#next++] ?? null
  }

  async read(): Promise<Dirent | null> {
    return this.readSync()
  }

  closeSync(): void {
    this.#check()
    this.#closed = true
  }

  async close(): Promise<void> {
    this.closeSync()
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Dirent> {
    try {
      for (let entry = this.readSync(); entry; entry = this.readSync()) yield entry
    } finally {
      this.#closed = true
    }
  }

  #check(): void {
    if (this.#closed) throw Object.assign(new Error('Directory handle was closed'), { code: 'ERR_DIR_CLOSED' })
  }
}
