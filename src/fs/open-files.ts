import { kindIn } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Granted } from '../union/permissions.ts'
import type { WritableBytes } from '../union/upper.ts'
import { wants } from '../union/user.ts'
import type { Spot } from './changes.ts'
import { type OpenFlags, openFlags, parseFlags, parseMode } from './flags.ts'
import type { Namespace } from './namespace.ts'
import { refusal } from './refusal.ts'
import { type PathLike, pathBytes } from './texts.ts'

/** Far from the descriptors of the process: a mix-up ends in EBADF, not in somebody else's file. */
const firstDescriptor = 0x40000000

/** One opening of a file or directory: where it stands, and how. */
export interface OpenFile {
  readonly ino: number
  /** The name it was opened by; a file without a name has none. */
  readonly spot: Spot | undefined
  readonly flags: OpenFlags
  /** Absent for a directory, and for a place alone (`O_PATH`). */
  readonly content: Bytes | undefined
  readonly writer: WritableBytes | undefined
  /** Of what is open without content: to be called when it is closed. */
  readonly release?: (() => void) | undefined
  position: number
}

/** What Linux takes a descriptor for that stands for a place alone. */
const ofPlaces = new Set(['fstat', 'close'])

/** The descriptors of one face of a union. */
export class OpenFiles {
  readonly #namespace: Namespace
  /** By descriptor, counted from the first: a map takes ten times as long to put one in and take it out. */
  readonly #open: (OpenFile | undefined)[] = []
  readonly #free: number[] = []

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  open(path: PathLike, flags: string | number | null = 'r', mode?: number | string | null): number {
    const bytes = pathBytes(path)
    const parsed = parseFlags(flags)
    const wanted = parseMode(mode, 0o666)
    const file = this.#namespace.call('open', path, () => this.#openPath(bytes, parsed, wanted))
    const slot = this.#free.pop() ?? this.#open.length
    this.#open[slot] = file
    return firstDescriptor + slot
  }

  /** @throws EBADF */
  file(fd: number, syscall: string): OpenFile {
    const file = this.#open[fd - firstDescriptor]
    if (!file || (file.flags.pathOnly && !ofPlaces.has(syscall))) throw refusal('EBADF', syscall)
    return file
  }

  close(fd: number): void {
    const { content, release } = this.file(fd, 'close')
    this.#open[fd - firstDescriptor] = undefined
    this.#free.push(fd - firstDescriptor)
    this.#namespace.call('close', undefined, () => {
      content?.close()
      release?.()
    })
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
      if (done > 0) this.#namespace.changes.changed(file.ino, file.spot)
      return done
    })
  }

  truncate(fd: number, size: number): void {
    const { writer, ino, spot } = this.file(fd, 'ftruncate')
    this.#namespace.call('ftruncate', undefined, () => {
      if (!writer) throw new PlyError('EINVAL')
      writer.truncate(size)
      this.#namespace.changes.changed(ino, spot)
    })
  }

  sync(fd: number, syscall: 'fsync' | 'fdatasync' = 'fsync'): void {
    const { writer } = this.file(fd, syscall)
    this.#namespace.call(syscall, undefined, () => writer?.sync())
  }

  #openPath(path: ByteString, bits: number, mode: number): OpenFile {
    const flags = openFlags(bits)
    if (!flags) throw new PlyError('EINVAL')
    const { create, exclusive, noFollow } = flags
    const namespace = this.#namespace
    if (flags.unnamed) return this.#openUnnamed(path, flags, mode)
    const found = namespace.resolve(path, !(noFollow || (create && exclusive)), create)
    const { ino } = found
    if (ino !== undefined && flags.pathOnly) return this.#openPlace(ino, found, flags)
    if (ino !== undefined) return this.#openFound(ino, found, flags)
    if (!create) throw new PlyError('ENOENT')
    // There is nothing to cut off, and nobody's set-id bits to take.
    return this.#opened(namespace.make(found, { kind: 'file', mode }), found, flags, false)
  }

  #openFound(ino: number, spot: Spot, flags: OpenFlags): OpenFile {
    const { create, exclusive, directory, read, write, truncate } = flags
    const { tree, user } = this.#namespace
    if (create && exclusive) throw new PlyError('EEXIST')
    const kind = kindIn(tree, ino)
    if (create && kind === 'directory') throw new PlyError('EISDIR')
    if (directory && kind !== 'directory') throw new PlyError('ENOTDIR')
    if (kind === 'symlink') throw new PlyError('ELOOP')
    if (kind === 'directory' && (write || truncate)) throw new PlyError('EISDIR')
    user?.access(ino, (read ? wants.read : 0) | (write || truncate ? wants.write : 0))
    if (flags.noAccessTime && user && !user.user.owns(tree.stat(ino))) throw new PlyError('EPERM')
    if (kind === 'directory') return this.#held(ino, spot, flags)
    // There is nobody behind a device or a pipe in a union.
    if (kind !== 'file') throw new PlyError('EOPNOTSUPP')
    return this.#opened(ino, spot, flags, truncate)
  }

  /** Whatever stands there, a symlink too where it is not followed: nothing is asked of it, but of the way to it. */
  #openPlace(ino: number, spot: Spot, flags: OpenFlags): OpenFile {
    if (flags.directory && this.#namespace.tree.stat(ino).kind !== 'directory') throw new PlyError('ENOTDIR')
    return this.#held(ino, spot, flags)
  }

  /** Open without content. */
  #held(ino: number, spot: Spot, flags: OpenFlags): OpenFile {
    const { isReadOnly } = this.#namespace
    const release = isReadOnly ? undefined : this.#namespace.writable.hold(ino)
    return { ino, spot, flags, content: undefined, writer: undefined, release, position: 0 }
  }

  #openUnnamed(path: ByteString, flags: OpenFlags, mode: number): OpenFile {
    const { writable } = this.#namespace
    const directory = this.#namespace.find(path, true)
    if (writable.stat(directory).kind !== 'directory') throw new PlyError('ENOTDIR')
    const creation = { kind: 'file', ...this.#namespace.attributesIn(directory, 'file', mode) } as const
    const { ino, content } = writable.unnamed(directory, creation, { exclusive: flags.exclusive })
    return { ino, spot: undefined, flags, content, writer: content, position: 0 }
  }

  #opened(ino: number, spot: Spot, flags: OpenFlags, truncate: boolean): OpenFile {
    if (truncate) this.#namespace.changes.changed(ino, spot)
    if (!flags.write) {
      if (truncate) this.#writer(ino, true).close()
      const { tree, user } = this.#namespace
      const content = user ? user.open(ino, { granted: true }) : tree.open(ino)
      return { ino, spot, flags, content, writer: undefined, position: 0 }
    }
    const writer = this.#writer(ino, truncate)
    return { ino, spot, flags, content: writer, writer, position: 0 }
  }

  /** What may be had was asked before, and is granted for what this opening made itself. */
  #writer(ino: number, truncate: boolean): WritableBytes {
    const options: Granted & { readonly truncate: boolean } = { truncate, granted: true }
    return this.#namespace.writable.writer(ino, options)
  }
}
