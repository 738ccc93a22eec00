import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DirectoryTreeOptions, realTree } from '../extract/directory-tree.ts'
import type { ByteString } from '../model/bytes.ts'
import { codeOf } from '../model/errors.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import { type PathPatterns, pathPatterns } from './copy-sources.ts'

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
  return own ?? linesOf(join(directory, '.dockerignore')) ?? []
}

function linesOf(path: string): readonly string[] | undefined {
  try {
    return ignoreLines(readFileSync(path, 'utf8'))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
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
    return ino !== undefined && this.#shows(directory, name, ino) ? ino : undefined
  }

  list(directory: number): readonly TreeEntry[] {
    let entries = this.#listed.get(directory)
    if (entries === undefined) {
      entries = [...this.#tree.list(directory)].filter(({ name, ino }) => this.#shows(directory, name, ino))
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

  #shows(directory: number, name: ByteString, ino: number): boolean {
    const above = this.#paths.get(directory) ?? ''
    const path = above === '' ? name : `${above}/${name}`
    const isDirectory = this.#tree.stat(ino).kind === 'directory'
    if (isDirectory) this.#paths.set(ino, path)
    if (!this.#patterns.matches(path)) return true
    return isDirectory && this.#patterns.exceptions && this.list(ino).length > 0
  }
}
