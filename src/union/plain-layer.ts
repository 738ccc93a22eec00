import type { LayerView, Placed, Verdict } from '../layer/view.ts'
import { type ByteString, encodeText } from '../model/bytes.ts'
import { defaultDirectory, type Kind } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { memoryBytes } from '../stream/bytes.ts'
import { copiedContent } from './memory-content.ts'
import { isDirectory, type MemoryDirectory, type MemoryNode, memoryNode, put } from './memory-node.ts'
import { MemoryRoom } from './memory-room.ts'
import { MemoryView } from './memory-view.ts'
import { longestName } from './names.ts'

/** What may be said of anything in a plain layer. Default: mode 644 (755 for directories, 777 for symlinks), owner 0:0, time 0. */
export interface PlainAttributes {
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** Nanoseconds since the epoch. */
  readonly mtime?: bigint
  /** Names and values are text (UTF-8); values may be bytes. */
  readonly xattrs?: Readonly<Record<string, string | Uint8Array>>
}

/** What a plain layer has at a path: the content of a file (text is UTF-8), or what else it is. */
export type PlainEntry =
  | string
  | Uint8Array
  | ({ readonly content: string | Uint8Array } & PlainAttributes)
  /** `opaque`: nothing from below shows in it. */
  | ({ readonly directory: true; readonly opaque?: boolean } & PlainAttributes)
  | ({ readonly symlink: string } & PlainAttributes)
  | ({ readonly kind: 'fifo' | 'socket' } & PlainAttributes)
  | ({ readonly kind: 'character' | 'block'; readonly major: number; readonly minor: number } & PlainAttributes)
  /** One more name for a file of the same object, by its path. */
  | { readonly hardlink: string }
  /** What layers below have there is removed. */
  | { readonly whiteout: true }

const rootNumber = 1

/**
 * A layer made from a plain object, in memory: paths (text; from the root, with or without a slash in front) to files. It is one of the
 * views that `union` stacks. `/` describes the root. Directories on the way are there without being described: they have the attributes
 * of what stands below, and one that holds whiteouts alone makes nothing. What it is given is copied.
 *
 * @throws PLY_UNREPRESENTABLE for a path that leaves the root or is too long, stands at two places of the object, or leads through
 * what is no directory; for a hardlink to what is no file of the object; for the device 0:0, which would be a whiteout
 */
export function plainLayer(files: Readonly<Record<string, PlainEntry>>): LayerView {
  return new PlainLayer(files)
}

class PlainLayer extends MemoryView {
  readonly #described = new Set<MemoryNode>()
  /** Of directories that are not described: whether anything but whiteouts is in them, once it was asked. */
  readonly #made = new Map<MemoryNode, boolean>()
  readonly #room = new MemoryRoom(Number.POSITIVE_INFINITY)
  #next = rootNumber + 1

  constructor(files: Readonly<Record<string, PlainEntry>>) {
    super(rootNumber, 0n)
    const links: { readonly path: string; readonly to: string }[] = []
    for (const [path, entry] of Object.entries(files)) {
      if (typeof entry === 'object' && 'hardlink' in entry) links.push({ path, to: entry.hardlink })
      else this.#add(path, entry)
    }
    for (const { path, to } of links) {
      const file = this.#find(to)
      if (!file || file.children) throw unrepresentable(path, `${to} is no file of the object`)
      this.#put(path, file)
    }
  }

