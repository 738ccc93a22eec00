import type { PackItem } from '../layer/pack.ts'
import { type ByteString, compareBytes } from '../model/bytes.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { Tree } from '../stack/tree.ts'
import type { Changeset } from './change.ts'
import { EntryItems, type Skipping, skips } from './entry-items.ts'
import { checkVerified } from './verified.ts'

export interface PackChangesOptions extends Operation, Skipping {
  /** A directory that lost all it had below gets one opaque marker, not a whiteout for each name (E-07). */
  readonly opaque?: boolean | undefined
}

/** A path that the layer mentions, or that leads to one. Only what changed is here: never the whole tree. */
interface Node {
  readonly ino: number
  children: Map<ByteString, Node> | undefined
  removed: ByteString[] | undefined
}

/**
 * What a layer has to say so that `before` becomes `after`, in the order in which an archive says it (E-04): ancestors
 * with their real attributes (E-05), one whiteout for a removed subtree (E-06), every name of a hardlink group of which
 * one name changed (E-09). `changes` is a diff of these two trees. Memory grows with the changes, not with the trees.
 *
 * @throws PLY_UNREPRESENTABLE for a name that would be read as a whiteout (E-10); PLY_UNSUPPORTED for a tree that was not verified; PLY_ABORTED
 */
export async function* packChanges(
  changes: Changeset,
  between: { readonly before: Tree; readonly after: Tree },
  options: PackChangesOptions = {},
): AsyncGenerator<PackItem, void, undefined> {
  const { before, after } = between
  checkVerified(before, after)
  const pace = new Pace(options.signal)
  const root: Node = { ino: after.root, children: undefined, removed: undefined }
  const groups = new Map<number, { seen: number; readonly links: number }>()
  let rootChanged = false

  for await (const change of changes) {
    const { bytes: path } = change
    if (path === '') rootChanged = true
    else if (change.kind === 'delete') remove(root, path, after)
    else if (skips(path, change.after.kind, options)) {
      // What stood there is gone all the same.
      if (change.kind === 'modify') remove(root, path, after)
    } else {
      insert(root, path, after)
      const { ino, kind, links } = change.after
      if (kind === 'directory' || links < 2) continue
      const group = groups.get(ino)
      if (group) group.seen++
      else groups.set(ino, { seen: 1, links })
    }
  }
  if ([...groups.values()].some(({ seen, links }) => seen < links)) {
    for (const { path, ino } of namesOf(after)) {
      if (pace.due()) await pace.rest()
      if (groups.has(ino) && !skips(path, 'file', options)) insert(root, path, after)
    }
  }

  const items = new EntryItems(after)
  const stack: { readonly path: ByteString; readonly node: Node }[] = [{ path: '', node: root }]
  for (let place: (typeof stack)[number] | undefined; (place = stack.pop()); ) {
    if (pace.due()) await pace.rest()
    const { path, node } = place
    const prefix = path === '' ? '' : `${path}/`
    if (path !== '' || rootChanged) yield items.entry(path, node.ino)
    if (node.removed) {
      if (options.opaque && losesAll(before, path, node.removed)) yield { path, says: 'opaque' }
      else for (const name of node.removed.sort(compareBytes)) yield { path: prefix + name, says: 'whiteout' }
    }
    if (!node.children) continue
    const names = [...node.children.keys()].sort(compareBytes)
    for (const name of names.reverse()) stack.push({ path: prefix + name, node: node.children.get(name)! })
  }
}

/** The node of a path of `after`, made if missing, its ancestors too. */
function insert(root: Node, path: ByteString, after: Tree): Node {
  let node = root
  if (path === '') return node
  for (const name of path.split('/')) {
    const children = (node.children ??= new Map())
    let child = children.get(name)
    if (!child) {
      child = { ino: after.lookup(node.ino, name)!, children: undefined, removed: undefined }
      children.set(name, child)
    }
    node = child
  }
  return node
}

function remove(root: Node, path: ByteString, after: Tree): void {
  const end = path.lastIndexOf('/')
  const parent = insert(root, end < 0 ? '' : path.slice(0, end), after)
  ;(parent.removed ??= []).push(path.slice(end + 1))
}

/** Whether these names are all that `before` has in a directory. */
function losesAll(before: Tree, path: ByteString, removed: readonly ByteString[]): boolean {
  let directory = before.root
  if (path !== '') for (const name of path.split('/')) directory = before.lookup(directory, name)!
  let count = 0
  for (const _ of before.list(directory)) if (++count > removed.length) return false
  return true
}

/** Every name in a tree that is not a directory. */
function* namesOf(tree: Tree): Iterable<{ readonly path: ByteString; readonly ino: number }> {
  const stack = [{ path: '', ino: tree.root }]
  for (let directory: (typeof stack)[number] | undefined; (directory = stack.pop()); ) {
    const prefix = directory.path === '' ? '' : `${directory.path}/`
    for (const { name, ino, kind } of tree.list(directory.ino)) {
      if (kind === 'directory') stack.push({ path: prefix + name, ino })
      else yield { path: prefix + name, ino }
    }
  }
}
