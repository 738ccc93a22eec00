import type { Verdict } from '../layer/view.ts'
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
}

/** A directory that nothing is stacked over. */
export function directoryAt(place: Place): Node {
  return { place, parts: [place], kind: 'directory' }
}

/** What stood at a path, from the root, before a side was stacked. */
export type Before = (path: ByteString) => Node | undefined

/**
 * What stands at a name, given what one side says about it and what stood there below (layer-semantics, section 1).
 *
 * This is all there is to stacking: every lookup, listing, fold and union calls it for one name and one side, from the
 * base up. `before` is asked where the side refers to another path: a link to what stood there (H-06), and the lower
 * part of a renamed directory (U-02).
 * @throws PLY_BAD_LAYER if it refers to what did not exist.
 */
export function rule(above: Verdict, side: number, below: Node | undefined, before: Before): Node | undefined {
  switch (above.says) {
    case 'nothing':
      return below
    case 'whiteout':
      return undefined
    case 'ghost':
      if (below?.parts === undefined) return below
      return { ...below, parts: [{ side, ino: above.ino }, ...below.parts] }
    case 'link':
      return linked(above.path, before)
    case 'entry': {
      const place = { side, ino: above.ino }
      if (!above.directory) return above.kind === undefined ? { place } : { place, kind: above.kind }
      const lower = above.redirect === undefined ? below : moved(above.redirect, before)
      if (lower?.parts === undefined) return directoryAt(place)
      return {
        place: above.implied ? lower.place : place,
        parts: above.opaque ? [place] : [place, ...lower.parts],
        kind: 'directory',
      }
    }
    default:
      return above satisfies never
  }
}

function linked(path: ByteString, before: Before): Node {
  const target = before(path)
  if (target === undefined) throw unresolved(path, 'a hardlink to it, but no layer below has it', 'H-06')
  if (target.parts !== undefined) throw unresolved(path, 'a hardlink to it, but it is a directory below', 'H-03')
  return target
}

function moved(path: ByteString, before: Before): Node | undefined {
  const target = before(path)
  if (target?.parts === undefined)
    throw unresolved(path, 'a directory was renamed from here, but below there is none', 'U-03')
  return target
}

function unresolved(path: ByteString, reason: string, rule: string): PlyError {
  return new PlyError('PLY_BAD_LAYER', { entry: displayText(path), reason, rule })
}
