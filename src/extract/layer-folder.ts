import type { LayerView } from '../layer/view.ts'
import { type ByteString, compareBytes, displayText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import { join } from './paths.ts'

/** What of a stack of layers stands in the folder of one of them, so that overlayfs shows the same (layer-semantics D-07). */
export interface LayerFolder {
  /** What the layer has, with the attributes of the view: overlayfs knows no implied directories (D-12). Closing it closes nothing. */
  readonly tree: Tree
  /** Names that it removes from below, by their directory. None in opaque directories (D-08), and none of what is not there. */
  readonly whiteouts: readonly { readonly directory: ByteString; readonly name: ByteString }[]
  /** Directories of the tree through which nothing from below shows. */
  readonly opaque: ReadonlySet<number>
  /** Further names of files below, which are files of their own here. */
  readonly copies: readonly ByteString[]
}

/**
 * @param before what is below the layer
 * @param after the same with the layer
 * @throws PLY_UNREPRESENTABLE for a directory that was moved: layers of archives have none
 */
export function layerFolder(layer: LayerView, before: Tree, after: Tree): LayerFolder {
  const entries = new Map<number, TreeEntry[]>()
  const whiteouts: { directory: ByteString; name: ByteString }[] = []
  const opaque = new Set<number>()
  const copies: ByteString[] = []
  /** `was` is what stands below and shows through; the root cannot be closed for overlayfs, so all in it is (`closed`). */
  type Place = { path: ByteString; inLayer: number; here: number; was: number | undefined; closed: boolean }
  const waiting: Place[] = [
    { path: '', inLayer: layer.root.ino, here: after.root, was: before.root, closed: layer.root.opaque },
  ]

  function enter({ path, here, was, closed }: Place, name: ByteString, inLayer: number, isOpaque: boolean): void {
    const child = after.lookup(here, name)!
    const under = was === undefined ? undefined : before.lookup(was, name)
    const hides = under !== undefined && before.stat(under).kind === 'directory'
    const shut = isOpaque || closed
    if (shut && hides) opaque.add(child)
    waiting.push({
      path: join(path, name),
      inLayer,
      here: child,
      was: hides && !shut ? under : undefined,
      closed: false,
    })
    entries.get(here)!.push({ name, ino: child, kind: 'directory' })
  }

  for (let place = waiting.pop(); place; place = waiting.pop()) {
    const { path, here, was, closed } = place
    const found: TreeEntry[] = []
    entries.set(here, found)
    for (const { name, verdict } of layer.list(place.inLayer)) {
      const under = was === undefined ? undefined : before.lookup(was, name)
      if (verdict.says === 'whiteout') {
        if (under !== undefined && !closed) whiteouts.push({ directory: path, name })
      } else if (verdict.says === 'ghost') {
        if (under !== undefined && before.stat(under).kind === 'directory') enter(place, name, verdict.ino, false)
      } else if (verdict.says === 'entry' && verdict.directory) {
        if (verdict.redirect !== undefined) throw moved(join(path, name))
        enter(place, name, verdict.ino, verdict.opaque)
      } else if (verdict.says !== 'nothing') {
        const ino = after.lookup(here, name)!
        found.push({ name, ino, kind: after.stat(ino).kind })
        if (verdict.says === 'link') copies.push(join(path, name))
      }
    }
    if (closed)
      for (const { name } of before.list(was!))
        if (after.lookup(here, name) === undefined) whiteouts.push({ directory: path, name })
  }
  return { tree: restricted(after, entries), whiteouts, opaque, copies }
}

/** A tree in which directories hold only some of their names. */
function restricted(tree: Tree, entries: ReadonlyMap<number, readonly TreeEntry[]>): Tree {
  return {
    root: tree.root,
    lookup: (directory, name) => entries.get(directory)?.find((entry) => entry.name === name)?.ino,
    list: (directory) => [...(entries.get(directory) ?? [])].sort((a, b) => compareBytes(a.name, b.name)),
    parent: (directory) => tree.parent(directory),
    stat: (ino) => tree.stat(ino),
    readlink: (ino) => tree.readlink(ino),
    xattrs: (ino) => tree.xattrs(ino),
    open: (ino) => tree.open(ino),
    close() {},
  }
}

function moved(path: ByteString): PlyError {
  return new PlyError('PLY_UNREPRESENTABLE', {
    path: `/${displayText(path)}`,
    where: 'the folder of a layer',
    reason: 'it was renamed from another place below',
  })
}
