import { defaultDirectory, noXattrs, type Stat } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'

const root = 1
const stat: Stat = { ino: root, kind: 'directory', ...defaultDirectory, size: 0, links: 2, major: 0, minor: 0 }

/** What lies below a union of nothing: an empty root with default attributes (layer-semantics, section 1). */
export function emptyTree(): Tree {
  const answer = <T>(ino: number, value: T): T => {
    if (ino !== root) throw new PlyError('EIO', { syscall: 'stat' })
    return value
  }
  return {
    root,
    lookup: (directory) => answer(directory, undefined),
    list: (directory) => answer(directory, []),
    parent: (directory) => answer(directory, root),
    stat: (ino) => answer(ino, stat),
    xattrs: (ino) => answer(ino, noXattrs),
    readlink() {
      throw new PlyError('EINVAL', { syscall: 'readlink' })
    },
    open() {
      throw new PlyError('EISDIR', { syscall: 'open' })
    },
    close() {},
  }
}
