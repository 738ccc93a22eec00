import type { ByteString } from '../model/bytes.ts'
import { kindOf } from '../model/entry.ts'
import { longestName } from '../union/names.ts'
import type { Directories } from './directories.ts'
import { refused } from './errnos.ts'
import { entrySize, renameFlags } from './protocol.ts'
import { deviceParts } from './reply.ts'
import type { Session } from './session.ts'

/** Requests about names: finding, making, moving and removing them. */
export class Naming {
  readonly #session: Session
  readonly #directories: Directories

  constructor(session: Session, directories: Directories) {
    this.#session = session
    this.#directories = directories
  }

  lookup(): number {
    const { tree, request, reply, validFor, ino: directory } = this.#session
    const name = request.text(0)
    // The kernel's own limit for FUSE is higher.
    if (name.length > longestName) return refused('ENAMETOOLONG')
    const found = tree.lookup(directory, name)
    if (found !== undefined) return this.#session.entry(0, found)
    // The kernel remembers that nothing stands there.
    reply.entry(0, 0, undefined, validFor, 0)
    return entrySize
  }

  mknod(): number {
    const { request } = this.#session
    const mode = request.u32(0)
    const kind = kindOf(mode)
    if (kind === undefined || kind === 'directory' || kind === 'symlink') return refused('EINVAL')
    const device = kind === 'character' || kind === 'block' ? deviceParts(request.u32(4)) : undefined
    return this.#make(request.text(16), { ...this.#creation(kind, mode, request.u32(8)), ...device })
  }

  mkdir(): number {
    const { request } = this.#session
    return this.#make(request.text(8), this.#creation('directory', request.u32(0), request.u32(4)))
  }

  symlink(): number {
    const { request } = this.#session
    const name = request.text(0)
    const target = request.text(name.length + 1)
    return this.#make(name, { ...this.#creation('symlink', 0o777, 0), target })
  }

  link(): number {
    const { union, nodes, request, ino: directory } = this.#session
    const ino = nodes.ino(request.u64(0))
    union.link(directory, request.text(8), ino)
    this.#directories.changed(directory)
    return this.#session.entry(0, ino)
  }

  unlink(): number {
    const { union, request, ino: directory } = this.#session
    const name = request.text(0)
    this.#keep(directory, name)
    union.unlink(directory, name)
    this.#directories.changed(directory)
    return 0
  }

  rmdir(): number {
    const { union, request, ino: directory } = this.#session
    const name = request.text(0)
    this.#keep(directory, name)
    union.rmdir(directory, name)
    this.#directories.changed(directory)
    return 0
  }

  rename(): number {
    return this.#rename(0, 8)
  }

  rename2(): number {
    return this.#rename(this.#session.request.u32(8), 16)
  }

  #rename(flags: number, namesAt: number): number {
    if (flags & ~(renameFlags.noReplace | renameFlags.exchange)) return refused('EINVAL')
    const { union, nodes, request, ino: directory } = this.#session
    const toDirectory = nodes.ino(request.u64(0))
    const name = request.text(namesAt)
    const toName = request.text(namesAt + name.length + 1)
    const noReplace = (flags & renameFlags.noReplace) !== 0
    const exchange = (flags & renameFlags.exchange) !== 0
    if (!exchange) this.#keep(toDirectory, toName)
    union.rename(directory, name, toDirectory, toName, { noReplace, exchange })
    this.#directories.changed(directory)
    if (toDirectory !== directory) this.#directories.changed(toDirectory)
    return 0
  }

  #creation<K extends Parameters<Session['creation']>[1]>(kind: K, mode: number, umask: number) {
    return this.#session.creation(this.#session.ino, kind, mode, umask)
  }

  #make(name: ByteString, creation: ReturnType<Session['creation']>): number {
    const { union, ino: directory } = this.#session
    const ino = union.create(directory, name, creation)
    this.#directories.changed(directory)
    return this.#session.entry(0, ino)
  }

  /** What stands at a name goes on being there for those who have it. */
  #keep(directory: number, name: ByteString): void {
    const { union, nodes } = this.#session
    const ino = union.lookup(directory, name)
    if (ino !== undefined) nodes.keep(ino)
  }
}
