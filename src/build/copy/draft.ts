import type { PackItem } from '../../layer/index.ts'
import { type ByteString, compareBytes, displayText } from '../../model/bytes.ts'
import { type Attributes, type Kind, noXattrs, type Stat, type Xattrs } from '../../model/entry.ts'
import { PlyError } from '../../model/errors.ts'
import type { Tree } from '../../stack/tree.ts'

/** What is put at one path of a layer: where it comes from, and the attributes that it gets. */
export interface Drafted {
  readonly stat: Stat
  readonly xattrs: Xattrs
  /** What a file holds and a symlink leads to; absent for a directory that is made on the way. Names of one inode become hardlinks. */
  readonly source?: { readonly tree: Tree; readonly ino: number }
}

/** A place in a draft: what the tree below has there, and what the layer puts there. */
interface Node {
  readonly parent: Node | undefined
  readonly name: ByteString
  /** What stands there below; `undefined` for nothing. */
  readonly below: number | undefined
  drafted: Drafted | undefined
  /** Whether something is put here, or further down. */
  leads: boolean
  readonly children: Map<ByteString, Node>
}

const madeDirectory = { ino: 0, kind: 'directory', size: 0, links: 2, major: 0, minor: 0 } as const

/** As Linux has it: more symlinks than this in one path are a loop. */
const mostSymlinks = 40

/**
 * A layer in the making over a tree: entries are put at paths as a program would put them that runs in that tree, so symlinks on the
 * way are followed inside of it. Memory grows with what is put there.
 */
export class Draft {
  readonly #below: Tree
  readonly #root: Node

