import type { Library, Tree } from './library.ts'

/** Where a path leads in a tree. */
export interface Located {
  readonly ino: number
  /** The directory that holds the name, and the name; the root holds itself under no name. */
  readonly directory: number
  readonly name: string
  /** The path (a byte string without a leading slash) at which it really is, once symlinks are followed. */
  readonly path: string
}

/** As many symlinks as Linux follows in one path. */
const mostLinks = 40

/**
 * Walks a path (a byte string, from the root whatever it starts with) through a tree, following symlinks inside it: an absolute
 * target starts at the tree's root, and `..` does not lead out. The last name is followed unless `stay` says otherwise.
 *
 * @throws ENOENT, ENOTDIR, ELOOP
 */
export function locate(
  tree: Tree,
  path: string,
  { PlyError, displayText }: Library,
  options: { readonly stay?: boolean } = {},
): Located {
  const found = locateParent(tree, path, { PlyError, displayText } as Library, options)
  if (found.ino === undefined) throw new PlyError('ENOENT', { path: displayText(path) })
  return { ...found, ino: found.ino }
}

/** As `locate`, where the last name may be free: `ino` is `undefined` then. */
export function locateParent(
  tree: Tree,
  path: string,
  { PlyError, displayText }: Library,
  options: { readonly stay?: boolean } = {},
): Omit<Located, 'ino'> & { readonly ino: number | undefined } {
  const wrong = (code: 'ENOENT' | 'ENOTDIR' | 'ELOOP') => new PlyError(code, { path: displayText(path) })
  const todo = path.split('/').reverse()
  const mustBeDirectory = path.endsWith('/')
  let at = { ino: tree.root as number | undefined, directory: tree.root, name: '' }
  const names: string[] = []
  let links = 0
  while (todo.length > 0) {
    const name = todo.pop()!
    if (name === '' || name === '.') continue
    if (at.ino === undefined) throw wrong('ENOENT')
    if (kindOf(tree, at.ino) !== 'directory') throw wrong('ENOTDIR')
    if (name === '..') {
      const parent = tree.parent(at.ino)
      at = { ino: parent, directory: tree.parent(parent), name: '' }
      names.pop()
      continue
    }
    const ino = tree.lookup(at.ino, name)
    const last = todo.every((rest) => rest === '' || rest === '.')
    if (ino !== undefined && kindOf(tree, ino) === 'symlink' && !(last && options.stay && !mustBeDirectory)) {
      if (++links > mostLinks) throw wrong('ELOOP')
      const target = tree.readlink(ino)
      todo.push(...target.split('/').reverse())
      if (target.startsWith('/')) {
        at = { ino: tree.root, directory: tree.root, name: '' }
        names.length = 0
      }
      continue
    }
    at = { ino, directory: at.ino, name }
    names.push(name)
  }
  if (mustBeDirectory && at.ino !== undefined && kindOf(tree, at.ino) !== 'directory') throw wrong('ENOTDIR')
  return { ...at, path: names.join('/') }
}

/** Without what else `stat` finds out: for the links of a directory all of it is listed. */
function kindOf(tree: Tree, ino: number) {
  return tree.kind ? tree.kind(ino) : tree.stat(ino).kind
}
