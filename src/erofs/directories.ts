import type { ByteString } from '../model/bytes.ts'
import { compareName, entryCount, entryNid, entryType, nameEnd, nameStart } from './directory-block.ts'
import { directoryType, direntKind } from './dirents.ts'
import type { IndexEntry } from './format.ts'
import type { InodeReader } from './inode-reader.ts'
import type { Pages } from './pages.ts'
import { RecentNames } from './recent-names.ts'
import type { Fail } from './refusal.ts'
import { blockSize } from './superblock.ts'

/** Where the content of one directory stands. */
interface Directory {
  readonly nid: number
  readonly blocks: number
  /** Byte offset of the blocks before the last one. */
  readonly start: number
  /** Byte offset of the last block. */
  readonly last: number
  /** Bytes used in it. */
  readonly lastSize: number
}

/** Names in directories: binary search in place, and listing. */
export class Directories {
  readonly #pages: Pages
  readonly #inodes: InodeReader
  readonly #fail: Fail
  #recent: Directory | undefined
  readonly #recentNames = new RecentNames()

  constructor(pages: Pages, inodes: InodeReader, fail: Fail) {
    this.#pages = pages
    this.#inodes = inodes
    this.#fail = fail
  }

  lookup(directory: number, name: ByteString): number | undefined {
    return this.#recentNames.get(directory, name, this.#find)
  }

  parent(directory: number): number {
    const nid = this.#search(this.#open(directory), '..')
    if (nid === undefined) return this.#fail(`directory ${directory} has no parent`)
    return nid
  }

  /**
   * In byte order, without `.` and `..`. A subdirectory must stand behind its directory and behind those listed before it, and
   * name it as its parent: with that, no damaged or hostile file can send a walk in circles or through a directory twice.
   */
  *list(directory: number): Generator<IndexEntry, void, undefined> {
    const open = this.#open(directory)
    let previous = ''
    let before = directory
    for (let block = 0; block < open.blocks; block++) {
      const limit = this.#limit(open, block)
      const buffer = this.#pages.view(this.#place(open, block), limit)
      const at = this.#pages.offset
      const end = at + limit
      const count = entryCount(buffer, at, end)
      if (count < 0) this.#damaged(directory)
      for (let i = 0; i < count; i++) {
        const from = nameStart(buffer, at, end, i)
        const to = from < 0 ? -1 : nameEnd(buffer, at, end, i, count, from)
        const ino = entryNid(buffer, at, i)
        const type = entryType(buffer, at, i)
        const kind = direntKind(type)
        if (to < 0 || ino < 0 || kind === undefined) return this.#damaged(directory)
        const name = buffer.toString('latin1', from, to)
        if (name <= previous) this.#damaged(directory)
        previous = name
        if (name === '.' || name === '..') continue
        if (type === directoryType) {
          if (ino <= before || !this.#holds(directory, ino)) this.#damaged(directory)
          before = ino
        }
        yield { name, ino, kind }
      }
    }
  }

  #holds(directory: number, child: number): boolean {
    return this.#inodes.kind(child) === 'directory' && this.parent(child) === directory
  }

  readonly #find = (directory: number, name: ByteString): number | undefined => {
    const open = this.#open(directory)
    return name === '.' || name === '..' ? undefined : this.#search(open, name)
  }

  #search(directory: Directory, name: ByteString): number | undefined {
    const pages = this.#pages
    let low = 0
    let high = directory.blocks - 1
    // The last block whose first name is not behind the wanted one.
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      const limit = this.#limit(directory, middle)
      const buffer = pages.view(this.#place(directory, middle), limit)
      if (this.#compare(directory, buffer, pages.offset, pages.offset + limit, 0, name) <= 0) low = middle
      else high = middle - 1
    }
    const limit = this.#limit(directory, low)
    const buffer = pages.view(this.#place(directory, low), limit)
    const at = pages.offset
    let first = 0
    let last = entryCount(buffer, at, at + limit) - 1
    if (last < 0) this.#damaged(directory.nid)
    while (first <= last) {
      const middle = (first + last) >>> 1
      const order = this.#compare(directory, buffer, at, at + limit, middle, name)
      if (order === 0) return this.#found(directory.nid, buffer, at, middle, name)
      if (order < 0) first = middle + 1
      else last = middle - 1
    }
    return undefined
  }

  #compare(directory: Directory, buffer: Buffer, at: number, limit: number, index: number, name: ByteString): number {
    const count = entryCount(buffer, at, limit)
    const start = count < 0 ? -1 : nameStart(buffer, at, limit, index)
    const end = start < 0 ? -1 : nameEnd(buffer, at, limit, index, count, start)
    if (end < 0) this.#damaged(directory.nid)
    return compareName(buffer, start, end, name)
  }

  #found(directory: number, buffer: Buffer, at: number, index: number, name: ByteString): number {
    const nid = entryNid(buffer, at, index)
    if (nid < 0) this.#damaged(directory)
    if (name === '.' || name === '..') {
      if (nid > directory) this.#damaged(directory)
    } else if (entryType(buffer, at, index) === directoryType && nid <= directory) this.#damaged(directory)
    return nid
  }

  #open(nid: number): Directory {
    if (this.#recent?.nid === nid) return this.#recent
    return (this.#recent = this.#inodes.directory(nid))
  }

  #place({ blocks, start, last }: Directory, block: number): number {
    return block === blocks - 1 ? last : start + block * blockSize
  }

  #limit({ blocks, lastSize }: Directory, block: number): number {
    return block === blocks - 1 ? lastSize : blockSize
  }

  #damaged(directory: number): never {
    return this.#fail(`directory ${directory} makes no sense`)
  }
}

export type { Directory }