  constructor(below: Tree) {
    this.#below = below
    this.#root = {
      parent: undefined,
      name: '',
      below: below.root,
      drafted: undefined,
      leads: false,
      children: new Map(),
    }
  }

  /** Whether nothing was put anywhere. */
  get empty(): boolean {
    return !this.#root.leads
  }

  /**
   * Where a path really is, symlinks followed; names that are not there yet stand as they are.
   * @param follow also a symlink in the last place
   * @throws ENOTDIR, ELOOP
   */
  realPath(path: ByteString, follow = true): ByteString {
    return pathOf(this.#walk(path, follow))
  }

  /** What is at a path, once symlinks are followed; `undefined` for nothing. */
  kindAt(path: ByteString, follow = true): Kind | undefined {
    return this.#kindOf(this.#walk(path, follow))
  }

  /** Makes a directory, and those on the way, where none is; what is there stays as it is. @throws ENOTDIR */
  directory(path: ByteString, attributes: Attributes): void {
    const node = this.#walk(path, true)
    const missing: Node[] = []
    for (let at: Node | undefined = node; at !== undefined && this.#kindOf(at) === undefined; at = at.parent)
      missing.push(at)
    const kind = this.#kindOf(missing.at(-1)?.parent ?? node)
    if (kind !== 'directory') throw new PlyError('ENOTDIR', { syscall: 'mkdir', path: `/${displayText(pathOf(node))}` })
    for (const one of missing.reverse()) {
      set(one, { stat: { ...madeDirectory, ...attributes }, xattrs: noXattrs })
    }
  }

  /**
   * Puts something at a path whose directory is there; the last name is not followed. What stood there is replaced, but a directory by
   * a directory gets its attributes and keeps what it has.
   * @throws EISDIR for anything in the place of a directory, ENOTDIR for a directory in the place of anything else
   */
  put(path: ByteString, drafted: Drafted): void {
    const node = this.#walk(path, false)
    const kind = this.#kindOf(node)
    const isDirectory = drafted.stat.kind === 'directory'
    if (kind === 'directory' && !isDirectory)
      throw new PlyError('EISDIR', { syscall: 'open', path: `/${displayText(path)}` })
    if (kind !== undefined && kind !== 'directory' && isDirectory)
      throw new PlyError('ENOTDIR', { syscall: 'mkdir', path: `/${displayText(path)}` })
    set(node, drafted)
  }

  /** What was put there, in the order of an archive. */
  *placed(): Generator<{ readonly path: ByteString; readonly drafted: Drafted }, void, undefined> {
    for (const { node, path } of this.#nodes()) if (node.drafted !== undefined) yield { path, drafted: node.drafted }
  }

  /** What the layer says, in the order in which it says it (layer-semantics E-04): ancestors with the attributes that they have (E-05). */
  *items(): Generator<PackItem, void, undefined> {
    /** Where the first name of a file with several was put. */
    const firsts = new Map<unknown, Map<number, ByteString>>()
    for (const { node, path } of this.#nodes())
      if (path !== '' || node.drafted !== undefined) yield this.#item(node, path, firsts)
  }

  /** All that leads to what was put somewhere: ancestors first, names in byte order. */
  *#nodes(): Generator<{ readonly node: Node; readonly path: ByteString }, void, undefined> {
    const todo = [{ node: this.#root, path: '' }]
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const { node, path } = next
      if (!node.leads) continue
      yield next
      const names = [...node.children.keys()].sort(compareBytes)
      for (const name of names.reverse())
        todo.push({ node: node.children.get(name)!, path: path === '' ? name : `${path}/${name}` })
    }
  }

  #item({ drafted, below }: Node, path: ByteString, firsts: Map<unknown, Map<number, ByteString>>): PackItem {
    if (drafted === undefined)
      return { says: 'entry', path, stat: this.#below.stat(below!), xattrs: this.#below.xattrs(below!) }
    const { stat, xattrs, source } = drafted
    if (source === undefined || stat.kind === 'directory') return { says: 'entry', path, stat, xattrs }
    const { tree, ino } = source
    if (stat.links > 1) {
      const ofTree = firsts.get(tree) ?? new Map<number, ByteString>()
      const first = ofTree.get(ino)
      if (first !== undefined) return { says: 'entry', path, stat, xattrs, linkTo: first }
      firsts.set(tree, ofTree.set(ino, path))
    }
    if (stat.kind === 'symlink') return { says: 'entry', path, stat, xattrs, target: tree.readlink(ino) }
    return { says: 'entry', path, stat, xattrs, ...(stat.kind === 'file' && { open: () => tree.open(ino) }) }
  }

  #walk(path: ByteString, follow: boolean): Node {
    const todo = path.split('/').reverse()
    let node = this.#root
    for (let followed = 0; todo.length > 0; ) {
      const name = todo.pop()!
      if (name === '' || name === '.') continue
      if (name === '..') {
        node = node.parent ?? node
        continue
      }
      const kind = this.#kindOf(node)
      if (kind !== undefined && kind !== 'directory')
        throw new PlyError('ENOTDIR', { syscall: 'stat', path: `/${displayText(pathOf(node))}` })
      const next = this.#child(node, name)
      const last = !todo.some((rest) => rest !== '' && rest !== '.')
      if (this.#kindOf(next) !== 'symlink' || (last && !follow)) {
        node = next
        continue
      }
      if (++followed > mostSymlinks) throw new PlyError('ELOOP', { syscall: 'stat', path: `/${displayText(path)}` })
      const target = this.#targetOf(next)
      if (target.startsWith('/')) node = this.#root
      todo.push(...target.split('/').reverse())
    }
    return node
  }

  #child(node: Node, name: ByteString): Node {
    const known = node.children.get(name)
    if (known !== undefined) return known
    const isBelow = node.below !== undefined && this.#below.stat(node.below).kind === 'directory'
    const below = isBelow ? this.#below.lookup(node.below!, name) : undefined
    const child: Node = { parent: node, name, below, drafted: undefined, leads: false, children: new Map() }
    node.children.set(name, child)
    return child
  }

  #kindOf({ drafted, below }: Node): Kind | undefined {
    if (drafted !== undefined) return drafted.stat.kind
    return below === undefined ? undefined : this.#below.stat(below).kind
  }

  #targetOf({ drafted, below }: Node): ByteString {
    return drafted?.source === undefined
      ? this.#below.readlink(below!)
      : drafted.source.tree.readlink(drafted.source.ino)
  }
}

function set(node: Node, drafted: Drafted): void {
  node.drafted = drafted
  for (let at: Node | undefined = node; at !== undefined && !at.leads; at = at.parent) at.leads = true
}

function pathOf({ parent, name }: Node): ByteString {
  if (parent === undefined) return ''
  const above = pathOf(parent)
  return above === '' ? name : `${above}/${name}`
}
