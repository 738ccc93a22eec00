import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import { type Clock, systemClock } from './clock.ts'
import { copiedContent, MemoryContent } from './memory-content.ts'
import { type MemoryDirectory, type MemoryNode, memoryNode, put, stand } from './memory-node.ts'
import { MemoryRoom } from './memory-room.ts'
import { MemoryView } from './memory-view.ts'
import {
  type AttributeChange,
  type Creation,
  firstNewInode,
  type Room,
  type Standing,
  type Unnamed,
  type Upper,
  type WritableBytes,
} from './upper.ts'

export interface MemoryUpperOptions {
  /** Where change times come from, in nanoseconds. Default: the machine's clock. */
  readonly now?: Clock
  /** Bytes that contents may take; beyond them writing is ENOSPC. Default: half of the machine's memory. */
  readonly room?: number
  /** New inodes are numbered from here on: above every number of a frozen upper below. Default: 2^40. */
  readonly numbersFrom?: number
}

/** An upper that lives in memory and ends with the process: the `Upper` contract and nothing else. */
export function memoryUpper({ now = systemClock(), room, numbersFrom = 0 }: MemoryUpperOptions = {}): Upper {
  return new MemoryUpper(now, new MemoryRoom(room), numbersFrom)
}

class MemoryUpper extends MemoryView implements Upper {
  readonly metadataOnly = true
  readonly redirects = true
  readonly #now: Clock
  readonly #room: MemoryRoom
  readonly #unnamed = new Map<number, MemoryContent>()
  #next: number

  constructor(now: Clock, room: MemoryRoom, numbersFrom: number) {
    super(firstNewInode, now())
    this.#next = Math.max(firstNewInode + 1, numbersFrom)
    this.#now = now
    this.#room = room
  }

  writer(ino: number): WritableBytes {
    return this.open(ino)
  }

  create(directory: number, name: ByteString, creation: Creation): number {
    const parent = this.#free(directory, name)
    const node = this.#add(this.#next++, creation)
    if (node.kind === 'file') node.content = new MemoryContent(this.#room)
    put(parent, name, node)
    node.names = 1
    return node.ino
  }

  copyUp(directory: number, name: ByteString, ino: number, creation: Creation, content?: Bytes): void {
    const parent = this.#free(directory, name)
    if (this.nodes.has(ino)) throw new PlyError('EEXIST', { syscall: 'open' })
    const copied = content && copiedContent(content, this.#room)
    const node = this.#add(ino, creation)
    node.content = copied
    node.names = 1
    put(parent, name, node)
  }

  copyUpContent(ino: number, content: Bytes): void {
    this.node(ino).content = copiedContent(content, this.#room)
  }

  link(directory: number, name: ByteString, ino: number): void {
    const node = this.node(ino)
    if (node.children) throw new PlyError('EPERM', { syscall: 'link' })
    put(this.#free(directory, name), name, node)
    node.names++
    node.ctime = this.#now()
  }

  rename(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    options: Standing & { readonly leave: 'nothing' | 'whiteout' },
  ): void {
    const from = this.directory(directory)
    const to = this.directory(toDirectory)
    const node = from.children.get(name)
    if (!node) throw new PlyError('ENOENT', { syscall: 'rename' })
    this.#drop(to, toName)
    put(to, toName, node)
    put(from, name, undefined)
    if (options.leave === 'nothing') from.children.delete(name)
    node.ctime = this.#now()
    stand(node, options)
  }

  exchange(
    directory: number,
    name: ByteString,
    toDirectory: number,
    toName: ByteString,
    standing: { readonly first: Standing; readonly second: Standing },
  ): void {
    const from = this.directory(directory)
    const to = this.directory(toDirectory)
    const node = from.children.get(name)
    const other = to.children.get(toName)
    if (!node || !other) throw new PlyError('ENOENT', { syscall: 'rename' })
    put(from, name, other)
    put(to, toName, node)
    node.ctime = other.ctime = this.#now()
    stand(other, standing.first)
    stand(node, standing.second)
  }

  forget(directory: number, name: ByteString): void {
    this.whiteout(directory, name)
    this.directory(directory).children.delete(name)
  }

  whiteout(directory: number, name: ByteString): void {
    const parent = this.directory(directory)
    this.#drop(parent, name)
    put(parent, name, undefined)
  }

  setOpaque(directory: number): void {
    this.directory(directory).opaque = true
  }

  setAttributes(ino: number, change: AttributeChange): void {
    const node = this.node(ino)
    if (node === this.top) this.topImplied = false
    if (change.mode !== undefined) node.mode = change.mode
    if (change.uid !== undefined) node.uid = change.uid
    if (change.gid !== undefined) node.gid = change.gid
    if (change.mtime !== undefined) node.mtime = change.mtime
    if (change.atime !== undefined) node.atime = change.atime
    node.ctime = this.#now()
  }

  setXattr(ino: number, name: ByteString, value: Uint8Array | undefined): void {
    const node = this.node(ino)
    if (value === undefined) node.xattrs.delete(name)
    else node.xattrs.set(name, Uint8Array.from(value))
    node.ctime = this.#now()
  }

  unnamed(): Unnamed {
    const ino = this.#next++
    const content = new MemoryContent(this.#room)
    this.#unnamed.set(ino, content)
    const opened = content.opened(() => {
      if (this.#unnamed.delete(ino)) content.release()
    })
    return { ino, content: opened }
  }

  adopt(directory: number, name: ByteString, file: Unnamed, creation: Creation & { readonly kind: 'file' }): void {
    const content = this.#unnamed.get(file.ino)
    if (!content) throw new PlyError('ENOENT', { syscall: 'link' })
    const parent = this.#free(directory, name)
    const node = this.#add(file.ino, creation)
    node.content = content
    node.names = 1
    this.#unnamed.delete(file.ino)
    put(parent, name, node)
  }

  room(): Room {
    return this.#room.room(this.nodes.size + this.#unnamed.size)
  }

  sync(): void {}

  #add(ino: number, creation: Creation): MemoryNode {
    const node = memoryNode(ino, creation, this.#now())
    this.nodes.set(ino, node)
    return node
  }

  /** Lets go of what stands at a name; the name itself is left to the caller. */
  #drop({ children }: MemoryDirectory, name: ByteString): void {
    const node = children.get(name)
    if (!node) return
    for (const inside of node.children?.values() ?? []) {
      if (inside) throw new PlyError('ENOTEMPTY', { syscall: 'rmdir' })
    }
    node.ctime = this.#now()
    if (--node.names > 0) return
    this.nodes.delete(node.ino)
    node.content?.release()
  }

  #free(directory: number, name: ByteString): MemoryDirectory {
    const parent = this.directory(directory)
    if (parent.children.get(name)) throw new PlyError('EEXIST', { syscall: 'open' })
    return parent
  }
}
