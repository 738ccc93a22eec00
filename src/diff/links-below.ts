import type { PackItem } from '../layer/pack.ts'
import type { LayerView } from '../layer/view.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import { noXattrs, type Stat } from '../model/entry.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { EntryItems } from './entry-items.ts'

/** Attributes of a hardlink whose target nobody has seen; readers ignore them (layer-semantics H-07). */
const unseen: Stat = {
  ino: 0,
  kind: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0n,
  size: 0,
  links: 1,
  major: 0,
  minor: 0,
}

/**
 * What an archive says where a layer has one more name of something below it (layer-semantics H-06).
 *
 * A hardlink does, as long as the archive itself has nothing at the target's path, since it would bind to that (H-04,
 * H-05). Where it has, another name of the target does. Where all of them are taken, none is left to share an inode with,
 * so the first of the layer's names carries what the target held.
 */
export class LinksBelow {
  readonly #view: LayerView
  readonly #below: (() => Tree | Promise<Tree>) | undefined
  #copies: EntryItems | undefined
  /** The names of every hardlinked file below. */
  #names: ReadonlyMap<number, readonly ByteString[]> | undefined

  constructor(view: LayerView, below: (() => Tree | Promise<Tree>) | undefined) {
    this.#view = view
    this.#below = below
  }

  /** @throws PLY_UNREPRESENTABLE if the target's path is taken and nobody said what is below */
  async item(path: ByteString, target: ByteString): Promise<PackItem> {
    const free = !this.#takes(target)
    const tree = await this.#below?.()
    const ino = tree && find(tree, target)
    if (tree === undefined || ino === undefined) {
      if (!free) throw taken(path, target)
      return { path, says: 'entry', stat: unseen, xattrs: noXattrs, linkTo: target }
    }
    const linkTo = free ? target : this.#freeName(tree, ino)
    if (linkTo !== undefined) return { path, says: 'entry', stat: tree.stat(ino), xattrs: noXattrs, linkTo }
    return (this.#copies ??= new EntryItems(tree, true)).entry(path, ino)
  }

  /** Whether a hardlink to a path would find something in the archive, or go astray through a symlink of it (H-02). */
  #takes(path: ByteString): boolean {
    const { root } = this.#view
    let directory = root.ino
    let closed = root.opaque
    const names = path.split('/')
    for (const [at, name] of names.entries()) {
      const last = at === names.length - 1
      const verdict = this.#view.lookup(directory, name)
      switch (verdict.says) {
        case 'nothing':
        case 'whiteout':
          return false
        case 'link':
          return !isNoChange(verdict.path, path, closed)
        case 'ghost':
          if (last) return false
          directory = verdict.ino
          break
        case 'entry':
          if (last) return true
          if (!verdict.directory) return this.#view.stat(verdict.ino).kind === 'symlink'
          directory = verdict.ino
          closed ||= verdict.opaque
          break
        default:
          return verdict satisfies never
      }
    }
    return false
  }

  /** Another name of a file below, which the archive has nothing at. */
  #freeName(tree: Tree, ino: number): ByteString | undefined {
    if (tree.stat(ino).links < 2) return undefined
    this.#names ??= linkedNames(tree)
    return this.#names.get(ino)?.find((name) => !this.#takes(name))
  }
}

/** A name that is linked to itself stays what it was below, unless nothing from below shows there. */
export function isNoChange(target: ByteString, path: ByteString, closed: boolean): boolean {
  return target === path && !closed
}

/** What stands at a path. Symlinks on the way are not followed. */
export function find(tree: Tree, path: ByteString): number | undefined {
  let ino: number | undefined = tree.root
  try {
    for (const name of path.split('/')) {
      if (ino === undefined) return undefined
      ino = tree.lookup(ino, name)
    }
    return ino
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

function linkedNames(tree: Tree): Map<number, ByteString[]> {
  const names = new Map<number, ByteString[]>()
  const waiting = [{ ino: tree.root, prefix: '' }]
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { name, ino, kind } of tree.list(directory.ino)) {
      const path = directory.prefix + name
      if (kind === 'directory') waiting.push({ ino, prefix: `${path}/` })
      else if (tree.stat(ino).links > 1) {
        const known = names.get(ino)
        if (known === undefined) names.set(ino, [path])
        else known.push(path)
      }
    }
  }
  return names
}

function taken(path: ByteString, target: ByteString): PlyError {
  const reason = `it is a hardlink to what is below at ${displayText(target)}, and the layer has something else there (H-04)`
  return new PlyError('PLY_UNREPRESENTABLE', { path: displayText(path), where: 'a layer', reason })
}
