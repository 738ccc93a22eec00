import { codeOf, PlyError } from '../model/errors.ts'
import type { Spot } from './changes.ts'
import type { Namespace } from './namespace.ts'
import { nodeRefusal } from './refusal.ts'
import { type PathLike, pathBytes, pathText } from './texts.ts'
import { checkBoolean, checkInt32, checkObject, checkUint32 } from './validation.ts'

export interface RmOptions {
  readonly recursive?: boolean | undefined
  /** Do not mind if nothing is there. */
  readonly force?: boolean | undefined
  /** Taken and checked; nothing here is busy for a moment only. */
  readonly maxRetries?: number | undefined
  readonly retryDelay?: number | undefined
}

/** How Linux refuses to remove what is no name. */
const unremovable = { '.': 'EINVAL', '..': 'ENOTEMPTY', '/': 'EBUSY' } as const

/** Calls that remove names, and all that is under them. */
export function removing(namespace: Namespace) {
  /** Empties a directory, deepest names first, without recursion: a tree may be deeper than the stack. */
  function empty(directory: number): void {
    const { writable } = namespace
    const pending: { spot: Spot | undefined; ino: number; entries: ReturnType<typeof listed> }[] = [
      { spot: undefined, ino: directory, entries: listed(directory) },
    ]
    for (let level = pending.at(-1); level; level = pending.at(-1)) {
      const entry = level.entries.pop()
      if (!entry) {
        pending.pop()
        if (level.spot) namespace.rmdir(level.spot, level.ino)
        continue
      }
      const spot = { directory: level.ino, name: entry.name }
      if (entry.kind === 'directory') pending.push({ spot, ino: entry.ino, entries: listed(entry.ino) })
      else namespace.unlink(spot, entry.ino)
    }

    function listed(ino: number) {
      return [...writable.list(ino)]
    }
  }

  return {
    rmSync(path: PathLike, options?: RmOptions): void {
      const bytes = pathBytes(path)
      const { recursive, force } = checked(options)
      // The system calls that Node makes of it, which are what its refusals name.
      const found = namespace.call(recursive && force ? 'unlink' : 'lstat', path, () => {
        let named: ReturnType<typeof namespace.resolveName> | undefined
        try {
          named = namespace.resolveName(bytes)
          const there = namespace.resolve(bytes, false).ino !== undefined
          if (named.ino !== undefined && there) return { ...named, ino: named.ino }
        } catch (error) {
          // A symlink that leads nowhere but to itself: `unlink` does not follow it.
          if (recursive && force && named?.trailingSlash && codeOf(error) === 'ELOOP') throw new PlyError('ENOTDIR')
          if (codeOf(error) !== 'ENOENT') throw error
        }
        if (!force) throw new PlyError('ENOENT')
        return undefined
      })
      if (!found) return
      const { ino, last, trailingSlash, directory, name } = found
      const spot = { directory, name }
      const looksLikeDirectory = namespace.stat(bytes, false).kind === 'directory'
      namespace.call(looksLikeDirectory ? 'rmdir' : 'unlink', path, () => {
        const isDirectory = namespace.tree.stat(ino).kind === 'directory'
        if (!recursive && looksLikeDirectory) {
          const info = { code: 'EISDIR', message: 'is a directory', path: pathText(path), syscall: 'rm' }
          throw nodeRefusal('ERR_FS_EISDIR', 'Path is a directory', info)
        }
        if (trailingSlash && !isDirectory) throw new PlyError('ENOTDIR')
        if (last !== 'name') throw new PlyError(unremovable[last])
        if (!isDirectory) namespace.unlink(spot, ino)
        else {
          empty(ino)
          namespace.rmdir(spot, ino)
        }
      })
    },

    rmdirSync(path: PathLike, options?: Omit<RmOptions, 'force'>): void {
      const bytes = pathBytes(path)
      const { recursive } = checked(options)
      namespace.call('rmdir', path, () => {
        const { ino, last, directory, name } = namespace.resolveName(bytes)
        if (last !== 'name') throw new PlyError(unremovable[last])
        if (ino === undefined) throw new PlyError('ENOENT')
        if (recursive && namespace.tree.stat(ino).kind === 'directory') empty(ino)
        namespace.rmdir({ directory, name }, ino)
      })
    },
  }
}

function checked(options: RmOptions | undefined): { readonly recursive: boolean; readonly force: boolean } {
  if (options === undefined) return { recursive: false, force: false }
  checkObject(options, 'options')
  const { recursive = false, force = false, retryDelay = 100, maxRetries = 0 } = options
  checkBoolean(recursive, 'options.recursive')
  checkInt32(retryDelay, 'options.retryDelay', 0)
  checkUint32(maxRetries, 'options.maxRetries')
  checkBoolean(force, 'options.force')
  return { recursive, force }
}
