import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { opaqueMarker, whiteoutPrefix } from '../layer/names.ts'
import { type MarkSpace, type Marks, marks } from '../layer/overlay-marks.ts'
import { type LayerView, nothing, type Placed, type Verdict, whiteout } from '../layer/view.ts'
import { type ByteString, compareBytes, displayText } from '../model/bytes.ts'
import { noXattrs, type Stat, type Xattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { type StackedTree, stackedTree } from '../stack/stacked-tree.ts'
import type { Tree } from '../stack/tree.ts'
import type { Bytes } from '../stream/bytes.ts'
import { type DirectoryTree, realTree } from './directory-tree.ts'
import type { FileDigests } from './file-digests.ts'
import { isPlainName, join as joined } from './paths.ts'
import { RecordedTree } from './recorded-tree.ts'
import { withSmallNumbers } from './small-numbers.ts'
import { checkVisible, type Marked, markedBy, spaceOf } from './upper-marks.ts'
import { checkVerity } from './verity.ts'

/** Something about an upper directory that its reader should know. */
export interface UpperWarning {
  /** Of layer-semantics. */
  readonly rule: string
  /** For people. */
  readonly text: string
}

/** How an upper that others have written is read. */
export interface ForeignUpperOptions {
  /** The namespace of the marks. Default: `trusted` where root finds one of these, else `user`. */
  readonly xattr?: MarkSpace | undefined
  /** What was its `workdir`. Default: `work` beside the directory, if that is there. */
  readonly workDir?: string | undefined
  readonly onWarning?: ((warning: UpperWarning) => void) | undefined
  /** What is known of files that were read before. */
  readonly digests?: FileDigests | undefined
}

/**
 * What a mount of upper directories over a tree shows, whoever wrote them (layer-semantics, section 15): the kernel in either namespace
 * with redirects and copies of attributes alone, fuse-overlayfs, or `extractLayers`. Whiteouts of all forms count, owners and types that
 * rootless tools have recorded do. Nothing is written, and a file that changes while it is read is a PLY_CHANGED.
 *
 * Inodes of the tree below keep their numbers, as `withSmallNumbers` has them; all other numbers are from 2^32 on.
 *
 * @param below stays open, closed by the caller after this one
 * @param directories as text, the lowest first
 * @throws ENOENT, ENOTDIR, EACCES; PLY_UNSUPPORTED where this process cannot see the marks; PLY_BAD_LAYER, when it is walked, for a record
 * that leads nowhere (U-03)
 */
export function upperTree(below: Tree, directories: readonly string[], options: ForeignUpperOptions = {}): StackedTree {
  const views: ForeignUpper[] = []
  const base = withSmallNumbers(below)
  for (const directory of directories) {
    const lower = views.length === 0 ? base : stackedTree([...views], base)
    views.push(new ForeignUpper(directory, lower, options))
  }
  return stackedTree(views, base)
}

class ForeignUpper implements LayerView {
  readonly root: Placed
  readonly #disk: DirectoryTree
  readonly #recorded: RecordedTree
  readonly #below: Tree
  readonly #marks: Marks
  readonly #warn: (rule: string, text: string) => void
  readonly #marked = new Map<number, Marked>()
  readonly #entries = new Map<number, ReadonlyMap<ByteString, Verdict>>()
  /** Where the lower part of a directory is, from the root of the tree below; absent for one that has none. */
  readonly #lowerPaths = new Map<number, ByteString>()
  /** Files whose content is below: its inode there. */
  readonly #contents = new Map<number, number>()

  constructor(path: string, below: Tree, options: ForeignUpperOptions) {
    const { xattr, onWarning } = options
    this.#disk = realTree(path, { digests: options.digests })
    this.#recorded = new RecordedTree(this.#disk)
    this.#below = below
    this.#warn = (rule, text) => onWarning?.({ rule, text })
    const where = realpathSync(path)
    if (xattr !== undefined) checkVisible(xattr, where)
    this.#marks = marks[xattr ?? spaceOf(this.#disk, where)]
    const volatile = join(options.workDir ?? join(dirname(where), 'work'), 'work/incompat/volatile')
    if (existsSync(volatile))
      this.#warn('U-05', `it was written by a volatile mount, so what it holds may be incomplete (${volatile})`)
    const { root } = this.#disk
    const opaque = this.#of(root).opaque || this.#disk.lookup(root, opaqueMarker) !== undefined
    const implied = this.#disk.rawXattrs(root).has(this.#marks.implied)
    this.root = { says: 'entry', ino: root, kind: 'directory', directory: true, implied, opaque }
    if (!opaque) this.#lowerPaths.set(root, '')
  }

  lookup(directory: number, name: ByteString): Verdict {
    return this.#verdicts(directory).get(name) ?? nothing
  }

  *list(directory: number): Generator<{ readonly name: ByteString; readonly verdict: Verdict }> {
    for (const [name, verdict] of this.#verdicts(directory)) yield { name, verdict }
  }

  stat(ino: number): Stat {
    return this.#recorded.stat(ino)
  }

  readlink(ino: number): ByteString {
    return this.#recorded.readlink(ino)
  }

  xattrs(ino: number): Xattrs {
    const all = this.#recorded.xattrs(ino)
    if (all.size === 0) return all
    const shown = new Map<ByteString, Uint8Array>()
    for (const [stored, value] of all) {
      const name = this.#marks.shown(stored)
      if (name !== undefined) shown.set(name, value)
    }
    return shown.size === 0 ? noXattrs : shown
  }

  open(ino: number): Bytes {
    const content = this.#contents.get(ino)
    if (content === undefined) return this.#recorded.open(ino)
    const bytes = this.#below.open(content)
    try {
      checkVerity(this.#of(ino).metacopy!, bytes, (reason) => this.#unresolved(ino, reason))
      return bytes
    } catch (error) {
      bytes.close()
      throw error
    }
  }

  place(ino: number) {
    const content = this.#contents.get(ino)
    return content === undefined ? undefined : this.#below.place?.(content)
  }

  close(): void {
    this.#disk.close()
  }

  #of(ino: number): Marked {
    let marked = this.#marked.get(ino)
    if (marked === undefined) this.#marked.set(ino, (marked = markedBy(this.#marks, this.#disk.rawXattrs(ino))))
    return marked
  }

  #verdicts(directory: number): ReadonlyMap<ByteString, Verdict> {
    let verdicts = this.#entries.get(directory)
    if (verdicts === undefined) this.#entries.set(directory, (verdicts = this.#read(directory)))
    return verdicts
  }

  #read(directory: number): ReadonlyMap<ByteString, Verdict> {
    const found = new Map<ByteString, Verdict>()
    const removed: ByteString[] = []
    for (const { name, ino } of this.#disk.list(directory)) {
      // fuse-overlayfs removes its own markers so, too.
      if (this.#isWhiteout(ino)) found.set(name, whiteout)
      else if (name.startsWith(whiteoutPrefix)) {
        const hidden = this.#removedBy(directory, name, ino)
        if (hidden !== undefined) removed.push(hidden)
      } else found.set(name, this.#placed(directory, name, ino))
    }
    if (removed.length === 0) return found
    for (const name of removed) if (!found.has(name)) found.set(name, whiteout)
    return new Map([...found].sort(([a], [b]) => compareBytes(a, b)))
  }

  /** Device 0:0, or an empty file with the mark. */
  #isWhiteout(ino: number): boolean {
    const { kind, size, major, minor } = this.#disk.stat(ino)
    if (kind === 'character') return major === 0 && minor === 0
    return kind === 'file' && size === 0 && this.#of(ino).whiteout
  }

  /** What a file of fuse-overlayfs hides: nothing for one that says something else. */
  #removedBy(directory: number, name: ByteString, ino: number): ByteString | undefined {
    const path = displayText(joined(this.#disk.pathOf(directory), name))
    if (name === opaqueMarker) return undefined
    if (name.startsWith(`${whiteoutPrefix}${whiteoutPrefix}`) && directory === this.#disk.root) {
      this.#warn('W-15', `/${path} is housekeeping of aufs, ignored`)
      return undefined
    }
    const hidden = name.slice(whiteoutPrefix.length)
    const { kind, size } = this.#disk.stat(ino)
    if (kind === 'file' && size === 0 && isPlainName(hidden) && !hidden.startsWith(whiteoutPrefix)) return hidden
    throw new PlyError('PLY_UNREPRESENTABLE', {
      path: `/${path}`,
      where: 'a layer',
      reason: 'its name says that something is removed, but it is no empty file (W-17)',
    })
  }

  #placed(directory: number, name: ByteString, ino: number): Verdict {
    const { kind } = this.#recorded.stat(ino)
    if (kind === 'directory') return this.#placedDirectory(directory, name, ino)
    if (kind === 'file') {
      const { metacopy, grouped, redirect } = this.#of(ino)
      if (metacopy !== undefined && !this.#contents.has(ino))
        this.#contents.set(ino, this.#contentOf(ino, this.#lowerPath(directory, name, ino, redirect)))
      if (grouped && metacopy === undefined)
        this.#warn('U-04', `/${this.#shown(ino)} has other names below, which keep the content that they had`)
    }
    return { says: 'entry', ino, kind, directory: false, implied: false, opaque: false }
  }

  #placedDirectory(directory: number, name: ByteString, ino: number): Placed {
    const marked = this.#of(ino)
    const opaque = marked.opaque || this.#disk.lookup(ino, opaqueMarker) !== undefined
    const said = { says: 'entry', ino, kind: 'directory', directory: true, implied: false, opaque } as const
    if (opaque) return said
    const path = this.#lowerPath(directory, name, ino, marked.redirect)
    if (path !== undefined) this.#lowerPaths.set(ino, path)
    if (marked.redirect === undefined) return said
    const lower = path === undefined ? undefined : inTree(this.#below, path)
    if (lower === undefined || this.#below.stat(lower).kind !== 'directory')
      throw this.#unresolved(ino, `it was renamed from ${displayText(marked.redirect)}, which is no directory below`)
    return path === joined(this.#lowerPaths.get(directory) ?? '', name) && this.#lowerPaths.has(directory)
      ? said
      : { ...said, redirect: path! }
  }

  /** Where the lower part of what stands at a name is. */
  #lowerPath(
    directory: number,
    name: ByteString,
    ino: number,
    redirect: ByteString | undefined,
  ): ByteString | undefined {
    if (redirect?.startsWith('/')) {
      const path = redirect.slice(1)
      if (path.split('/').every(isPlainName)) return path
    } else if (redirect === undefined || isPlainName(redirect)) {
      const parent = this.#lowerPaths.get(directory)
      if (parent !== undefined) return joined(parent, redirect ?? name)
      if (redirect === undefined) return undefined
    }
    throw this.#unresolved(ino, `it was renamed from ${displayText(redirect)}, which is no path below`)
  }

  #contentOf(ino: number, path: ByteString | undefined): number {
    const content = path === undefined ? undefined : inTree(this.#below, path)
    if (content === undefined || this.#below.stat(content).kind !== 'file')
      throw this.#unresolved(
        ino,
        `its content is to be below at ${path === undefined ? 'no path' : displayText(path)}, but no file is there`,
      )
    if (this.#below.stat(content).size !== this.#disk.stat(ino).size)
      throw this.#unresolved(ino, `its content below at ${displayText(path!)} has another size`)
    return content
  }

  #shown(ino: number): string {
    return displayText(this.#disk.pathOf(ino))
  }

  #unresolved(ino: number, reason: string): PlyError {
    return new PlyError('PLY_BAD_LAYER', {
      entry: `/${this.#shown(ino)}`,
      reason: `${reason}; is this the base it was written over?`,
      rule: 'U-03',
    })
  }
}

/** What stands at a path; symlinks are not followed. */
function inTree(tree: Tree, path: ByteString): number | undefined {
  let ino: number | undefined = tree.root
  for (const name of path === '' ? [] : path.split('/')) {
    if (ino === undefined || tree.stat(ino).kind !== 'directory') return undefined
    ino = tree.lookup(ino, name)
  }
  return ino
}
