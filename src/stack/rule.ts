import type { Placed, Verdict } from '../layer/view.ts'
import { type ByteString, displayText } from '../model/bytes.ts'
import type { Kind } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'

/** An inode of one side of a stack. Sides are numbered from the base up. */
export interface Place {
  readonly side: number
  readonly ino: number
}

/** What stands at a name once some sides are stacked. */
export interface Node {
  /** The inode whose attributes and content it has. */
  readonly place: Place
  /** Directories: those that give it names, the topmost first. Absent for anything else. */
  readonly parts?: readonly Place[]
  /** Absent where only the inode knows. */
  readonly kind?: Kind
  /** Absent: nothing that is still to be put below can show. */
  readonly awaits?: Awaits
}

/** What a directory takes from below, while sides are stacked over nobody knows what: see `squashedView`. */
export interface Awaits {
  /** It stands only where a directory stands below: it is made of ghosts. */
  readonly existence: boolean
  /** Its attributes are those of a directory below, where one stands. */
  readonly attributes: boolean
  /** What a directory below holds shows in it. */
  readonly children: boolean
}

/** A name that is one more of what stands below at a path. */
export interface LinkBelow {
  readonly path: ByteString
  readonly parts?: undefined
}

/** What some sides say of a name together, whatever is below them; `undefined` if nothing can stand there. */
export type Said = Node | LinkBelow | undefined

/** What is said of a name that nobody has mentioned yet: a ghost of no directory, which leaves all as it is. */
export const untold: Node = {
  place: { side: -1, ino: 0 },
  parts: [],
  kind: 'directory',
  awaits: { existence: true, attributes: true, children: true },
}

/** A directory that nothing is stacked over. */
export function directoryAt(place: Place): Node {
  return { place, parts: [place], kind: 'directory' }
}

/** What stood at a path, from the root, before a side was stacked. */
export type Before = (path: ByteString) => Node | undefined

/** What had been said of a path, from the root, before a side was stacked. */
export type SaidBefore = (path: ByteString) => Said

/**
 * What stands at a name, given what one side says about it and what stood there below (layer-semantics, section 1).
 *
 * This is all there is to stacking: every lookup, listing, fold and union calls it for one name and one side, from the
 * base up. `before` is asked where the side refers to another path: a link to what stood there (H-06), and the lower
 * part of a renamed directory (U-02).
 *
 * What is below need not be known: over what other sides say, or over `untold`, the same table answers what all of them
 * say together. So stacking is associative, and a squashed layer needs no rule of its own.
 * @throws PLY_BAD_LAYER if it refers to what did not exist.
 */
export function rule(above: Verdict, side: number, below: Node | undefined, before: Before): Node | undefined
export function rule(above: Verdict, side: number, below: Said, before: SaidBefore): Said
export function rule(above: Verdict, side: number, below: Said, before: SaidBefore): Said {
  switch (above.says) {
    case 'nothing':
      return below
    case 'whiteout':
      return undefined
    case 'ghost': {
      if (below?.parts === undefined) return below
      const place = { side, ino: above.ino }
      return { ...below, place: below.awaits?.existence ? place : below.place, parts: [place, ...below.parts] }
    }
    case 'link':
      return linked(above.path, before)
    case 'entry': {
      const place = { side, ino: above.ino }
      if (!above.directory) return above.kind === undefined ? { place } : { place, kind: above.kind }
      const lower = above.redirect === undefined ? below : moved(above.redirect, before)
      if (lower?.parts === undefined) return directoryAt(place)
      const merged = {
        place: above.implied && !lower.awaits?.existence ? lower.place : place,
        parts: above.opaque ? [place] : [place, ...lower.parts],
        kind: 'directory',
      } as const
      const awaits = lower.awaits && stillAwaited(above, lower.awaits)
      return awaits === undefined ? merged : { ...merged, awaits }
    }
    default:
      return above satisfies never
  }
}

/** Whether `rule` answers the same for a verdict whatever stood at the name below. */
export function hidesBelow(verdict: Verdict): boolean {
  if (verdict.says === 'whiteout' || verdict.says === 'link') return true
  if (verdict.says !== 'entry') return false
  return !verdict.directory || verdict.redirect !== undefined || (verdict.opaque && !verdict.implied)
}

/** What a directory of a side leaves open of what was open in the one it is merged with. */
function stillAwaited(above: Placed, lower: Awaits): Awaits | undefined {
  const attributes = above.implied && lower.attributes
  const children = !above.opaque && lower.children
  return attributes || children ? { existence: false, attributes, children } : undefined
}

function linked(path: ByteString, before: SaidBefore): Node | LinkBelow {
  const target = before(path)
  if (target === undefined) throw unresolved(path, 'a hardlink to it, but no layer below has it', 'H-06')
  if (target.parts !== undefined && target.awaits?.existence) return { path }
  if (target.parts !== undefined) throw unresolved(path, 'a hardlink to it, but it is a directory below', 'H-03')
  return target
}

function moved(path: ByteString, before: SaidBefore): Node {
  const target = before(path)
  if (target?.parts === undefined || target.awaits?.existence)
    throw unresolved(path, 'a directory was renamed from here, but below there is none', 'U-03')
  return target
}

function unresolved(path: ByteString, reason: string, rule: string): PlyError {
  return new PlyError('PLY_BAD_LAYER', { entry: displayText(path), reason, rule })
}
