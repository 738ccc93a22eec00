import { type Kind, type Stat, typeBits } from '../model/entry.ts'
import { codeOf } from '../model/errors.ts'
import type { TreeEntry } from '../stack/tree.ts'
import { type DirectoryHandle, openDirectory } from '../union/directory-handle.ts'
import { HandleTable } from './handle-table.ts'
import { entrySize, openAnswers, openSize } from './protocol.ts'
import type { Session } from './session.ts'

const directoryEntrySize = 24

interface OpenDirectory {
  readonly handle: DirectoryHandle
  read: boolean
  /** Names came, went or moved since the directory was read: what is told with attributes is looked up again. */
  changed: boolean
}

/** Requests about open directories. Offsets are places in what was there at the first question, or after going back to the start. */
export class Directories {
  readonly #session: Session
  readonly #table = new HandleTable<OpenDirectory>()
  readonly #open = new Map<number, Set<OpenDirectory>>()

  constructor(session: Session) {
    this.#session = session
  }

  open(): number {
    const { tree, reply, ino, validFor } = this.#session
    const directory: OpenDirectory = { handle: openDirectory(tree, ino), read: false, changed: false }
    const others = this.#open.get(ino)
    if (others) others.add(directory)
    else this.#open.set(ino, new Set([directory]))
    // The kernel keeps what it is told, until a name in it changes.
    const answers = validFor > 0 ? openAnswers.cacheDirectory | openAnswers.keepCache : 0
    reply.opened(0, this.#table.add(directory), answers)
    return openSize
  }

  release(): number {
    const directory = this.#table.take(this.#session.request.u64(0))
    const { ino } = directory.handle
    const others = this.#open.get(ino)!
    others.delete(directory)
    if (others.size === 0) this.#open.delete(ino)
    directory.handle.close()
    return 0
  }

  /** To be called when the names in a directory are others now. */
  changed(ino: number): void {
    const open = this.#open.get(ino)
    if (open) for (const directory of open) directory.changed = true
  }

  read(): number {
    return this.#each((entry, at, room, next) => {
      const size = padded(directoryEntrySize + entry.name.length)
      if (size > room) return 0
      this.#put(at, entry, size, next)
      return size
    })
  }

  readPlus(): number {
    return this.#each((entry, at, room, next, directory) => {
      const size = padded(entrySize + directoryEntrySize + entry.name.length)
      if (size > room) return 0
      const stat = next > 2 ? this.#stat(directory, entry) : undefined
      // Without attributes it is a name alone, and counts as no lookup.
      if (stat) this.#session.entry(at, entry.ino, stat)
      else this.#session.reply.zeros(at, entrySize)
      this.#put(at + entrySize, entry, size - entrySize, next)
      return size
    })
  }

  sync(): number {
    const { readOnly } = this.#session
    if (!readOnly) this.#session.union.sync()
    return 0
  }

  close(): void {
    for (const { handle } of this.#table.all()) handle.close()
  }

  #each(put: (entry: TreeEntry, at: number, room: number, next: number, directory: OpenDirectory) => number): number {
    const { request } = this.#session
    const directory = this.#table.get(request.u64(0))
    const size = request.u32(16)
    let offset = request.u64(8)
    if (offset === 0 && directory.read) {
      directory.handle.rewind()
      directory.changed = false
    }
    directory.read = true
    let at = 0
    for (let entry = directory.handle.at(offset); entry; entry = directory.handle.at(offset)) {
      offset++
      const used = put(entry, at, size - at, offset, directory)
      if (used === 0) break
      at += used
    }
    return at
  }

  /** What stands at a name, if that is still what was there when the directory was read. */
  #stat({ handle, changed }: OpenDirectory, { name, ino }: TreeEntry): Stat | undefined {
    const { tree } = this.#session
    try {
      if (changed && tree.lookup(handle.ino, name) !== ino) return undefined
      return tree.stat(ino)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      return undefined
    }
  }

  /** `struct fuse_dirent`. */
  #put(at: number, { name, ino, kind }: TreeEntry, size: number, next: number): void {
    const { reply } = this.#session
    reply.u64(at, ino)
    reply.u64(at + 8, next)
    reply.u32(at + 16, name.length)
    reply.u32(at + 20, directoryType(kind))
    reply.u64(at + size - 8, 0)
    reply.text(at + directoryEntrySize, name)
  }
}

function padded(size: number): number {
  return (size + 7) & ~7
}

/** `DT_…` */
function directoryType(kind: Kind): number {
  return typeBits[kind] >>> 12
}
