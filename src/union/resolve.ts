import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { longestName } from './names.ts'

/** As Linux has it: more symlinks than this in one path are a loop. */
const mostSymlinks = 40
/** PATH_MAX without its NUL. */
const longestPath = 4095

/** Where a path leads. */
export interface Resolved {
  /** The directory that holds the last component; for the root, and where the path ends in `.` or `..`, the directory itself. */
  readonly directory: number
  /** The last component; `''` for the root, and where the path ends in `.` or `..`. */
  readonly name: ByteString
  /** What stands there; `undefined` if nothing does, and the name is free to be made. */
  readonly ino: number | undefined
  /** The path ended in a slash: only a directory may stand, or be made, there. */
  readonly trailingSlash: boolean
}

/**
 * Walks a path as Linux does, inside a tree: `..` at the root stays there and an absolute symlink starts at the root, so
 * nothing outside can be reached. The path is a byte string, absolute or from `from` (default: the root). With `follow`
 * a symlink in the last place is followed too; a dangling one leads to the free name that it points to.
 *
 * @throws ENOENT (something on the way is missing, or the path is empty), ENOTDIR, ELOOP (above 40 symlinks),
 * ENAMETOOLONG (a component above 255 bytes, a path above 4095).
 */
export function resolvePath(
  tree: Tree,
  path: ByteString,
  { follow, from = tree.root }: { readonly follow: boolean; readonly from?: number },
): Resolved {
  if (path === '') throw new PlyError('ENOENT')
  if (path.length > longestPath) throw new PlyError('ENAMETOOLONG')
  let directory = path.startsWith('/') ? tree.root : from
  let symlinks = 0
  /** What is left to walk, the next component last. */
  const rest = components(path)
  let trailingSlash = endsInSlash(path)
  for (;;) {
    const name = rest.pop()
    if (name === undefined) return { directory, name: '', ino: directory, trailingSlash }
    if (name === '.' || name === '..') {
      if (name === '..') directory = tree.parent(directory)
      continue
    }
    if (name.length > longestName) throw new PlyError('ENAMETOOLONG')
    const last = rest.length === 0
    const ino = tree.lookup(directory, name)
    if (ino === undefined) {
      if (last) return { directory, name, ino, trailingSlash }
      throw new PlyError('ENOENT')
    }
    if (last && !follow && !trailingSlash) return { directory, name, ino, trailingSlash }
    const { kind } = tree.stat(ino)
    if (kind === 'symlink') {
      if (++symlinks > mostSymlinks) throw new PlyError('ELOOP')
      const target = tree.readlink(ino)
      if (target === '') throw new PlyError('ENOENT')
      if (target.startsWith('/')) directory = tree.root
      rest.push(...components(target))
      if (last && endsInSlash(target)) trailingSlash = true
    } else if (last) {
      if (trailingSlash && kind !== 'directory') throw new PlyError('ENOTDIR')
      return { directory, name, ino, trailingSlash }
    } else if (kind === 'directory') directory = ino
    else throw new PlyError('ENOTDIR')
  }
}

/** Last component first. `.` at the end of a path counts, since it asks for a directory; `.` elsewhere does not. */
function components(path: ByteString): ByteString[] {
  return path
    .split('/')
    .filter((part) => part !== '')
    .reverse()
}

function endsInSlash(path: ByteString): boolean {
  return path.length > 1 && path.endsWith('/')
}
