import type { Tree } from '../../src/stack/tree.ts'
import { join } from './layers.ts'

/** A tree in the form of `visibleText`; also checks that looking up, listing and asking for parents agree. */
export function treeText(tree: Tree): string[] {
  const first = new Map<number, string>()
  const found: [string, string][] = []
  const files: [string, number][] = []
  const root = tree.stat(tree.root)
  if (root.uid !== 0) found.push(['', `/ ${root.uid}`])
  const walk = (directory: number, path: string) => {
    let subdirectories = 0
    for (const { name, ino, kind } of tree.list(directory)) {
      const here = join(path, name)
      const stat = tree.stat(ino)
      if (tree.lookup(directory, name) !== ino) throw new Error(`${here}: listed as ${ino}, looked up otherwise`)
      if (stat.kind !== kind || stat.ino !== ino) throw new Error(`${here}: stat disagrees with the listing`)
      if (kind === 'directory') {
        if (tree.parent(ino) !== directory) throw new Error(`${here}: has another parent`)
        found.push([here, `${here}/ ${stat.uid}`])
        walk(ino, here)
        subdirectories++
      } else files.push([here, ino])
    }
    if (tree.stat(directory).links !== 2 + subdirectories) throw new Error(`${path}: wrong link count`)
  }
  walk(tree.root, '')
  files.sort(([a], [b]) => (a < b ? -1 : 1))
  for (const [path, ino] of files) {
    const { kind, uid, links, size } = tree.stat(ino)
    if (!first.has(ino)) first.set(ino, path)
    const content = Buffer.alloc(size)
    if (kind === 'file') tree.open(ino).read(content, 0)
    const text = kind === 'symlink' ? tree.readlink(ino) : content.toString('latin1')
    found.push([path, `${path} ${kind} ${uid} ${text} ${first.get(ino)} ${links}`])
  }
  return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line)
}
