import type { Stat } from '../../src/model/entry.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import type { Inode } from './inode.ts'

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1)

/** The oracle as a tree, so that the product can compare and pack it. Numbers follow a walk in byte order. */
export function oracleTree(root: Inode): Tree {
  const inodes: Inode[] = []
  const parents: number[] = []
  const numbers = new Map<Inode, number>()
  const links: number[] = []
  const sorted = new Map<Inode, [string, Inode][]>()
  const add = (inode: Inode, parent: number): void => {
    const known = numbers.get(inode)
    if (known !== undefined) {
      links[known]!++
      return
    }
    const ino = inodes.push(inode)
    numbers.set(inode, ino)
    parents[ino] = parent || ino
    links[ino] = inode.kind === 'directory' ? 2 : 1
    if (inode.kind !== 'directory') return
    if (parent) links[parent]!++
    const children = [...inode.children].sort(byName)
    sorted.set(inode, children)
    for (const [, child] of children) add(child, ino)
  }
  add(root, 0)
  const of = (ino: number): Inode => inodes[ino - 1]!
  return {
    root: 1,
    lookup(directory, name) {
      const child = of(directory).children.get(name)
      return child && numbers.get(child)
    },
    *list(directory) {
      for (const [name, child] of sorted.get(of(directory))!) {
        yield { name, ino: numbers.get(child)!, kind: child.kind }
      }
    },
    parent: (directory) => parents[directory]!,
    stat(ino): Stat {
      const { kind, mode, uid, gid, mtime, content, target, major, minor } = of(ino)
      const size = kind === 'symlink' ? target.length : content.length
      return { ino, kind, mode, uid, gid, mtime, size, links: links[ino]!, major, minor }
    },
    readlink: (ino) => of(ino).target,
    xattrs: (ino) => of(ino).xattrs,
    open: (ino) => memoryBytes(of(ino).content),
    close() {},
  }
}
