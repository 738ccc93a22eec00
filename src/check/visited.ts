import type { ByteString } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'
import type { Node } from '../stack/rule.ts'
import type { Trail } from '../trace/index.ts'

/** A path that a layer has something at, once while all are gone through. */
export interface Visited {
  readonly trail: Trail
  /** A byte string without a leading slash. */
  readonly path: ByteString
  /** What stands there in the end, if anything does. */
  readonly now: Standing | undefined
}

export interface Standing {
  readonly node: Node
  readonly stat: Stat
  /** For findings of it: its path as text, and the layer that has it. */
  readonly at: { readonly path: string; readonly layer: number }
}

/** What is asked of every path. */
export interface PathQuestion {
  visit(visited: Visited): void
  /** All have been gone through. */
  end?(): void
}

/** Each content that a path ever had, once. */
export function contentsOf({ turns }: Trail): Node[] {
  const found: Node[] = []
  for (const { after } of turns) {
    if (after === undefined || after.parts !== undefined) continue
    if (!found.some(({ place }) => place.side === after.place.side && place.ino === after.place.ino)) found.push(after)
  }
  return found
}
