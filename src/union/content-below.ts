import { kindIn } from '../layer/view.ts'
import { PlyError } from '../model/errors.ts'
import type { Bytes } from '../stream/bytes.ts'
import type { Sides } from './sides.ts'
import { lowerAt } from './stands.ts'
import type { WritableBytes } from './upper.ts'

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

/** The lower content of a file that has none of its own in the upper, or only some blocks. @throws EIO if it is lost */
export function openBelow(sides: Sides, ino: number, syscall: string): Bytes {
  const below = contentBelow(sides, ino)
  if (below === undefined) throw new PlyError('EIO', { syscall })
  return sides.lower.open(below)
}

/** Content that the upper has some blocks of. */
export function openBlocks(sides: Sides, ino: number, syscall: string): WritableBytes {
  return sides.upper.blocks!.open(ino, () => openBelow(sides, ino, syscall))
}

/** A file's content where the upper has any of it, for writing too. */
export function contentAbove(sides: Sides, ino: number): WritableBytes {
  return sides.upper.blocks?.has(ino) ? openBlocks(sides, ino, 'open') : sides.upper.writer(ino)
}
