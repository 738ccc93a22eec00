import type { ByteString } from '../../src/model/bytes.ts'
import type { Kind } from '../../src/model/entry.ts'
import { PlyError } from '../../src/model/errors.ts'
import type { Allocation, WritableBytes } from '../../src/union/upper.ts'
import { now } from './verbs.ts'

/** One inode of the plain model. */
export interface Inode {
  readonly ino: number
  readonly kind: Kind
  mode: number
  uid: number
  gid: number
  mtime: bigint
  atime: bigint
  readonly xattrs: Map<ByteString, Uint8Array>
  content: Buffer
  readonly target: ByteString
  readonly major: number
  readonly minor: number
  links: number
  /** Directories. */
  readonly children: Map<ByteString, Inode> | undefined
  parent: Inode | undefined
  /** Made without a name: whether it may get one, and whether it has none yet. */
  linkable: boolean
  unnamed: boolean
}

/** An open file of the plain model. */
export class ModelHandle implements WritableBytes {
  readonly #inode: Inode

  constructor(inode: Inode) {
    this.#inode = inode
  }

  get size(): number {
    return this.#inode.content.length
  }

  read(into: Uint8Array, position: number): number {
    return position >= this.size ? 0 : this.#inode.content.copy(into, 0, position)
  }

  write(from: Uint8Array, position: number): number {
    if (from.length === 0) return 0
    this.#change(Math.max(this.size, position + from.length))
    this.#inode.content.set(from, position)
    return from.length
  }

  truncate(size: number): void {
    this.#change(size)
  }

  allocate(what: Allocation, position: number, length: number): void {
    if (length <= 0 || position < 0) throw new PlyError('EINVAL')
    this.#change(what === 'extend' ? Math.max(this.size, position + length) : this.size)
    if (what === 'punch' || what === 'zero') {
      const { content } = this.#inode
      if (position < content.length) content.fill(0, position, Math.min(content.length, position + length))
    }
  }

  sync(): void {}

  close(): void {}

  #change(size: number): void {
    const inode = this.#inode
    inode.xattrs.delete('security.capability')
    inode.mtime = now()
    if (size === inode.content.length) return
    const content = Buffer.alloc(size)
    inode.content.copy(content)
    inode.content = content
  }
}
