import { nothing, type Placed, type Verdict, whiteout } from '../layer/view.ts'
import { type ByteString, compareBytes } from '../model/bytes.ts'
import { defaultDirectory, type Kind, type Stat, type Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { isDirectory, type MemoryDirectory, type MemoryNode, memoryNode, placed, statOf } from './memory-node.ts'
import type { WritableBytes } from './upper.ts'

/** What a memory upper says. */
export class MemoryView {
  protected readonly nodes = new Map<number, MemoryNode>()
  protected readonly top: MemoryNode
  protected topImplied = true

  constructor(root: number, ctime: bigint) {
    this.top = memoryNode(root, { kind: 'directory', ...defaultDirectory }, ctime)
    this.nodes.set(root, this.top)
  }

  get root(): Placed {
    return { ...placed(this.top), implied: this.topImplied }
  }

  lookup(directory: number, name: ByteString): Verdict {
    const { children } = this.directory(directory)
    const child = children.get(name)
    if (child !== undefined) return placed(child)
    return children.has(name) ? whiteout : nothing
  }

  *list(directory: number): Iterable<{ readonly name: ByteString; readonly verdict: Verdict }> {
    for (const name of [...this.directory(directory).children.keys()].sort(compareBytes)) {
      const verdict = this.lookup(directory, name)
      if (verdict.says !== 'nothing') yield { name, verdict }
    }
  }

  stat(ino: number): Stat {
    return statOf(this.node(ino))
  }

  kind(ino: number): Kind {
    return this.node(ino).kind
  }

  readlink(ino: number): ByteString {
    const { kind, target } = this.node(ino)
    if (kind !== 'symlink') throw new PlyError('EINVAL', { syscall: 'readlink' })
    return target
  }

  xattrs(ino: number): Xattrs {
    return this.node(ino).xattrs
  }

  has(ino: number): boolean {
    return this.nodes.has(ino)
  }

  hasContent(ino: number): boolean {
    return this.nodes.get(ino)?.content !== undefined
  }

  open(ino: number): WritableBytes {
    const { kind, content } = this.node(ino)
    if (kind === 'directory') throw new PlyError('EISDIR', { syscall: 'open' })
    if (content === undefined) throw new PlyError('EINVAL', { syscall: 'open' })
    return content.opened()
  }

  close(): void {}

  protected node(ino: number): MemoryNode {
    const node = this.nodes.get(ino)
    if (!node) throw new PlyError('ENOENT', { syscall: 'stat' })
    return node
  }

  protected directory(directory: number): MemoryDirectory {
    const node = this.node(directory)
    if (!isDirectory(node)) throw new PlyError('ENOTDIR', { syscall: 'lookup' })
    return node
  }
}