  override get root(): Placed {
    return { ...super.root, implied: !this.#described.has(this.top) }
  }

  override lookup(directory: number, name: ByteString): Verdict {
    const verdict = super.lookup(directory, name)
    if (verdict.says !== 'entry' || !verdict.directory) return verdict
    const node = this.node(verdict.ino)
    if (this.#described.has(node)) return verdict
    return this.#holdsSomething(node) ? { ...verdict, implied: true } : { says: 'ghost', ino: node.ino }
  }

  #add(path: string, entry: Exclude<PlainEntry, { readonly hardlink: string }>): void {
    if (typeof entry === 'string' || entry instanceof Uint8Array) {
      this.#add(path, { content: entry })
      return
    }
    if ('whiteout' in entry) {
      this.#put(path, undefined)
      return
    }
    const kind = kindOf(entry)
    const usual = kind === 'directory' ? defaultDirectory.mode : kind === 'symlink' ? 0o777 : 0o644
    const { mode = usual, uid = 0, gid = 0, mtime = 0n, xattrs = {} } = entry
    const { major, minor } = 'major' in entry ? entry : { major: 0, minor: 0 }
    if (kind === 'character' && major === 0 && minor === 0) throw unrepresentable(path, 'the device 0:0 is a whiteout')
    const node = memoryNode(
      this.#next++,
      {
        ...{ kind, mode, uid, gid, mtime, major, minor },
        xattrs: new Map(Object.entries(xattrs).map(([name, value]) => [encodeText(name), bytesOf(value)])),
        ...('symlink' in entry && { target: encodeText(entry.symlink) }),
        ...('opaque' in entry && entry.opaque !== undefined && { opaque: entry.opaque }),
      },
      mtime,
    )
    if ('content' in entry) node.content = copiedContent(memoryBytes(bytesOf(entry.content)), this.#room)
    this.#put(path, node)
  }

  /** Puts something at a path that nothing else of the object has described. */
  #put(path: string, node: MemoryNode | undefined): void {
    const parts = partsOf(path)
    const name = parts.pop()
    if (name === undefined) {
      if (!node?.children || this.#described.has(this.top)) throw unrepresentable(path, 'the root is one directory')
      const { mode, uid, gid, mtime, ctime, opaque, xattrs } = node
      Object.assign(this.top, { mode, uid, gid, mtime, atime: mtime, ctime, opaque })
      for (const [key, value] of xattrs) this.top.xattrs.set(key, value)
      this.#described.add(this.top)
      return
    }
    const parent = this.#directory(path, parts)
    const there = parent.children.get(name)
    const isFree = there ? there.children && node?.children && !this.#described.has(there) : !parent.children.has(name)
    if (!isFree) throw unrepresentable(path, 'another path of the object names the same file')
    if (node === undefined) {
      put(parent, name, undefined)
      return
    }
    // What was on the way to something before it was described.
    for (const [key, child] of there?.children ?? []) put(node as MemoryDirectory, key, child)
    if (there) this.nodes.delete(there.ino)
    this.#described.add(node)
    this.nodes.set(node.ino, node)
    node.names++
    put(parent, name, node)
  }

  /** The directory with this path, made if it is missing. */
  #directory(path: string, parts: readonly ByteString[]): MemoryDirectory {
    let at = this.top as MemoryDirectory
    for (const part of parts) {
      let next = at.children.get(part)
      if (next === undefined) {
        if (at.children.has(part)) throw unrepresentable(path, 'it leads through what is removed')
        next = memoryNode(this.#next++, { kind: 'directory', ...defaultDirectory }, 0n)
        next.names = 1
        this.nodes.set(next.ino, next)
        put(at, part, next)
      }
      if (!isDirectory(next)) throw unrepresentable(path, 'it leads through what is no directory')
      at = next
    }
    return at
  }

  #find(path: string): MemoryNode | undefined {
    let at: MemoryNode | undefined = this.top
    for (const part of partsOf(path)) at = at?.children?.get(part)
    return at
  }

  /** Whether a directory that is not described holds anything but whiteouts, at any depth. */
  #holdsSomething(directory: MemoryNode): boolean {
    let made = this.#made.get(directory)
    if (made !== undefined) return made
    made = false
    const waiting = [directory]
    for (let next = waiting.pop(); next !== undefined && !made; next = waiting.pop()) {
      for (const child of next.children!.values()) {
        if (child === undefined) continue
        if (this.#described.has(child)) made = true
        else waiting.push(child)
      }
    }
    this.#made.set(directory, made)
    return made
  }
}

function kindOf(
  entry: Exclude<PlainEntry, string | Uint8Array | { readonly hardlink: string } | { readonly whiteout: true }>,
): Kind {
  if ('kind' in entry) return entry.kind
  if ('directory' in entry) return 'directory'
  return 'symlink' in entry ? 'symlink' : 'file'
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : Uint8Array.from(value)
}

function partsOf(path: string): ByteString[] {
  const parts = encodeText(path)
    .split('/')
    .filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw unrepresentable(path, '.. would leave the directory it stands in')
  if (parts.some((part) => part.length > longestName)) throw unrepresentable(path, 'a name of it is too long')
  if (path.includes('\0')) throw unrepresentable(path, 'names have no NUL')
  return parts
}

function unrepresentable(path: string, reason: string): PlyError {
  return new PlyError('PLY_UNREPRESENTABLE', { path, where: 'a layer', reason })
}
