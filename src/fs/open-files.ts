import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Granted } from '../union/permissions.ts'
import type { WritableBytes } from '../union/upper.ts'
import { wants } from '../union/user.ts'
import { type OpenFlags, parseFlags, parseMode } from './flags.ts'
import type { Namespace } from './namespace.ts'
import { refusal } from './refusal.ts'
import type { PathLike } from './texts.ts'

/** Far from the descriptors of the process: a mix-up ends in EBADF, not in somebody else's file. */
const firstDescriptor = 0x40000000

/** One opening of a file or directory: where it stands, and how. */
export interface OpenFile {
  readonly ino: number
  readonly flags: OpenFlags
  /** Absent for a directory. */
  readonly content: Bytes | undefined
  readonly writer: WritableBytes | undefined
  position: number
}

/** The descriptors of one face of a union. */
export class OpenFiles {
  readonly #namespace: Namespace
  readonly #open = new Map<number, OpenFile>()
  readonly #free: number[] = []
  #next = firstDescriptor

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  open(path: PathLike, flags: string | number = 'r', mode?: number | string): number {
    const parsed = parseFlags(flags)
    const wanted = parseMode(mode, 0o666)
    const file = this.#namespace.call('open', path, () => this.#openPath(path, parsed, wanted))
    const fd = this.#free.pop() ?? this.#next++
    this.#open.set(fd, file)
    return fd
  }

  /** @throws EBADF */
  file(fd: number, syscall: string): OpenFile {
    const file = this.#open.get(fd)
    if (!file) throw refusal('EBADF', syscall)
    return file
  }

  close(fd: number): void {
    const { content } = this.file(fd, 'close')
    this.#open.delete(fd)
    this.#free.push(fd)
    this.#namespace.call('close', undefined, () => content?.close())
  }

  /** Without a position: from where the last one ended. @throws EBADF, EISDIR */
  read(fd: number, into: Uint8Array, position: number | null): number {
    const file = this.file(fd, 'read')
    return this.#namespace.call('read', undefined, () => {
      if (!file.flags.read) throw new PlyError('EBADF')
      if (!file.content) throw new PlyError('EISDIR')
      const count = file.content.read(into, position ?? file.position)
      if (position === null) file.position += count
      return count
    })
  }

  /** Without a position: where the last one ended. Appending ignores positions, as Linux does. @throws EBADF */
  write(fd: number, from: Uint8Array, position: number | null): number {
    const file = this.file(fd, 'write')
    return this.#namespace.call('write', undefined, () => {
      const { writer, flags } = file
      if (!writer) throw new PlyError('EBADF')
      const start = flags.append ? writer.size : (position ?? file.position)
      let done = 0
      while (done < from.length) done += writer.write(from.subarray(done), start + done)
      if (position === null) file.position = start + done
      return done
    })
  }

  /** A negative size is taken for 0, as Node takes it. */
  truncate(fd: number, size: number): void {
    const { writer } = this.file(fd, 'ftruncate')
    this.#namespace.call('ftruncate', undefined, () => {
      if (!writer) throw new PlyError('EINVAL')
      writer.truncate(Math.max(0, size))
    })
  }

  sync(fd: number): void {
    const { writer } = this.file(fd, 'fsync')
    this.#namespace.call('fsync', undefined, () => writer?.sync())
  }

  /** The number of the open inode. @throws EBADF */
  ino(fd: number, syscall: string): number {
    return this.file(fd, syscall).ino
  }

  #openPath(path: PathLike, flags: OpenFlags, mode: number): OpenFile {
    const { create, exclusive, noFollow, directory, read, write, truncate } = flags
    const namespace = this.#namespace
    if (create) {
      const { trailingSlash, last } = this.#namespace.resolveName(path)
      if (trailingSlash && last === 'name') throw new PlyError('EISDIR')
    }
    const found = this.#namespace.resolve(path, !(noFollow || (create && exclusive)))
    if (found.ino === undefined) {
      if (!create) throw new PlyError('ENOENT')
      if (found.trailingSlash) throw new PlyError('EISDIR')
      const attributes = this.#namespace.attributesIn(found.directory, 'file', mode)
      return this.#opened(
        this.#namespace.writable.create(found.directory, found.name, { kind: 'file', ...attributes }),
        // There is nothing to cut off, and nobody's set-id bits to take.
        { ...flags, truncate: false },
      )
    }
    if (create && exclusive) throw new PlyError('EEXIST')
    const { kind } = this.#namespace.tree.stat(found.ino)
    if (kind === 'symlink') throw new PlyError('ELOOP')
    if (directory && kind !== 'directory') throw new PlyError('ENOTDIR')
    if (kind === 'directory') {
      if (write || create || truncate) throw new PlyError('EISDIR')
      namespace.user?.access(found.ino, wants.read)
      return { ino: found.ino, flags, content: undefined, writer: undefined, position: 0 }
    }
    namespace.user?.access(found.ino, (read ? wants.read : 0) | (write || truncate ? wants.write : 0))
    // There is nobody behind a device or a pipe in a union.
    if (kind !== 'file') throw new PlyError('EOPNOTSUPP')
    return this.#opened(found.ino, flags)
  }

  #opened(ino: number, flags: OpenFlags): OpenFile {
    if (!flags.write) {
      if (flags.truncate) this.#writer(ino, true).close()
      const { tree, user } = this.#namespace
      const content = user ? user.open(ino, { granted: true }) : tree.open(ino)
      return { ino, flags, content, writer: undefined, position: 0 }
    }
    const writer = this.#writer(ino, flags.truncate)
    return { ino, flags, content: writer, writer, position: 0 }
  }

  /** What may be had was asked before, and is granted for what this opening made itself. */
  #writer(ino: number, truncate: boolean): WritableBytes {
    const options: Granted & { readonly truncate: boolean } = { truncate, granted: true }
    return this.#namespace.writable.writer(ino, options)
  }
}
