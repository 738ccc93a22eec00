import type { ByteString } from '../model/bytes.ts'
import type { Tree } from '../stack/tree.ts'
import { CopyUp } from '../union/copy-up.ts'
import { Handles } from '../union/handles.ts'
import { LinkGroups } from '../union/link-groups.ts'
import { Sides } from '../union/sides.ts'
import type { Upper } from '../union/upper.ts'
import { VisiblePlaces } from '../union/visible-places.ts'

/** What a conversion knows when all names of the source are in the target. */
export interface NamesConverted {
  readonly from: Upper
  readonly to: Upper
  readonly lower: Tree
  /** Puts an inode of the source at a name; `directory` is the target's, with the number of its lower part. */
  readonly place: (
    directory: { readonly to: number; readonly lower: number | undefined },
    name: ByteString,
    ino: number,
  ) => void
}

/**
 * The rest of lower link groups: what only names from below show gets one of them, since a form need not have another place for it; and
 * what the target records of groups is made right, since the source need not have recorded any.
 */
export function* convertGroups({ from, to, lower, place }: NamesConverted): Generator<void> {
  const sides = new Sides(lower, to)
  const groups = new LinkGroups(sides)
  const copyUp = new CopyUp(sides, groups, new Handles())
  const places = new VisiblePlaces(sides)
  for (const ino of nameless(from, lower)) {
    const found = places.of(ino)
    if (!found) continue
    copyUp.directory(found.directory)
    place({ to: sides.up(found.directory), lower: sides.directory(found.directory).lower }, found.name, ino)
    groups.cover(found.directory, found.name)
    yield
  }
  const records = to.groups
  if (!records) return
  for (const [ino, names] of groups.partlyHidden()) {
    if (to.has(ino)) records.shown(ino, names)
    else copyUp.hiding(ino)
    yield
  }
}

/** Inodes of an upper that only names from below show; with `lower` those that say something that is not there. */
export function nameless(upper: Upper, lower?: Tree): number[] {
  return [...(upper.groups?.nameless() ?? [])].filter((ino) => lower === undefined || !isAsBelow(upper, lower, ino))
}

function isAsBelow(upper: Upper, lower: Tree, ino: number): boolean {
  const [above, below] = [upper.stat(ino), lower.stat(ino)]
  if (upper.hasContent(ino) || upper.blocks?.has(ino)) return false
  if (above.mode !== below.mode || above.uid !== below.uid || above.gid !== below.gid) return false
  if (above.mtime !== below.mtime || (above.atime ?? above.mtime) !== (below.atime ?? below.mtime)) return false
  const [xattrs, own] = [upper.xattrs(ino), lower.xattrs(ino)]
  if (xattrs.size !== own.size) return false
  for (const [name, value] of xattrs) {
    const other = own.get(name)
    if (other === undefined || Buffer.compare(value, other) !== 0) return false
  }
  return true
}
