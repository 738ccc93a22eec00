import { kindIn, type Verdict } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import { type Node, rule } from '../stack/rule.ts'
import type { Tree } from '../stack/tree.ts'

const lowerSide = 0
const upperSide = 1

/** What stands at a name of a union: its number and, for a directory of the upper, the lower directory it merges with. */
export interface Standing {
  readonly ino: number
  readonly lower: number | undefined
  /** The lower directory whose attributes it has, where no entry of the upper describes it. */
  readonly described: number | undefined
}

/**
 * The rule (`src/stack/rule.ts`) for the step from a lower tree to an upper: what stands at a name, given what the upper
 * says and the lower tree's inode there.
 */
export function stands(above: Verdict, below: number | undefined, lower: Tree): Standing | undefined {
  const merging = above.says === 'ghost' || (above.says === 'entry' && above.directory && above.redirect === undefined)
  const node = rule(above, upperSide, below === undefined ? undefined : lowerNode(lower, below, merging), (path) =>
    lowerNodeAt(lower, path),
  )
  if (node === undefined) return undefined
  const part = node.parts?.find(({ side }) => side === lowerSide)?.ino
  const inUpper = node.parts?.find(({ side }) => side === upperSide)
  if (!inUpper) return { ino: node.place.ino, lower: undefined, described: undefined }
  return { ino: inUpper.ino, lower: part, described: node.place.side === lowerSide ? node.place.ino : undefined }
}

/** `exact` asks whether it is a directory, which costs reading the inode. */
function lowerNode(lower: Tree, ino: number, exact: boolean): Node {
  const place = { side: lowerSide, ino }
  return exact && kindIn(lower, ino) === 'directory' ? { place, parts: [place] } : { place }
}

function lowerNodeAt(lower: Tree, path: ByteString): Node | undefined {
  const ino = lowerAt(lower, path)
  return ino === undefined ? undefined : lowerNode(lower, ino, true)
}

/** What a lower tree has at a path from its root; no symlink is followed. */
export function lowerAt(lower: Tree, path: ByteString): number | undefined {
  let ino = lower.root
  for (const name of path.split('/')) {
    if (name === '') continue
    if (kindIn(lower, ino) !== 'directory') return undefined
    const found = lower.lookup(ino, name)
    if (found === undefined) return undefined
    ino = found
  }
  return ino
}
