import type { PackItem } from '../../src/layer/pack.ts'
import { type ByteString, byteString, compareBytes } from '../../src/model/bytes.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { type PlainNode, type PlainSpec, plainTree } from '../support/plain-tree.ts'

/** What stands at each path: an object that hardlinked names share. */
type Paths = Map<ByteString, PlainNode>

/**
 * The plain oracle of stacking: base and one layer's items, path by path, with none of the product's code.
 * Markers act on the base only; entries come after them, in order.
 */
export async function applyItems(base: Tree, items: AsyncIterable<PackItem>): Promise<Tree> {
  const paths = pathsOf(base)
  const collected: PackItem[] = []
  for await (const item of items) collected.push(item)

  for (const item of collected) {
    if (item.says === 'whiteout') remove(paths, item.path, true)
    else if (item.says === 'opaque') remove(paths, item.path, false)
  }
  for (const item of collected) {
    if (item.says !== 'entry') continue
    const { path, stat } = item
    if (path !== '' && paths.get(parentOf(path))?.kind !== 'directory') throw new Error(`nothing holds ${path}`)
    if (stat.kind !== 'directory' || paths.get(path)?.kind !== 'directory') remove(paths, path, true)
    if (item.linkTo !== undefined) {
      const target = paths.get(item.linkTo)
      if (!target) throw new Error(`${path} links to ${item.linkTo}, which is not there yet`)
      paths.set(path, target)
      continue
    }
    const { kind, mode, uid, gid, mtime, major, minor } = stat
    const content = item.open?.()
    const bytes = Buffer.alloc(content?.size ?? 0)
    content?.read(bytes, 0)
    content?.close()
    paths.set(path, {
      kind,
      mode,
      uid,
      gid,
      mtime,
      major,
      minor,
      content: bytes,
      xattrs: Object.fromEntries([...item.xattrs].map(([name, value]) => [name, byteString(value)])),
      ...(item.target !== undefined && { target: item.target }),
    })
  }
  return plainTree(specOf(paths))
}

/** A plain object from which `plainTree` makes these paths, hardlinks included. */
export function specOf(paths: Paths): PlainSpec {
  const first = new Map<PlainNode, ByteString>()
  const spec: Record<ByteString, PlainNode | { hardlink: ByteString }> = {}
  for (const [path, node] of [...paths].sort(([a], [b]) => compareBytes(a, b))) {
    const known = node.kind === 'directory' ? undefined : first.get(node)
    if (known === undefined) first.set(node, path)
    spec[path] = known === undefined ? node : { hardlink: known }
  }
  return spec
}

function pathsOf(tree: Tree): Paths {
  const paths: Paths = new Map()
  const nodes = new Map<number, PlainNode>()
  const visit = (path: ByteString, ino: number): void => {
    let node = nodes.get(ino)
    if (!node) {
      const { kind, mode, uid, gid, mtime, major, minor } = tree.stat(ino)
      const content = kind === 'file' ? tree.open(ino) : undefined
      const bytes = Buffer.alloc(content?.size ?? 0)
      content?.read(bytes, 0)
      content?.close()
      node = {
        kind,
        mode,
        uid,
        gid,
        mtime,
        major,
        minor,
        content: bytes,
        xattrs: Object.fromEntries([...tree.xattrs(ino)].map(([name, value]) => [name, byteString(value)])),
        ...(kind === 'symlink' && { target: tree.readlink(ino) }),
      }
      nodes.set(ino, node)
    }
    paths.set(path, node)
    if (node.kind === 'directory') {
      for (const child of tree.list(ino)) visit(path === '' ? child.name : `${path}/${child.name}`, child.ino)
    }
  }
  visit('', tree.root)
  return paths
}

function remove(paths: Paths, path: ByteString, itself: boolean): void {
  const prefix = path === '' ? '' : `${path}/`
  if (itself) paths.delete(path)
  for (const other of [...paths.keys()]) if (other !== '' && other.startsWith(prefix)) paths.delete(other)
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
