import { type ByteString, decodeText } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import { sharedInodes } from '../stack/shared-inodes.ts'
import type { Tree } from '../stack/tree.ts'
import { differingAspects } from './aspects.ts'
import { type Aspect, added, type Change, type Changeset, deleted, modified } from './change.ts'
import { ContentComparison } from './content.ts'
import { keptInodes } from './kept-inodes.ts'
import { LinkPairs } from './link-pairs.ts'
import { mergedListings } from './merged-listings.ts'

/** What counts as a difference. */
export interface DiffOptions extends Operation {
  /** The inode of `before` that an inode of `after` is, unchanged and with everything under it, where that is known. */
  readonly untouched?: ((ino: number) => number | undefined) | undefined
  /** Both trees number their inodes alike: equal numbers are one inode. So it is with a union and its lower tree. */
  readonly sameNumbers?: boolean | undefined
  /** Compare times to the nanosecond, not to the second (layer-semantics M-07). */
  readonly nanoseconds?: boolean | undefined
  /** A directory of which only the time differs counts as changed (layer-semantics E-03). */
  readonly directoryTimes?: boolean | undefined
  /** What does not count as a difference. A `kind` that differs always does. */
  readonly ignore?: ReadonlySet<Aspect> | undefined
}

/** A pair of directories (or an added directory alone) that is being walked. */
interface Frame {
  readonly path: ByteString
  readonly pairs: readonly Pair[]
  next: number
}

/** A name of `after`, with what `before` has there. */
interface Pair {
  readonly name: ByteString
  readonly before: number | undefined
  readonly after: number
  readonly directory: boolean
}

/**
 * What must be done to one tree to get another: layer-semantics E-01 to E-04, E-06, E-07. Neither tree may change
 * meanwhile. With `untouched`, and of trees whose lowest layers are the same, the cost follows what was touched, not the size of the trees.
 *
 * @throws PLY_ABORTED; EIO if a content is shorter than its size says
 */
export async function* diff(before: Tree, after: Tree, options: DiffOptions = {}): Changeset {
  const { untouched, ignore, onProgress } = options
  const pace = new Pace(options.signal)
  const contents = new ContentComparison(before, after)
  const same = untouched === undefined ? sharedInodes(before, after) : undefined
  const shared = (b: number, a: number): boolean =>
    same === undefined ? untouched !== undefined && untouched(a) === b : a === b && same(a)
  const links = new LinkPairs(options.sameNumbers ?? false, same && (() => keptInodes(before, after, shared)))

  async function differing(path: ByteString, b: number, a: number, x: Stat, y: Stat): Promise<Aspect[]> {
    const aspects = await differingAspects(
      { inodes: before, ino: b, stat: x },
      { inodes: after, ino: a, stat: y },
      options,
      () => contents.same(b, a, x.size, path, pace),
    )
    const alike = aspects.length === 0 && x.kind === y.kind && x.kind !== 'directory'
    if (alike && !ignore?.has('links') && links.regrouped(x, y)) aspects.push('links')
    return aspects
  }

  function* removed(path: ByteString, b: number | undefined, a: number, pairs: Pair[]): Iterable<Change> {
    for (const { name, was, is } of mergedListings(b === undefined ? [] : before.list(b), after.list(a))) {
      if (is) pairs.push({ name, before: was?.ino, after: is.ino, directory: is.kind === 'directory' })
      else if (was) yield deleted(join(path, name), before.stat(was.ino))
    }
  }

  if (shared(before.root, after.root)) return
  const rootBefore = before.stat(before.root)
  const rootAfter = after.stat(after.root)
  const ofRoot = await differing('', before.root, after.root, rootBefore, rootAfter)
  if (ofRoot.length > 0) yield modified('', rootBefore, rootAfter, ofRoot)

  const rootPairs: Pair[] = []
  yield* removed('', before.root, after.root, rootPairs)
  const stack: Frame[] = [{ path: '', pairs: rootPairs, next: 0 }]
  for (let frame: Frame | undefined; (frame = stack.at(-1)); ) {
    const pair = frame.pairs[frame.next++]
    if (!pair) {
      stack.pop()
      continue
    }
    if (pace.due()) await pace.rest()
    const { before: b, after: a } = pair
    if (b !== undefined && shared(b, a)) continue

    const path = join(frame.path, pair.name)
    const y = after.stat(a)
    let below: number | undefined
    if (b === undefined) yield added(path, y)
    else {
      const x = before.stat(b)
      const changed = await differing(path, b, a, x, y)
      if (changed.length > 0) yield modified(path, x, y, changed)
      if (x.kind === 'directory') below = b
    }
    if (!pair.directory) continue
    onProgress?.({ what: `/${decodeText(path)}`, done: contents.compared })
    const pairs: Pair[] = []
    yield* removed(path, below, a, pairs)
    stack.push({ path, pairs, next: 0 })
  }
}

function join(directory: ByteString, name: ByteString): ByteString {
  return directory === '' ? name : `${directory}/${name}`
}
