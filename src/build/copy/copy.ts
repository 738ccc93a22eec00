import { type ByteString, displayText } from '../../model/bytes.ts'
import type { Attributes, Stat } from '../../model/entry.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import { Pace } from '../../model/pace.ts'
import type { Tree } from '../../stack/tree.ts'
import type { FoundSource, PathPatterns } from './copy-sources.ts'
import type { Draft } from './draft.ts'
import type { ModeChange } from './mode-change.ts'

/** How things are copied into a draft. */
export interface CopyRules {
  /** Owner of everything that is copied, and of directories that are made for it; absent: that of the source. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined
  readonly mode?: ModeChange | undefined
  /** What is left out: paths from the source, or from the directory that is copied. */
  readonly excluded?: PathPatterns | undefined
  /** Nanoseconds since the epoch: a time for everything (`always`), or what later times are lowered to. */
  readonly time: { readonly at: bigint; readonly always: boolean }
}

/** Where things go. */
export interface CopyTarget {
  /** Byte string, absolute. */
  readonly path: ByteString
  /** It ends in a slash, or is one of several: a directory, made if it is not there. */
  readonly isDirectory: boolean
}

/**
 * Copies things found in a tree as COPY does: of a directory what is in it; a file into a directory, or as the target itself. What is
 * on the way to the target is made where it is missing.
 *
 * @throws EISDIR, ENOTDIR, ELOOP for a target that cannot be what it has to; PLY_UNREPRESENTABLE for a socket; PLY_ABORTED
 */
export async function copyInto(
  draft: Draft,
  tree: Tree,
  sources: readonly FoundSource[],
  target: CopyTarget,
  rules: CopyRules,
  operation: Operation = {},
): Promise<void> {
  const copying = new Copying(draft, tree, rules, new Pace(operation.signal))
  for (const source of sources) await copying.one(source, target)
}

/**
 * Copies things found in a tree under the paths that they have there, below `target`, as `COPY --parents` does.
 *
 * @param wanted which paths
 */
export async function copyParents(
  draft: Draft,
  tree: Tree,
  from: { readonly ino: number },
  target: CopyTarget,
  wanted: PathPatterns,
  rules: CopyRules,
  operation: Operation = {},
): Promise<void> {
  await new Copying(draft, tree, rules, new Pace(operation.signal)).chosen(from, target, wanted)
}

/** A directory that is put only where something is put into it. */
interface Way {
  readonly ino: number
  readonly to: ByteString
  readonly path: ByteString
  readonly above: Way | undefined
  put?: boolean
}

class Copying {
  readonly #draft: Draft
  readonly #tree: Tree
  readonly #rules: CopyRules
  readonly #pace: Pace

  constructor(draft: Draft, tree: Tree, rules: CopyRules, pace: Pace) {
    this.#draft = draft
    this.#tree = tree
    this.#rules = rules
    this.#pace = pace
  }

  async one({ path, ino }: FoundSource, target: CopyTarget): Promise<void> {
    const draft = this.#draft
    const name = path.slice(path.lastIndexOf('/') + 1)
    const { kind } = this.#tree.stat(ino)
    if (kind === 'directory') {
      const real = draft.realPath(target.path)
      draft.directory(real, this.#made())
      await this.#contents(ino, real, '')
      return
    }
    const { excluded } = this.#rules
    if (excluded?.matches(name) || excluded?.matches(path)) return
    const inside = target.isDirectory || draft.kindAt(target.path) === 'directory'
    const real = draft.realPath(target.path)
    draft.directory(inside ? real : parentOf(real), this.#made())
    const to = inside ? `${real}/${name}` : real
    this.#put(to, ino, path)
  }

  async chosen(from: { readonly ino: number }, target: CopyTarget, wanted: PathPatterns): Promise<void> {
    const real = this.#draft.realPath(target.path)
    this.#draft.directory(real, this.#made())
    await this.#contents(from.ino, real, '', undefined, wanted)
  }

  /** @param way the directories that lead here and are not put yet, if something in them is not put either */
  async #contents(
    directory: number,
    to: ByteString,
    relative: ByteString,
    way?: Way,
    wanted?: PathPatterns,
  ): Promise<void> {
    const { excluded } = this.#rules
    for (const { name, ino, kind } of this.#tree.list(directory)) {
      if (this.#pace.due()) await this.#pace.rest()
      const path = relative === '' ? name : `${relative}/${name}`
      const below = `${to}/${name}`
      const out = excluded?.matches(path) === true
      const isPut = !out && (wanted === undefined || wanted.matches(path))
      if (isPut) {
        this.#lead(way)
        this.#put(below, ino, path)
      }
      if (kind === 'directory' && !(out && excluded?.exceptions === false))
        await this.#contents(ino, below, path, isPut ? undefined : { ino, to: below, path, above: way }, wanted)
    }
  }

  /** Puts directories that something is in: they are as they are where they come from. */
  #lead(way: Way | undefined): void {
    if (way === undefined || way.put === true) return
    this.#lead(way.above)
    this.#put(way.to, way.ino, way.path)
    way.put = true
  }

  #put(to: ByteString, ino: number, path: ByteString): void {
    const stat = this.#tree.stat(ino)
    if (stat.kind === 'socket') {
      throw new PlyError('PLY_UNREPRESENTABLE', {
        path: displayText(path),
        where: 'a layer',
        reason: 'it is a socket; name it in .dockerignore',
      })
    }
    if (this.#draft.kindAt(parentOf(to)) === undefined) this.#draft.directory(parentOf(to), this.#made())
    this.#draft.put(to, {
      stat: this.#changed(stat),
      xattrs: this.#tree.xattrs(ino),
      source: { tree: this.#tree, ino },
    })
  }

  #changed(stat: Stat): Stat {
    const { owner, mode, time } = this.#rules
    const { atime: _, ctime: __, ...kept } = stat
    return {
      ...kept,
      ...owner,
      // A symlink has no mode of its own.
      mode: mode === undefined || stat.kind === 'symlink' ? stat.mode : mode(stat.mode, stat.kind),
      mtime: time.always || stat.mtime > time.at ? time.at : stat.mtime,
    }
  }

  #made(): Attributes {
    return { mode: 0o755, uid: 0, gid: 0, ...this.#rules.owner, mtime: this.#rules.time.at }
  }
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}
