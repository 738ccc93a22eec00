import { codeOf, PlyError } from '../../model/errors.ts'
import type { Tree } from '../../stack/tree.ts'

/** Bytes of the files that a tree shows: holes count, hardlinks once. Closes the tree. @throws what reading it throws */
function shownSize(tree: Tree): number {
  try {
    const linked = new Set<number>()
    const todo = [tree.root]
    let size = 0
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      for (const { ino, kind } of tree.list(at)) {
        if (kind === 'directory') todo.push(ino)
        else if (kind === 'file') {
          const stat = tree.stat(ino)
          if (stat.links > 1) {
            if (linked.has(ino)) continue
            linked.add(ino)
          }
          size += stat.size
        }
      }
    }
    return size
  } finally {
    tree.close()
  }
}

/** As `shownSize`; `undefined` for a tree that cannot be read, or would have to be built in a store that is read only. */
export async function shownSizeOf(open: () => Promise<Tree>): Promise<number | undefined> {
  try {
    return shownSize(await open())
  } catch (error) {
    if (!(error instanceof PlyError) || codeOf(error) === 'PLY_ABORTED') throw error
    return undefined
  }
}
