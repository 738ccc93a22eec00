import { kindIn } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Tree } from '../stack/tree.ts'
import { longestName } from './names.ts'
import type { UserTree } from './permissions.ts'
import type { RecentPaths } from './recent-paths.ts'

/** As Linux has it: more symlinks than this in one path are a loop. */
const mostSymlinks = 40
const slashCode = 0x2f
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

/** A tree that knows when names change, and forgets paths then. */
interface Remembering {
  readonly paths?: RecentPaths<Resolved>
}

/** Where the name is that a path would make, move or remove. */
export interface ResolvedName extends Resolved {
  /** What the path ends in: a name, or what can be neither made nor removed. */
  readonly last: 'name' | '.' | '..' | '/'
}

/** The same before the name itself was looked up. */
export type ResolvedParent = Omit<ResolvedName, 'ino'>

/**
 * Walks a path as Linux does, inside a tree: `..` at the root stays there and an absolute symlink starts at the root, so
 * nothing outside can be reached. The path is a byte string, absolute or from `from` (default: the root). With `follow`
 * a symlink in the last place is followed too; a dangling one leads to the free name that it points to. A path that ends
 * in a slash is always followed. With `toCreate` it walks as `open` with O_CREAT: whatever stands before a slash, also at the end of a
 * symlink, is not even looked up.
 *
 * @throws ENOENT (something on the way is missing, or the path is empty), ENOTDIR, ELOOP (above 40 symlinks),
 * ENAMETOOLONG (a component above 255 bytes, a path above 4095), EISDIR (`toCreate`, a slash after the last component).
 */
export function resolvePath(
  tree: Tree,
  path: ByteString,
  {
    follow,
    from = tree.root,
    toCreate = false,
  }: { readonly follow: boolean; readonly from?: number; readonly toCreate?: boolean },
): Resolved {
  const paths = from === tree.root && !toCreate ? (tree as Remembering).paths : undefined
  const known = paths?.find(path, follow)
  if (known !== undefined) return known
  const found = walk(tree, path, { follow, toCreate }, from)
  paths?.keep(path, follow, found)
  return found
}

/**
 * Like `resolvePath`, for a name that is to be made, moved or removed: the last component is never followed, not even
 * before a slash, and what stands there need not be a directory.
 * @throws like `resolvePath`
 */
export function resolveName(
  tree: Tree,
  path: ByteString,
  { from = tree.root }: { readonly from?: number } = {},
): ResolvedName {
  const found = resolveParent(tree, path, { from })
  // Said one by one: of what is spread V8 makes an object whose every property takes a search.
  const { directory, name, trailingSlash, last } = found
  return { directory, name, ino: lookupResolved(tree, found), trailingSlash, last }
}

/**
 * Walks to the directory of a name and no further, for calls with two of them: a rename walks to both directories before it looks
 * up the old name, and then the new one.
 * @throws like `resolvePath`, for the way
 */
export function resolveParent(
  tree: Tree,
  path: ByteString,
  { from = tree.root }: { readonly from?: number } = {},
): ResolvedParent {
  if (path === '') throw new PlyError('ENOENT')
  let end = path.length
  while (end > 0 && path[end - 1] === '/') end--
  const start = path.lastIndexOf('/', end - 1) + 1
  const name = path.slice(start, end)
  const trailingSlash = end < path.length
  if (name === '' || name === '.' || name === '..') {
    const { directory } = walk(tree, path, followed, from)
    return { directory, name: '', trailingSlash, last: name === '' ? '/' : name }
  }
  if (path.length > longestPath) throw new PlyError('ENAMETOOLONG')
  const directory = start === 0 ? from : walk(tree, `${path.slice(0, start)}.`, followed, from).directory
  return { directory, name, trailingSlash, last: 'name' }
}

/** What stands at a name that `resolveParent` walked to. @throws ENOTDIR, ENAMETOOLONG */
export function lookupResolved(tree: Tree, { directory, name, last }: ResolvedParent): number | undefined {
  if (last !== 'name') return directory
  if (name.length > longestName) throw new PlyError('ENAMETOOLONG')
  return tree.lookup(directory, name)
}

/** The path of what a path leads to, from the root: without symlinks, `.` and `..`. @throws ENOENT, and like `resolvePath` */
export function realPath(tree: Tree, path: ByteString): ByteString {
  const trail: ByteString[] = []
  const { name, ino } = walk(tree, path, followed, tree.root, trail)
  if (ino === undefined) throw new PlyError('ENOENT')
  if (name !== '') trail.push(name)
  return `/${trail.join('/')}`
}

/** How the last component is taken. */
interface Ending {
  readonly follow: boolean
  readonly toCreate: boolean
}
const followed: Ending = { follow: true, toCreate: false }

/** `trail` collects the names of the directories walked through. */
function walk(
  tree: Tree,
  path: ByteString,
  { follow, toCreate }: Ending,
  from: number,
  trail?: ByteString[],
): Resolved {
  if (path === '') throw new PlyError('ENOENT')
  if (path.length > longestPath) throw new PlyError('ENAMETOOLONG')
  let directory = path.startsWith('/') ? tree.root : from
  let symlinks = 0
  let trailingSlash = endsInSlash(path)
  /** What is walked, and where in it the next component begins. */
  let text = path
  let next = afterSlashes(path, 0)
  for (;;) {
    if (next === text.length) return { directory, name: '', ino: directory, trailingSlash }
    const slash = text.indexOf('/', next)
    const end = slash < 0 ? text.length : slash
    const name = text.slice(next, end)
    next = afterSlashes(text, end)
    if (name === '.') {
      passThrough(tree, directory)
      continue
    }
    if (name === '..') {
      directory = tree.parent(directory)
      trail?.pop()
      continue
    }
    const last = next === text.length
    if (last && trailingSlash && toCreate) {
      passThrough(tree, directory)
      throw new PlyError('EISDIR')
    }
    if (name.length > longestName) throw new PlyError('ENAMETOOLONG')
    const ino = tree.lookup(directory, name)
    if (ino === undefined) {
      if (last) return { directory, name, ino, trailingSlash }
      throw new PlyError('ENOENT')
    }
    if (last && !follow && !trailingSlash) return { directory, name, ino, trailingSlash }
    const kind = kindIn(tree, ino)
    if (kind === 'symlink') {
      if (++symlinks > mostSymlinks) throw new PlyError('ELOOP')
      const target = tree.readlink(ino)
      if (target === '') throw new PlyError('ENOENT')
      if (target.startsWith('/')) {
        directory = tree.root
        if (trail) trail.length = 0
      }
      text = last ? target : `${target}/${text.slice(next)}`
      next = afterSlashes(text, 0)
      if (last && endsInSlash(target)) trailingSlash = true
    } else if (last) {
      if (trailingSlash && kind !== 'directory') throw new PlyError('ENOTDIR')
      return { directory, name, ino, trailingSlash }
    } else {
      if (kind !== 'directory') throw new PlyError('ENOTDIR')
      directory = ino
      trail?.push(name)
    }
  }
}

/** Passing through takes the right to, even where nothing is looked up: `asUser` asks for it. */
function passThrough(tree: Tree, directory: number): void {
  if ('search' in tree) (tree as UserTree).search(directory)
}

/** The first place from `at` on that is no slash. */
function afterSlashes(path: ByteString, at: number): number {
  while (path.charCodeAt(at) === slashCode) at++
  return at
}

function endsInSlash(path: ByteString): boolean {
  return path.length > 1 && path.endsWith('/')
}
