import { constants } from 'node:os'
import { codeOf, PlyError } from '../model/errors.ts'
import type { changing } from './changing.ts'
import { fsConstants } from './flags.ts'
import type { inspecting } from './inspecting.ts'
import type { Namespace } from './namespace.ts'
import type { PathLike } from './texts.ts'
import { pathText } from './texts.ts'
import type { wholeFiles } from './whole-files.ts'

export interface RmOptions {
  readonly recursive?: boolean | undefined
  /** Do not mind if nothing is there. */
  readonly force?: boolean | undefined
  readonly maxRetries?: number | undefined
  readonly retryDelay?: number | undefined
}

export interface CopyOptions {
  readonly recursive?: boolean | undefined
  readonly force?: boolean | undefined
  readonly errorOnExist?: boolean | undefined
  readonly dereference?: boolean | undefined
  readonly preserveTimestamps?: boolean | undefined
  readonly verbatimSymlinks?: boolean | undefined
  readonly mode?: number | undefined
  readonly filter?: ((source: string, destination: string) => boolean) | undefined
}

/** How Linux refuses to remove what is no name. */
const unremovable = { '.': 'EINVAL', '..': 'ENOTEMPTY', '/': 'EBUSY' } as const

type Verbs = ReturnType<typeof changing> & ReturnType<typeof inspecting> & ReturnType<typeof wholeFiles>

/** Calls on whole subtrees. */
export function subtrees(namespace: Namespace, verbs: Verbs) {
  /** Empties a directory, deepest names first, without recursion: a tree may be deeper than the stack. */
  function empty(directory: number): void {
    const { writable } = namespace
    const pending = [{ directory, entries: [...writable.list(directory)] }]
    for (let level = pending.at(-1); level; level = pending.at(-1)) {
      const entry = level.entries.pop()
      if (!entry) {
        pending.pop()
        const above = pending.at(-1)
        const emptied = above?.entries.pop()
        if (above && emptied) writable.rmdir(above.directory, emptied.name)
      } else if (entry.kind !== 'directory') writable.unlink(level.directory, entry.name)
      else {
        level.entries.push(entry)
        pending.push({ directory: entry.ino, entries: [...writable.list(entry.ino)] })
      }
    }
  }

  function copy(source: string, target: string, options: CopyOptions): void {
    const {
      recursive = false,
      force = true,
      errorOnExist = false,
      dereference = false,
      preserveTimestamps = false,
    } = options
    if (options.filter && !options.filter(source, target)) return
    const from = verbs.lstatSync(source)
    const stat = dereference ? verbs.statSync(source) : from
    const there = verbs.lstatSync(target, { throwIfNoEntry: false })
    if (stat.isDirectory()) {
      if (!recursive) throw directoryRefusal('cp', source)
      if (there && !there.isDirectory()) throw misplaced('ERR_FS_CP_DIR_TO_NON_DIR', source, target)
      if (!there) verbs.mkdirSync(target, { recursive: true })
      for (const name of verbs.readdirSync(source)) copy(`${source}/${name}`, `${target}/${name}`, options)
      if (!there) verbs.chmodSync(target, stat.mode & 0o7777)
    } else {
      if (there?.isDirectory()) throw misplaced('ERR_FS_CP_NON_DIR_TO_DIR', source, target)
      if (there && !force) {
        if (errorOnExist) throw misplaced('ERR_FS_CP_EEXIST', source, target)
        return
      }
      if (!there) verbs.mkdirSync(target.slice(0, target.lastIndexOf('/') + 1) || '/', { recursive: true })
      if (stat.isSymbolicLink()) {
        if (there) verbs.unlinkSync(target)
        verbs.symlinkSync(verbs.readlinkSync(source, 'buffer'), target)
        return
      }
      if (!stat.isFile()) throw misplaced('ERR_FS_CP_UNKNOWN', source, target)
      verbs.copyFileSync(source, target, (options.mode ?? 0) & ~fsConstants.COPYFILE_EXCL)
    }
    if (preserveTimestamps) verbs.utimesSync(target, stat.atime, verbs.statSync(source, { bigint: true }).mtimeNs)
  }

  return {
    rmSync(path: PathLike, { recursive = false, force = false }: RmOptions = {}): void {
      const found = namespace.call('lstat', path, () => {
        try {
          const named = namespace.resolveName(path)
          const there = namespace.resolve(path, false).ino !== undefined
          if (named.ino !== undefined && there) return { ...named, ino: named.ino }
        } catch (error) {
          if (codeOf(error) !== 'ENOENT') throw error
        }
        if (!force) throw new PlyError('ENOENT')
        return undefined
      })
      if (!found) return
      const { directory, name, ino, last, trailingSlash } = found
      namespace.call('rm', path, () => {
        const isDirectory = namespace.tree.stat(ino).kind === 'directory'
        if (!recursive && namespace.stat(path, false).kind === 'directory') throw directoryRefusal('rm', pathText(path))
        if (trailingSlash && !isDirectory) throw new PlyError('ENOTDIR')
        if (last !== 'name') throw new PlyError(unremovable[last])
        if (!isDirectory) namespace.writable.unlink(directory, name)
        else {
          empty(ino)
          namespace.writable.rmdir(directory, name)
        }
      })
    },

    rmdirSync(path: PathLike, options: { readonly recursive?: boolean | undefined } = {}): void {
      namespace.call('rmdir', path, () => {
        const { directory, name, ino, last } = namespace.resolveName(path)
        if (last !== 'name') throw new PlyError(unremovable[last])
        if (ino === undefined) throw new PlyError('ENOENT')
        if (options.recursive && namespace.tree.stat(ino).kind === 'directory') empty(ino)
        namespace.writable.rmdir(directory, name)
      })
    },

    /** Copies a file, a symlink or (with `recursive`) a directory inside the union. */
    cpSync(source: PathLike, target: PathLike, options: CopyOptions = {}): void {
      const [from, to] = [pathText(source), pathText(target)].map((path) => path.replace(/(?<=.)\/+$/, '')) as [
        string,
        string,
      ]
      if (namespace.resolve(from, false).ino !== undefined) {
        const inside = `${verbs.realpathSync(from)}/`
        const parent = nearest(to)
        if (`${parent}/`.startsWith(inside) && verbs.statSync(from).isDirectory())
          throw misplaced('ERR_FS_CP_EINVAL', from, to)
      }
      copy(from, to, options)
    },
  }

  /** The real path of the nearest directory of a path that exists. */
  function nearest(path: string): string {
    for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      if (at === '') return '/'
      if (verbs.existsSync(at)) return verbs.realpathSync(at)
    }
  }
}

function directoryRefusal(syscall: string, path: string): Error {
  const error = new Error(`Path is a directory: ${syscall} returned EISDIR (is a directory) ${path}`)
  return Object.assign(error, {
    name: 'SystemError',
    code: 'ERR_FS_EISDIR',
    errno: constants.errno.EISDIR,
    syscall,
    path,
  })
}

function misplaced(code: string, path: string, dest: string): Error {
  return Object.assign(new Error(`${code}: cannot copy '${path}' to '${dest}'`), { code, syscall: 'cp', path, dest })
}
