import type { MkdirOptions } from './changing.ts'
import { FileHandle } from './file-handle.ts'
import { fsConstants } from './flags.ts'
import type { Dir, Listing, ReaddirOptions } from './inspecting.ts'
import type { StatOptions, StatsFor } from './stats.ts'
import type { CopyOptions, RmOptions } from './subtrees.ts'
import type { SyncVerbs } from './sync-verbs.ts'
import type { EncodingOption, Named, PathLike } from './texts.ts'
import type { TimeLike } from './times.ts'
import {
  bytesToWrite,
  checkSignal,
  type Encoding,
  type FileContent,
  type ReadFileOptions,
  type WriteFileOptions,
} from './whole-files.ts'

type Pieces = AsyncIterable<string | NodeJS.ArrayBufferView> | Iterable<string | NodeJS.ArrayBufferView>
type File = PathLike | FileHandle

/** The calls of `fs.promises`. The work itself is synchronous: what is awaited is only the answer. */
export function promisedVerbs(fs: SyncVerbs) {
  const target = (file: File): PathLike | number => (file instanceof FileHandle ? file.fd : file)

  async function write(
    file: File,
    data: unknown,
    options: WriteFileOptions | Encoding | undefined,
    flag: string,
  ): Promise<void> {
    if (!arrivesInPieces(data)) {
      fs.writeFileSync(target(file), data, { flag, ...asObject(options) })
      return
    }
    const { encoding, signal, flush, mode, flag: given } = asObject(options)
    const handle = file instanceof FileHandle ? file : new FileHandle(fs, fs.openSync(file, given ?? flag, mode))
    try {
      for await (const piece of data) {
        checkSignal(signal)
        fs.writeSync(handle.fd, bytesToWrite(piece, encoding))
      }
      if (flush) fs.fsyncSync(handle.fd)
    } finally {
      if (handle !== file) await handle.close()
    }
  }

  return {
    constants: fsConstants,

    open: async (path: PathLike, flags?: string | number, mode?: number | string) =>
      new FileHandle(fs, fs.openSync(path, flags, mode)),

    readFile: async <Option extends ReadFileOptions | Encoding = undefined>(
      file: File,
      options?: Option,
    ): Promise<FileContent<Option>> => fs.readFileSync(target(file), options),

    writeFile: (
      file: File,
      data: string | NodeJS.ArrayBufferView | Pieces,
      options?: WriteFileOptions | Encoding,
    ): Promise<void> => write(file, data, options, 'w'),

    appendFile: (
      file: File,
      data: string | NodeJS.ArrayBufferView,
      options?: WriteFileOptions | Encoding,
    ): Promise<void> => write(file, data, options, 'a'),

    stat: async <Options extends StatOptions | undefined = undefined>(
      path: PathLike,
      options?: Options,
    ): Promise<StatsFor<Options>> => fs.statSync(path, options),

    lstat: async <Options extends StatOptions | undefined = undefined>(
      path: PathLike,
      options?: Options,
    ): Promise<StatsFor<Options>> => fs.lstatSync(path, options),

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
    ): Promise<Named<Option>> => fs.realpathSync(path, options),

    mkdtemp: async <Option extends EncodingOption = undefined>(
      prefix: PathLike,
      options?: Option,
    ): Promise<Named<Option>> => fs.mkdtempSync(prefix, options),

    opendir: async (path: PathLike, options?: { readonly recursive?: boolean }): Promise<Dir> =>
      fs.opendirSync(path, options),
    access: async (path: PathLike, mode?: number): Promise<void> => fs.accessSync(path, mode),
    mkdir: async (path: PathLike, options?: MkdirOptions | number | string | null): Promise<string | undefined> =>
      fs.mkdirSync(path, options),
    rm: async (path: PathLike, options?: RmOptions): Promise<void> => fs.rmSync(path, options),
    rmdir: async (path: PathLike, options?: { readonly recursive?: boolean }): Promise<void> =>
      fs.rmdirSync(path, options),
    cp: async (source: PathLike, destination: PathLike, options?: CopyOptions): Promise<void> =>
      fs.cpSync(source, destination, options),
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
  }
}

export type PromisedVerbs = ReturnType<typeof promisedVerbs>

function arrivesInPieces(data: unknown): data is Pieces {
  if (typeof data !== 'object' || data === null || ArrayBuffer.isView(data)) return false
  return Symbol.asyncIterator in data || Symbol.iterator in data
}

function asObject(options: WriteFileOptions | Encoding | undefined): WriteFileOptions {
  return typeof options === 'object' && options !== null ? options : { encoding: options }
}
