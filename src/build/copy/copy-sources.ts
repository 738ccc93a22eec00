import dockerignore from '@balena/dockerignore'
import { type ByteString, decodeText } from '../../model/bytes.ts'
import { PlyError } from '../../model/errors.ts'
import type { Tree } from '../../stack/tree.ts'
import { resolvePath } from '../../union/resolve.ts'
import { isPattern, nameMatcher } from './path-pattern.ts'

/** Something to copy, found in a tree. */
export interface FoundSource {
  /** The path that it was found at, without a leading slash. */
  readonly path: ByteString
  /** What it is once symlinks are followed. */
  readonly ino: number
}

/**
 * What a source of COPY names in a tree, in byte order: one path, or any number that a pattern matches. Symlinks are followed inside of
 * the tree.
 *
 * @param pattern byte string; names in it are matched one by one
 * @throws ENOENT for a path that is not there; Error for a pattern that is none
 */
export function findSources(tree: Tree, pattern: ByteString): readonly FoundSource[] {
  const components = insideOf(pattern)
  if (!components.some(isPattern)) return [{ path: components.join('/'), ino: resolved(tree, components.join('/')) }]
  let found: { readonly path: ByteString; readonly directory: number }[] = [{ path: '', directory: tree.root }]
  for (const [at, component] of components.entries()) {
    const last = at === components.length - 1
    const matches = nameMatcher(component)
    const next: typeof found = []
    for (const { path, directory } of found) {
      for (const { name } of tree.list(directory)) {
        if (!matches(name)) continue
        const below = path === '' ? name : `${path}/${name}`
        const ino = existing(tree, below)
        if (ino !== undefined && (last || tree.stat(ino).kind === 'directory'))
          next.push({ path: below, directory: ino })
      }
    }
    found = next
  }
  return found.map(({ path, directory }) => ({ path, ino: directory }))
}

/**
 * The names of a path or pattern; `..` takes the one in front of it away, whatever that is.
 *
 * @throws Error for one that leads out
 */
export function insideOf(pattern: ByteString): readonly ByteString[] {
  const names: ByteString[] = []
  for (const name of pattern.split('/')) {
    if (name === '..') {
      if (names.pop() === undefined)
        throw new Error(`${decodeText(pattern)}: nothing is copied from outside of the context`)
    } else if (name !== '' && name !== '.') names.push(name)
  }
  return names
}

function resolved(tree: Tree, path: ByteString): number {
  const ino = existing(tree, path)
  if (ino === undefined) throw new PlyError('ENOENT', { syscall: 'copy', path: `/${decodeText(path)}` })
  return ino
}

function existing(tree: Tree, path: ByteString): number | undefined {
  if (path === '') return tree.root
  try {
    return resolvePath(tree, path, { follow: true }).ino
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as { code?: string }).code ?? '')) return undefined
    throw error
  }
}

/** Paths as `.dockerignore` names them: the last pattern that matches a path, or a directory above it, decides. */
export interface PathPatterns {
  /** @param path byte string without a leading slash */
  matches(path: ByteString): boolean
  /** Whether there are patterns that begin with `!`: in what matches may be something that does not. */
  readonly exceptions: boolean
}

/** @param patterns text; `undefined` for none at all */
export function pathPatterns(patterns: readonly string[]): PathPatterns | undefined {
  if (patterns.length === 0) return undefined
  const matcher = dockerignore.default({ ignorecase: false }).add([...patterns])
  return {
    matches: (path) => path !== '' && matcher.ignores(decodeText(path)),
    exceptions: patterns.some((pattern) => pattern.trim().startsWith('!')),
  }
}
