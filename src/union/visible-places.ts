import type { ByteString } from '../model/bytes.ts'
import type { Sides } from './sides.ts'

/** A name in a directory of the union. */
export interface VisiblePlace {
  readonly directory: number
  readonly name: ByteString
}

/** Where inodes of the lower tree can still be seen through the upper. */
export class VisiblePlaces {
  readonly #sides: Sides

  constructor(sides: Sides) {
    this.#sides = sides
  }

  /** A visible name, from below, of a lower inode that is no directory. */
  of(ino: number): VisiblePlace | undefined {
    const { places } = this.#sides
    const quick = places.remembered(ino)
    const found = quick && this.#seen(quick, ino)
    if (found) return found
    for (const place of places.all(ino)) {
      const seen = this.#seen(place, ino)
      if (seen) return seen
    }
    return undefined
  }

  /** `directory` of the place is a number of the lower tree. */
  #seen({ directory: lower, name }: VisiblePlace, ino: number): VisiblePlace | undefined {
    const sides = this.#sides
    const directory = this.#directory(lower)
    if (directory === undefined) return undefined
    const shows = sides.verdict(directory, name).says === 'nothing' && sides.below(directory, name) === ino
    return shows ? { directory, name } : undefined
  }

  /**
   * The union's number of a lower directory; `undefined` if it cannot be reached any more. What decides is where the way up from it
   * comes to the upper: below that everything is as it was.
   */
  #directory(lower: number): number | undefined {
    const sides = this.#sides
    let below: number | undefined
    for (let at = lower; ; below = at, at = sides.lower.parent(at)) {
      const ino = sides.numberOf(at)
      if (sides.inUpper(ino)) {
        if (sides.directory(ino).lower !== at) return undefined
        if (below === undefined) return ino
        return sides.lookup(ino, sides.places.nameOf(below)) === below ? lower : undefined
      }
      if (sides.gone.has(ino)) return undefined
    }
  }
}
