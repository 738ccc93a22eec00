import type { Tree } from '../stack/tree.ts'
import { mergedListings } from './merged-listings.ts'

/** Every inode, but directories, that two trees share at one path. Names are listed, and nothing else is looked at. */
export function keptInodes(before: Tree, after: Tree, shared: (b: number, a: number) => boolean): ReadonlySet<number> {
  const kept = new Set<number>()
  const pairs: (readonly [number, number])[] = [[before.root, after.root]]
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [b, a] = pair
    // What is in a shared directory is shared, all of it.
    const whole = shared(b, a)
    for (const { was, is } of mergedListings(whole ? [] : before.list(b), after.list(a))) {
      if (is === undefined || (!whole && was === undefined)) continue
      const old = whole ? is.ino : was!.ino
      if (is.kind !== 'directory') {
        if (whole || shared(old, is.ino)) kept.add(is.ino)
      } else if (whole || was!.kind === 'directory') pairs.push([old, is.ino])
    }
  }
  return kept
}
