import { readFileSync } from 'node:fs'
import { type DirectoryTreeOptions, realTree } from '../../extract/directory-tree.ts'
import type { ByteString } from '../../model/bytes.ts'
import { codeOf } from '../../model/errors.ts'
import type { Tree, TreeEntry } from '../../stack/tree.ts'
import { resolvePath } from '../../union/resolve.ts'
import { type PathPatterns, pathPatterns } from '../copy/copy-sources.ts'

/** No list is longer. Bytes. */
const mostLines = 16 << 20

/** What of a directory is a context, and as of when. */
export interface ContextOptions extends Pick<DirectoryTreeOptions, 'digests'> {
  /** Patterns of what is not there; default: those of `DOCKERFILE.dockerignore` beside the Dockerfile, else of `.dockerignore` in the context. */
  readonly ignored?: readonly string[] | undefined
  /** The Dockerfile, whose own list of what is ignored goes before that of the context. */
  readonly dockerfile?: string | undefined
}

/**
 * A directory of the disk as the context of a build: without what its ignore file names, everything else as it is there.
 *
 * @throws ENOENT, ENOTDIR, EACCES as the disk gives them
 */
export function contextTree(directory: string, { ignored, dockerfile, digests }: ContextOptions = {}): Tree {
  const tree = realTree(directory, { digests })
  return withoutIgnored(tree, ignored ?? ignorePatterns(directory, dockerfile))
}

/** A tree without what the patterns of an ignore file name. Closing it closes that one. */
export function withoutIgnored(tree: Tree, ignored: readonly string[]): Tree {
  const patterns = pathPatterns(ignored)
  return patterns === undefined ? tree : new IgnoringTree(tree, patterns)
}

/** The lines of the ignore file that counts; none where there is none. */
export function ignorePatterns(directory: string, dockerfile?: string): readonly string[] {
  const own = dockerfile === undefined ? undefined : linesOf(`${dockerfile}.dockerignore`)
  return own ?? linesInside(directory) ?? []
}

function linesOf(path: string): readonly string[] | undefined {
  try {
    return ignoreLines(readFileSync(path, 'utf8'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** The list of a context itself: a symlink in its place leads no further than the context. */
function linesInside(directory: string): readonly string[] | undefined {
  const tree = realTree(directory)
  try {
    const { ino } = resolvePath(tree, '.dockerignore', { follow: true })
    if (ino === undefined || tree.stat(ino).kind !== 'file') return undefined
    const bytes = tree.open(ino)
    try {
      const text = Buffer.alloc(Math.min(bytes.size, mostLines))
      return ignoreLines(text.subarray(0, bytes.read(text, 0)).toString())
    } finally {
      bytes.close()
    }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return undefined
    throw error
  } finally {
    tree.close()
  }
}

/** The patterns in an ignore file. */
export function ignoreLines(text: string): readonly string[] {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/)
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
}

/** A tree without some of its paths. A directory that is ignored is there if something in it is not. */
class IgnoringTree implements Tree {
  readonly root: number
  readonly digests: Tree['digests']
  readonly #tree: Tree
  readonly #patterns: PathPatterns
  /** Of directories that were asked for: each has one path. */
  readonly #paths: Map<number, ByteString>
  readonly #listed = new Map<number, readonly TreeEntry[]>()

  constructor(tree: Tree, patterns: PathPatterns) {
    this.root = tree.root
    this.digests = tree.digests
    this.#tree = tree
    this.#patterns = patterns
    this.#paths = new Map([[tree.root, '']])
  }

  lookup(directory: number, name: ByteString): number | undefined {
    const ino = this.#tree.lookup(directory, name)
    if (ino === undefined) return undefined
    // A directory that is closed to this user may be left out all the same: it is not asked for.
    if (!this.#patterns.exceptions && this.#patterns.matches(this.#pathOf(directory, name))) return undefined
    return this.#shows(directory, { name, ino, kind: this.#tree.stat(ino).kind }) ? ino : undefined
  }

  list(directory: number): readonly TreeEntry[] {
    let entries = this.#listed.get(directory)
    if (entries === undefined) {
      entries = [...this.#tree.list(directory)].filter((entry) => this.#shows(directory, entry))
      this.#listed.set(directory, entries)
    }
    return entries
  }

  parent(directory: number): number {
    return this.#tree.parent(directory)
  }

  stat(ino: number) {
    return this.#tree.stat(ino)
  }

  readlink(ino: number) {
    return this.#tree.readlink(ino)
  }

  xattrs(ino: number) {
    return this.#tree.xattrs(ino)
  }

  open(ino: number) {
    return this.#tree.open(ino)
  }

  close(): void {
    this.#tree.close()
  }

  #pathOf(directory: number, name: ByteString): ByteString {
    const above = this.#paths.get(directory) ?? ''
    return above === '' ? name : `${above}/${name}`
  }

  #shows(directory: number, { name, ino, kind }: TreeEntry): boolean {
    const path = this.#pathOf(directory, name)
    const isDirectory = kind === 'directory'
    if (isDirectory) this.#paths.set(ino, path)
    if (!this.#patterns.matches(path)) return true
    return isDirectory && this.#patterns.exceptions && this.list(ino).length > 0
  }
}
