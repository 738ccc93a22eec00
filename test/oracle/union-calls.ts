import type { ByteString } from '../../src/model/bytes.ts'
import type { Kind, Stat } from '../../src/model/entry.ts'
import { codeOf, PlyError } from '../../src/model/errors.ts'
import { openDirectory } from '../../src/union/directory-handle.ts'
import {
  lookupResolved,
  type ResolvedParent,
  resolveName,
  resolveParent,
  resolvePath,
} from '../../src/union/resolve.ts'
import type { Creation } from '../../src/union/upper.ts'
import { type Answer, bytesText, factsText, valueText } from './answers.ts'
import { type Operation, pattern, type Target, type Time } from './operations.ts'
import { copy, readOf, seek, writing } from './union-content.ts'
import { type OpenHandle, openFile } from './union-open.ts'
import { creationIn, now, type Verbs } from './verbs.ts'

/**
 * Operations as verbs of a union: what the kernel does above a file system (paths, flags, positions, the checks of `fs/namei.c`)
 * is done here, the rest is the union's.
 */
export class UnionCalls {
  seen = 0
  #from = 0
  #umask = 0
  readonly #verbs: Verbs
  readonly #handles = new Map<number, OpenHandle>()

  constructor(verbs: Verbs) {
    this.#verbs = verbs
    this.#from = verbs.root
  }

  enter(directory: ByteString, umask: number): void {
    this.#umask = umask
    this.#from = this.#verbs.root
    for (const name of directory.split('/')) if (name !== '') this.#from = this.#verbs.lookup(this.#from, name)!
  }

