import type { Placed } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Tree } from '../stack/tree.ts'

/** Whether something is below at this very name of a directory; `directory` is the number of its lower part. */
export function isBelow(tree: Tree, directory: number | undefined, name: ByteString, ino: number | undefined): boolean {
  return directory !== undefined && ino !== undefined && tree.lookup(directory, name) === ino
}

/** The lower part of a directory that an upper has at a name; `directory` is that of the one it is in. */
export function lowerPart(
  tree: Tree,
  directory: number | undefined,
  name: ByteString,
  { opaque, redirect }: Placed,
): number | undefined {
  if (opaque) return undefined
  let at = redirect === undefined ? directory : tree.root
  for (const each of redirect?.split('/') ?? [name]) {
    if (at === undefined || tree.stat(at).kind !== 'directory') return undefined
    at = tree.lookup(at, each)
  }
  return at !== undefined && tree.stat(at).kind === 'directory' ? at : undefined
}
