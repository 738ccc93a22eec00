import type { PackItem } from '../layer/pack.ts'
import type { LayerView, Verdict } from '../layer/view.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { Pace } from '../model/pace.ts'
import type { Tree } from '../stack/tree.ts'
import { EntryItems } from './entry-items.ts'
import { find, isNoChange, LinksBelow } from './links-below.ts'

/** One of the layers that a layer is cut into. */
export interface ViewPart {
  /** It is put below the others: whiteouts, opaque marks and links to what is below are in it, and in no other. */
  readonly lowest: boolean
  /** Whether the entry at a path is in it. */
  has(path: ByteString, ino: number): boolean
  /** Whether anything under a directory is in it. */
  reaches(directory: ByteString): boolean
}

export interface PackViewOptions extends Operation {
  /**
   * What is below the layer. It is asked only for what an archive cannot say otherwise: an implied directory that lost all
   * it held, and links to what is below. The caller closes it.
   */
  readonly below?: (() => Tree | Promise<Tree>) | undefined
  /** Only a part of what the layer says. Ancestors that it describes are in every part that has something in them. */
  readonly part?: ViewPart | undefined
}

/** A directory that is being walked. */
interface Frame {
  readonly path: ByteString
  readonly ino: number
  /** Nothing from below shows in it. */
  readonly closed: boolean
  listing: Iterator<{ readonly name: ByteString; readonly verdict: Verdict }>
  /** Whiteouts come before everything else. */
  marking: boolean
  /** Its entry is still to be said, once there is something in it. */
  waiting: boolean
}

/**
 * All that a layer says, in the order in which an archive says it (layer-semantics E-04): whiteouts and opaque marks, and
 * every entry; of a link group the first name carries the data (E-09). Implied directories are not described: they take
 * their attributes from below. An archive of these items says the same as the view. Memory grows with directories and
 * link groups, never with content.
 *
 * @throws PLY_UNREPRESENTABLE for what no archive can say, where `below` is absent; PLY_BAD_LAYER as the view does;
 * PLY_ABORTED
 */
export async function* packView(
  view: LayerView,
  { below, part, signal }: PackViewOptions = {},
): AsyncGenerator<PackItem, void, undefined> {
  const pace = new Pace(signal)
  const items = new EntryItems(view, view.linksBelow === true)
  const links = new LinksBelow(view, below)
  const holding = new Map<number, boolean>()
  const lowest = part?.lowest ?? true
  const stack: Frame[] = []
  let waiting = 0

  function* ancestors(): Generator<PackItem, void, undefined> {
    if (waiting === 0) return
    for (const frame of stack) {
      if (!frame.waiting) continue
      frame.waiting = false
      yield items.entry(frame.path, frame.ino)
    }
    waiting = 0
  }

  function* enter(
    path: ByteString,
    { ino, described, opaque, closed }: { ino: number; described: boolean; opaque: boolean; closed: boolean },
  ): Generator<PackItem, void, undefined> {
    const listing = view.list(ino)[Symbol.iterator]()
    const inside = closed || opaque
    stack.push({ path, ino, closed: inside, listing, marking: lowest && !inside, waiting: described })
    if (described) waiting++
    if (described && (part === undefined || part.has(path, ino))) yield* ancestors()
    if (!opaque || !lowest) return
    yield* ancestors()
    yield { says: 'opaque', path }
  }

  const { root } = view
  yield* enter('', { ino: root.ino, described: !root.implied, opaque: root.opaque, closed: false })
  for (let frame: Frame | undefined; (frame = stack.at(-1)); ) {
    if (pace.due()) await pace.rest()
    const { done, value } = frame.listing.next()
    if (done) {
      if (frame.marking) {
        frame.marking = false
        frame.listing = view.list(frame.ino)[Symbol.iterator]()
      } else {
        if (frame.waiting) waiting--
        stack.pop()
      }
      continue
    }
    const { verdict } = value
    const path = frame.path === '' ? value.name : `${frame.path}/${value.name}`
    if (frame.marking !== (verdict.says === 'whiteout')) continue
    switch (verdict.says) {
      case 'nothing':
        break
      case 'whiteout':
        yield* ancestors()
        yield { says: 'whiteout', path }
        break
      case 'link':
        if (!lowest || isNoChange(verdict.path, path, frame.closed)) break
        yield* ancestors()
        yield await links.item(path, verdict.path)
        break
      case 'ghost':
        if (lowest) yield* enter(path, { ino: verdict.ino, described: false, opaque: false, closed: frame.closed })
        break
      case 'entry': {
        const { ino, directory, implied, opaque } = verdict
        if (!directory) {
          if (part !== undefined && !part.has(path, ino)) break
          yield* ancestors()
          yield items.entry(path, ino)
          break
        }
        if (part !== undefined && !part.reaches(path)) break
        const lost = implied && !opaque && lowest && !holds(view, ino, path, frame.closed, holding)
        const described = !implied || (lost && (frame.closed || !(await isDirectoryBelow(path, below))))
        yield* enter(path, { ino, described, opaque, closed: frame.closed })
        break
      }
      default:
        verdict satisfies never
    }
  }
}

/** Whether an archive has something in a directory that makes it: a whiteout alone does not (layer-semantics W-08). */
function holds(
  view: LayerView,
  directory: number,
  path: ByteString,
  closed: boolean,
  known: Map<number, boolean>,
): boolean {
  const before = known.get(directory)
  if (before !== undefined) return before
  let found = false
  for (const { name, verdict } of view.list(directory)) {
    const child = `${path}/${name}`
    if (verdict.says === 'link') found = !isNoChange(verdict.path, child, closed)
    else if (verdict.says === 'entry') {
      const { ino, implied, opaque } = verdict
      found = !implied || opaque || holds(view, ino, child, closed, known)
    }
    if (found) break
  }
  known.set(directory, found)
  return found
}

/** A directory that only whiteouts are left in stays as it is below, or is made where it is not. */
async function isDirectoryBelow(path: ByteString, below: PackViewOptions['below']): Promise<boolean> {
  const tree = await below?.()
  if (tree === undefined) {
    const reason = 'a directory that nothing is left in; an archive could only give it attributes that it may not have'
    throw new PlyError('PLY_UNREPRESENTABLE', { path: displayText(path), where: 'a layer', reason })
  }
  const ino = find(tree, path)
  return ino !== undefined && tree.stat(ino).kind === 'directory'
}
