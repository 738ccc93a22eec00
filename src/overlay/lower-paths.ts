import type { ByteString } from '../model/bytes.ts'
import type { Tree } from '../stack/tree.ts'

/** Finds a path of a file by its number: a tree is walked as far as it takes, once for all questions. */
export function lowerPaths(tree: Tree): (ino: number) => ByteString | undefined {
  const found = new Map<number, ByteString>()
  const walk = files(tree)
  return (ino) => {
    for (let known = found.get(ino); ; known = found.get(ino)) {
      if (known !== undefined) return known
      const { done, value } = walk.next()
      if (done) return undefined
      if (!found.has(value.ino)) found.set(value.ino, value.path)
    }
  }
}

function* files(tree: Tree): Generator<{ readonly ino: number; readonly path: ByteString }, undefined> {
  const waiting = [{ ino: tree.root, path: '' }]
  for (let directory = waiting.pop(); directory; directory = waiting.pop()) {
    for (const { name, ino, kind } of tree.list(directory.ino)) {
      const path = directory.path === '' ? name : `${directory.path}/${name}`
      if (kind === 'directory') waiting.push({ ino, path })
      else if (kind === 'file') yield { ino, path }
    }
  }
  return undefined
}
