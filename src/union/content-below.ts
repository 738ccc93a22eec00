import { kindIn } from '../layer/view.ts'
import type { Sides } from './sides.ts'
import { lowerAt } from './stands.ts'

/**
 * The lower inode with the content of a file that has none in the upper: the one of its number or, where nothing says that any more,
 * what is at its name, as the kernel finds it. `undefined`: there is none, the content is lost.
 */
export function contentBelow(sides: Sides, ino: number): number | undefined {
  if (sides.isBelow(ino)) return ino
  const { upper, lower } = sides
  const place = upper.contentPlace?.(ino)
  if (place === undefined) return undefined
  const found =
    'path' in place
      ? lowerAt(lower, place.path)
      : sides.below(place.directory === upper.root.ino ? sides.root : place.directory, place.name)
  return found !== undefined && kindIn(lower, found) === 'file' ? found : undefined
}