  leave(): void {
    for (const handle of this.#handles.values()) handle.close()
    this.#handles.clear()
  }

  /** What a path leads to; `undefined` if it leads nowhere. */
  statAt(path: ByteString, follow: boolean): Stat | undefined {
    return ifAny(() => this.#verbs.stat(this.#find(path, follow)))
  }

  /** The directory that a path's last name is in; `undefined` if there is none. */
  parentAt(path: ByteString): number | undefined {
    return ifAny(() => resolveParent(this.#verbs, path, { from: this.#from }).directory)
  }

  /** What a slot holds open. */
  openHandle(slot: number): OpenHandle | undefined {
    return this.#handles.get(slot)
  }

  run(operation: Operation): Answer {
    this.seen = 0
    try {
      return this.#run(operation)
    } catch (error) {
      const code = codeOf(error)
      if (code === undefined || !(error instanceof Error)) throw error
      if (!(error instanceof PlyError) && (error as NodeJS.ErrnoException).errno === undefined) throw error
      return code === 'EOPNOTSUPP' ? 'ENOTSUP' : code
    }
  }

  #run(operation: Operation): Answer {
    const verbs = this.#verbs
    switch (operation.do) {
      case 'open': {
        const { fd, path, flags, mode } = operation
        const old = this.#handles.get(fd)
        this.#handles.delete(fd)
        old?.close()
        const handle = openFile(verbs, this.#from, path, new Set(flags), mode, this.#umask)
        if (handle === 'special') return 'special'
        this.#handles.set(fd, handle)
        return 'ok'
      }
      case 'close':
        return this.#with(operation.fd, (handle) => {
          this.#handles.delete(operation.fd)
          handle.close()
          return 'ok'
        })
      case 'read':
        return this.#with(operation.fd, (handle) => {
          const bytes = readOf(handle, operation.size, handle.position)
          handle.position += bytes.length
          return bytesText(bytes)
        })
      case 'pread':
        return this.#with(operation.fd, (handle) => bytesText(readOf(handle, operation.size, operation.at)))
      case 'write':
        return this.#with(operation.fd, (handle) => {
          const { writer, append } = writing(handle, 'EBADF')
          const at = append ? writer.size : handle.position
          const count = writer.write(pattern(operation.seed, operation.size), at)
          handle.position = count > 0 || !append ? at + count : handle.position
          return String(count)
        })
      case 'pwrite':
        return this.#with(operation.fd, (handle) => {
          const { writer, append } = writing(handle, 'EBADF')
          return String(writer.write(pattern(operation.seed, operation.size), append ? writer.size : operation.at))
        })
      case 'ftruncate':
        return this.#with(operation.fd, (handle) => {
          writing(handle, 'EINVAL').writer.truncate(operation.size)
          return 'ok'
        })
      case 'truncate': {
        const ino = this.#find(operation.path, true)
        const { kind } = verbs.stat(ino)
        if (kind !== 'file') throw new PlyError(kind === 'directory' ? 'EISDIR' : 'EINVAL')
        const writer = verbs.writer(ino, { truncate: operation.size === 0 })
        try {
          if (operation.size > 0) writer.truncate(operation.size)
        } finally {
          writer.close()
        }
        return 'ok'
      }
      case 'fallocate':
        return this.#with(operation.fd, (handle) => {
          if (operation.size <= 0) throw new PlyError('EINVAL')
          const what = operation.what === 'keep' ? 'reserve' : operation.what
          writing(handle, 'EBADF').writer.allocate(what, operation.at, operation.size)
          return 'ok'
        })
      case 'lseek':
        return this.#with(operation.fd, (handle) => seek(handle, operation.to, operation.at))
      case 'copy':
        return this.#with(operation.fd, (handle) =>
          this.#with(operation.from, (source) => copy(source, handle, operation, verbs.inherit !== undefined)),
        )
      case 'fsync':
        return this.#with(operation.fd, ({ writer }) => {
          writer?.sync()
          return 'ok'
        })
      case 'mkdir':
        this.#create(operation.path, 'directory', operation.mode & 0o1777)
        return 'ok'
      case 'rmdir': {
        const { directory, name, last } = this.#name(operation.path)
        if (last !== 'name') throw new PlyError(last === '.' ? 'EINVAL' : last === '..' ? 'ENOTEMPTY' : 'EBUSY')
        verbs.rmdir(directory, name)
        return 'ok'
      }
      case 'unlink': {
        const { directory, name, last, trailingSlash, ino } = this.#name(operation.path)
        if (last !== 'name') throw new PlyError('EISDIR')
        if (trailingSlash && ino !== undefined && verbs.stat(ino).kind !== 'directory') throw new PlyError('ENOTDIR')
        verbs.unlink(directory, name)
        return 'ok'
      }
      case 'rename':
        return this.#rename(operation)
      case 'link': {
        const ino = this.#find(operation.path, operation.follow)
        const { directory, name } = this.#free(operation.to, false)
        verbs.link(directory, name, ino)
        return 'ok'
      }
      case 'linkfd':
        return this.#with(operation.fd, ({ ino }) => {
          const { directory, name } = this.#free(operation.to, false)
          verbs.link(directory, name, ino)
          return 'ok'
        })
      case 'symlink':
        if (operation.target === '') throw new PlyError('ENOENT')
        this.#create(operation.path, 'symlink', 0o777, { target: operation.target })
        return 'ok'
      case 'readlink': {
        const ino = this.#find(operation.path, false)
        return verbs.readlink(ino)
      }
      case 'mknod': {
        const { path, kind, mode, major, minor } = operation
        this.#create(path, kind, mode, kind === 'character' || kind === 'block' ? { major, minor } : {})
        return 'ok'
      }
      case 'chmod':
        return this.#on(operation.on, (ino) => {
          verbs.setAttributes(ino, { mode: operation.mode })
          return 'ok'
        })
      case 'chown':
        return this.#on(operation.on, (ino) => {
          verbs.setAttributes(ino, { uid: operation.uid, gid: operation.gid })
          return 'ok'
        })
      case 'utimens':
        // Nothing to do: not even the path is looked at.
        if (operation.atime === 'omit' && operation.mtime === 'omit' && 'path' in operation.on) return 'ok'
        return this.#on(operation.on, (ino) => {
          const [atime, mtime] = [timeOf(operation.atime), timeOf(operation.mtime)]
          if (atime === undefined && mtime === undefined) return 'ok'
          verbs.setAttributes(ino, { ...(atime !== undefined && { atime }), ...(mtime !== undefined && { mtime }) })
          return 'ok'
        })
      case 'setxattr':
        return this.#on(operation.on, (ino) => {
          const { name, value, only } = operation
          // The kernel looks at the kind before it looks for the attribute.
          const { kind } = verbs.stat(ino)
          const refusesUser = name.startsWith('user.') && kind !== 'file' && kind !== 'directory'
          if (only !== undefined && !refusesUser && !name.startsWith('system.')) {
            const there = verbs.xattrs(ino).has(name)
            if (there && only === 'create') throw new PlyError('EEXIST')
            if (!there && only === 'replace') throw new PlyError('ENODATA')
          }
          verbs.setXattr(ino, name, Buffer.from(value, 'latin1'))
          return 'ok'
        })
      case 'getxattr':
        return this.#on(operation.on, (ino) => {
          if (operation.name.startsWith('system.') && verbs.stat(ino).kind === 'symlink') throw new PlyError('ENOTSUP')
          const value = verbs.xattrs(ino).get(operation.name)
          if (value === undefined) throw new PlyError('ENODATA')
          return `=${valueText(value)}`
        })
      case 'listxattr':
        return this.#on(operation.on, (ino) => [...verbs.xattrs(ino).keys()].sort().join(' '))
      case 'removexattr':
        return this.#on(operation.on, (ino) => {
          verbs.setXattr(ino, operation.name, undefined)
          return 'ok'
        })
      case 'stat':
        return this.#on(operation.on, (ino) => {
          const stat = verbs.stat(ino)
          this.seen = stat.ino
          return factsText(stat)
        })
      case 'readdir':
        return this.#readdir(operation.path)
      case 'sync':
        verbs.sync()
        return 'ok'
      case 'reopen':
        throw new Error('only a system can be opened again')
      default:
        return operation satisfies never
    }
  }

  /** `do_renameat2`. */
  #rename({ path, to, flag }: Operation & { do: 'rename' }): Answer {
    const verbs = this.#verbs
    if (flag === 'both') throw new PlyError('EINVAL')
    const parent = (of: ByteString): ResolvedParent => resolveParent(verbs, of, { from: this.#from })
    const [from, target] = [parent(path), parent(to)]
    if (from.last !== 'name') throw new PlyError('EBUSY')
    if (target.last !== 'name') throw new PlyError(flag === 'noreplace' ? 'EEXIST' : 'EBUSY')
    const ino = lookupResolved(verbs, from)
    if (ino === undefined) throw new PlyError('ENOENT')
    const there = lookupResolved(verbs, target)
    if (from.trailingSlash || target.trailingSlash) {
      if (flag === 'noreplace' && there !== undefined) throw new PlyError('EEXIST')
      if (flag === 'exchange') {
        if (there === undefined) throw new PlyError('ENOENT')
        if (target.trailingSlash && verbs.stat(there).kind !== 'directory') throw new PlyError('ENOTDIR')
      }
      const slash = from.trailingSlash || (flag !== 'exchange' && target.trailingSlash)
      if (slash && verbs.stat(ino).kind !== 'directory') throw new PlyError('ENOTDIR')
    }
    verbs.rename(from.directory, from.name, target.directory, target.name, {
      ...(flag === 'noreplace' && { noReplace: true }),
      ...(flag === 'exchange' && { exchange: true }),
    })
    return 'ok'
  }

  #readdir(path: ByteString): Answer {
    const verbs = this.#verbs
    const ino = this.#find(path, true)
    if (verbs.stat(ino).kind !== 'directory') throw new PlyError('ENOTDIR')
    const entries: string[] = []
    const listing = openDirectory(verbs, ino)
    for (let offset = 2; ; offset++) {
      const entry = listing.at(offset)
      if (entry === undefined) break
      const { kind } = verbs.stat(entry.ino)
      const looked = verbs.lookup(ino, entry.name)
      if (looked !== entry.ino) entries.push(`${entry.name} listed as ${entry.ino}, is ${looked}`)
      else entries.push(kind === entry.kind ? `${entry.name}:${kind}` : `${entry.name} listed as ${entry.kind}`)
    }
    listing.close()
    return entries.sort().join(' ')
  }

  #create(path: ByteString, kind: Kind, mode: number, more: Partial<Creation> = {}): void {
    const { directory, name } = this.#free(path, kind === 'directory')
    const attributes = creationIn(this.#verbs, directory, kind, mode, this.#umask)
    this.#verbs.create(directory, name, { kind, ...attributes, ...more })
  }

  /** A name to be made (`filename_create`). */
  #free(path: ByteString, directories: boolean): { readonly directory: number; readonly name: ByteString } {
    const { directory, name, ino, trailingSlash } = this.#name(path)
    if (ino !== undefined) throw new PlyError('EEXIST')
    if (trailingSlash && !directories) throw new PlyError('ENOENT')
    return { directory, name }
  }

  #name(path: ByteString) {
    return resolveName(this.#verbs, path, { from: this.#from })
  }

  #find(path: ByteString, follow: boolean): number {
    const { ino } = resolvePath(this.#verbs, path, { follow, from: this.#from })
    if (ino === undefined) throw new PlyError('ENOENT')
    return ino
  }

  #with(slot: number, act: (handle: OpenHandle) => Answer): Answer {
    const handle = this.#handles.get(slot)
    return handle === undefined ? 'empty' : act(handle)
  }

  #on(target: Target, act: (ino: number) => Answer): Answer {
    if ('fd' in target) return this.#with(target.fd, ({ ino }) => act(ino))
    return act(this.#find(target.path, target.follow))
  }
}

/** Whatever is wrong with a path, the operation itself will say. */
function ifAny<Found>(find: () => Found): Found | undefined {
  try {
    return find()
  } catch (error) {
    if (error instanceof PlyError) return undefined
    throw error
  }
}

function timeOf(time: Time): bigint | undefined {
  return time === 'omit' ? undefined : time === 'now' ? now() : BigInt(time)
}
