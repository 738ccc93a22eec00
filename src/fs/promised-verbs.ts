import type { MkdirOptions } from './changing.ts'
import { type AsyncCopyOptions, copied } from './copying.ts'
import type { Dir } from './dir.ts'
import { FileHandle } from './file-handle.ts'
import { fsConstants } from './flags.ts'
import type { Listing, OpendirOptions, ReaddirOptions } from './inspecting.ts'
import { arrivesInPieces, type Writable, writePieces } from './pieces.ts'
import type { RmOptions } from './removing.ts'
import type { StatFs, StatOptions, StatsFor } from './stats.ts'
import type { SyncVerbs } from './sync-verbs.ts'
import type { EncodingOption, Named, PathLike } from './texts.ts'
import type { TimeLike } from './times.ts'
import type { watching } from './watching.ts'
import {
  type Encoding,
  type FileContent,
  optionsOfWriting,
  type ReadFileOptions,
  type WriteFileOptions,
} from './whole-files.ts'

type File = PathLike | FileHandle
type BigintOption = Pick<StatOptions, 'bigint'> | undefined
type Watch = ReturnType<typeof watching>['watchEvents']

/** The calls of `fs.promises`. The work itself is synchronous: what is awaited is only the answer. */
export function promisedVerbs(fs: SyncVerbs, watch: Watch) {
  async function write(
    file: File,
    data: unknown,
    options: WriteFileOptions | Encoding | undefined,
    flags: string,
  ): Promise<void> {
    if (file instanceof FileHandle) return file.writeFile(data as Writable, options)
    if (!arrivesInPieces(data)) return fs.writeFileSync(file, data, { ...optionsOfWriting(options, flags) })
    const given = optionsOfWriting(options, flags)
    const fd = fs.openSync(file, given.flag, given.mode)
    try {
      await writePieces(fs, fd, data, given)
    } finally {
      fs.closeSync(fd)
    }
  }

  return {
    constants: fsConstants,

    open: async (path: PathLike, flags?: string | number, mode?: number | string) =>
      new FileHandle(fs, fs.openSync(path, flags, mode)),

    readFile: async <Option extends ReadFileOptions | Encoding = undefined>(
      file: File,
      options?: Option,
    ): Promise<FileContent<Option>> =>
      file instanceof FileHandle ? file.readFile(options as Option) : fs.readFileSync(file, options),

    writeFile: (file: File, data: Writable, options?: WriteFileOptions | Encoding): Promise<void> =>
      write(file, data, options, 'w'),

    appendFile: (file: File, data: Writable, options?: WriteFileOptions | Encoding): Promise<void> =>
      write(file, data, options, 'a'),

    stat: async <Options extends BigintOption = undefined>(
      path: PathLike,
      options?: Options,
    ): Promise<StatsFor<Options>> => fs.statSync(path, bigintOf(options) as Options),

    lstat: async <Options extends BigintOption = undefined>(
      path: PathLike,
      options?: Options,
    ): Promise<StatsFor<Options>> => fs.lstatSync(path, bigintOf(options) as Options),

    statfs: async <Options extends { readonly bigint?: boolean } | undefined = undefined>(
      path: PathLike,
      options?: Options,
    ): Promise<Options extends { readonly bigint: true } ? StatFs<bigint> : StatFs> => fs.statfsSync(path, options),

    readdir: async <Option extends ReaddirOptions | BufferEncoding | 'buffer' | null | undefined = undefined>(
      path: PathLike,
      options?: Option,
    ): Promise<Listing<Option>> => fs.readdirSync(path, options),

    readlink: async <Option extends EncodingOption = undefined>(
      path: PathLike,
      options?: Option,
    ): Promise<Named<Option>> => fs.readlinkSync(path, options),

    realpath: async <Option extends EncodingOption = undefined>(
      path: PathLike,
      options?: Option,
    ): Promise<Named<Option>> => fs.realpathSync.native(path, options),

    mkdtemp: async <Option extends EncodingOption = undefined>(
      prefix: PathLike,
      options?: Option,
    ): Promise<Named<Option>> => fs.mkdtempSync(prefix, options),

    opendir: async (path: PathLike, options?: OpendirOptions | BufferEncoding): Promise<Dir> =>
      fs.opendirSync(path, options),
    access: async (path: PathLike, mode?: number): Promise<void> => fs.accessSync(path, mode),
    mkdir: async (path: PathLike, options?: MkdirOptions | number | string | null): Promise<string | undefined> =>
      fs.mkdirSync(path, options),
    rm: async (path: PathLike, options?: RmOptions): Promise<void> => fs.rmSync(path, options),
    rmdir: async (path: PathLike, options?: Omit<RmOptions, 'force'>): Promise<void> => fs.rmdirSync(path, options),
    cp: async (source: PathLike, destination: PathLike, options?: AsyncCopyOptions): Promise<void> =>
      copied(fs.copySteps(source, destination, options), options?.filter),
    unlink: async (path: PathLike): Promise<void> => fs.unlinkSync(path),
    rename: async (from: PathLike, to: PathLike): Promise<void> => fs.renameSync(from, to),
    link: async (existing: PathLike, path: PathLike): Promise<void> => fs.linkSync(existing, path),
    symlink: async (text: PathLike, path: PathLike, type?: string | null): Promise<void> =>
      fs.symlinkSync(text, path, type),
    truncate: async (path: PathLike, length?: number): Promise<void> => fs.truncateSync(path, length),
    copyFile: async (source: PathLike, destination: PathLike, mode?: number): Promise<void> =>
      fs.copyFileSync(source, destination, mode),
    chmod: async (path: PathLike, mode: number | string): Promise<void> => fs.chmodSync(path, mode),
    chown: async (path: PathLike, uid: number, gid: number): Promise<void> => fs.chownSync(path, uid, gid),
    lchown: async (path: PathLike, uid: number, gid: number): Promise<void> => fs.lchownSync(path, uid, gid),
    utimes: async (path: PathLike, atime: TimeLike, mtime: TimeLike): Promise<void> =>
      fs.utimesSync(path, atime, mtime),
    lutimes: async (path: PathLike, atime: TimeLike, mtime: TimeLike): Promise<void> =>
      fs.lutimesSync(path, atime, mtime),

    watch,
  }
}

/** That nothing is there is always told where the answer comes later. */
export function bigintOf(options: unknown): Pick<StatOptions, 'bigint'> {
  return { bigint: Boolean((options as StatOptions | undefined)?.bigint) }
}

export type PromisedVerbs = ReturnType<typeof promisedVerbs>
