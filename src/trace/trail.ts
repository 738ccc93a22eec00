import { type LayerView, nothing, type Verdict } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import { mergedVerdicts } from '../stack/merged-verdicts.ts'
import { type Before, type Node, rule } from '../stack/rule.ts'

/** Why a layer shows nothing of what was below at a path: what says so, and where. */
export interface Clearing {
  readonly says: 'whiteout' | 'opaque' | 'covered'
  /** The path that is removed, opaque or no directory any more. */
  readonly at: ByteString
  readonly layer: number
}

/** What one layer does at a path. */
export interface Turn {
  readonly layer: number
  /** What the layer says at this very path. */
  readonly verdict: Verdict
  /** What took away what stood there, above the path or at it. */
  readonly cleared: Clearing | undefined
  readonly before: Node | undefined
  readonly after: Node | undefined
  /** The directory of the layer's view whose names are those under this path. */
  readonly listing: number | undefined
  /** Why nothing from below shows under this path. */
  readonly clears: Clearing | undefined
  /** A directory that was renamed: what it shows from below stood there. */
  readonly moved: Trail | undefined
}

/**
 * One path through all layers of a stack, base first: what each does there, by the one rule of stacking. Layers that say nothing of
 * the path and take nothing away have no turn.
 */
export interface Trail {
  readonly path: ByteString
  readonly turns: readonly Turn[]
}

/** The trails of a stack, found by names from the root. Symlinks are not followed. */
export class Trails {
  readonly root: Trail
  readonly #views: readonly LayerView[]
  /** By layer: what stood at a path before it. */
  readonly #before: readonly Before[]

  constructor(views: readonly LayerView[]) {
    this.#views = views
    this.#before = views.map((_, layer) => (wanted) => standing(this.at(wanted, layer), layer))
    this.root = this.#rootTrail()
  }

  /**
   * @param path from the root; empty names and `.` are passed over
   * @param below only the layers below this one are asked
   */
  at(path: ByteString, below = Number.POSITIVE_INFINITY): Trail {
    let trail = this.root
    for (const name of path.split('/')) if (name !== '' && name !== '.') trail = this.#looked(trail, name, below)
    return trail
  }

  /** The trail of a name in a directory. */
  child(directory: Trail, name: ByteString): Trail {
    return this.#looked(directory, name, Number.POSITIVE_INFINITY)
  }

  #looked(directory: Trail, name: ByteString, below: number): Trail {
    const { turns } = directory
    const verdictOf = (turn: number): Verdict => {
      const { layer, listing } = turns[turn]!
      return listing === undefined ? nothing : this.#views[layer]!.lookup(listing, name)
    }
    return this.#child(directory, name, verdictOf, below)
  }

  /** Every name that any layer ever had or took away in a directory, in byte order. */
  *children(directory: Trail): Generator<{ readonly name: ByteString; readonly trail: Trail }, void, undefined> {
    const { turns } = directory
    const listings: Iterable<{ readonly name: ByteString; readonly verdict: Verdict }>[] = []
    const place = turns.map(({ layer, listing }) =>
      listing === undefined ? -1 : listings.push(this.#views[layer]!.list(listing)) - 1,
    )
    // What a renamed directory took along is in no listing here.
    for (const { layer, moved } of turns) if (moved !== undefined) listings.push(this.#standing(moved, layer))
    for (const { name, verdicts } of mergedVerdicts(listings)) {
      const trail = this.#child(directory, name, (turn) =>
        place[turn]! < 0 ? nothing : (verdicts[place[turn]!] ?? nothing),
      )
      if (trail.turns.length > 0) yield { name, trail }
    }
  }

  *#standing(
    trail: Trail,
    below: number,
  ): Generator<{ readonly name: ByteString; readonly verdict: Verdict }, void, undefined> {
    for (const { name, trail: child } of this.children(trail)) {
      if (standing(child, below) !== undefined) yield { name, verdict: nothing }
    }
  }

  #child(
    directory: Trail,
    name: ByteString,
    verdictOf: (turn: number) => Verdict,
    below = Number.POSITIVE_INFINITY,
  ): Trail {
    const path = directory.path === '' ? name : `${directory.path}/${name}`
    const turns: Turn[] = []
    let node: Node | undefined
    for (let at = 0; at < directory.turns.length; at++) {
      const above = directory.turns[at]!
      if (above.layer >= below) break
      const verdict = verdictOf(at)
      let base = node
      if (above.moved !== undefined) base = standing(this.#looked(above.moved, name, above.layer), above.layer)
      else if (above.clears !== undefined) base = undefined
      if (verdict.says === 'nothing' && base === node) continue
      const turn = this.#turn(path, above.layer, verdict, { before: node, base, clears: above.clears })
      node = turn.after
      turns.push(turn)
    }
    return { path, turns }
  }

  #turn(
    path: ByteString,
    layer: number,
    verdict: Verdict,
    { before, base, clears }: { before: Node | undefined; base: Node | undefined; clears: Clearing | undefined },
  ): Turn {
    const after = rule(verdict, layer, base, this.#before[layer]!)
    let own: Clearing | undefined
    let listing: number | undefined
    let moved: Trail | undefined
    if (verdict.says === 'whiteout') own = { says: 'whiteout', at: path, layer }
    else if (verdict.says === 'ghost') listing = verdict.ino
    else if (verdict.says === 'link' || (verdict.says === 'entry' && !verdict.directory))
      own = { says: 'covered', at: path, layer }
    else if (verdict.says === 'entry') {
      listing = verdict.ino
      if (verdict.opaque) own = { says: 'opaque', at: path, layer }
      else if (verdict.redirect !== undefined) moved = this.at(verdict.redirect, layer)
    }
    const cleared = base === undefined && before !== undefined ? clears : own?.says === 'opaque' ? undefined : own
    return { layer, verdict, cleared, before, after, listing, clears: own ?? clears, moved }
  }

  #rootTrail(): Trail {
    const turns: Turn[] = []
    let node: Node | undefined
    for (const [layer, { root }] of this.#views.entries()) {
      const turn = this.#turn('', layer, root, { before: node, base: node, clears: undefined })
      node = turn.after
      turns.push(turn)
    }
    return { path: '', turns }
  }
}

/** What stands at the end of a trail once the layers below one are stacked; without one, all of them. */
export function standing({ turns }: Trail, below = Number.POSITIVE_INFINITY): Node | undefined {
  for (let at = turns.length - 1; at >= 0; at--) if (turns[at]!.layer < below) return turns[at]!.after
  return undefined
}
