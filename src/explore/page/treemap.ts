import { type HierarchyRectangularNode, hierarchy, treemap, treemapSquarify } from 'd3-hierarchy'
import type { Outline } from '../outline.ts'
import type { Shown } from '../standing.ts'

/** A part of a directory that is drawn as one area. */
export interface Part {
  /** `undefined` for all that is too small to be drawn alone. */
  readonly row: number | undefined
  readonly bytes: number
  /** How many names are in it, where it has no row. */
  readonly rest: number
  readonly parts: Part[]
}

export type Area = HierarchyRectangularNode<Part>

/** More areas than these say nothing, and cost time. */
const mostAreas = 400
/** No area is smaller than these square pixels. */
const leastArea = 90

/** What is in a directory, the largest taken apart first, as areas in a rectangle. */
export function areasOf(
  outline: Outline,
  shown: Shown,
  isDirectory: (row: number) => boolean,
  { row, width, height }: { readonly row: number; readonly width: number; readonly height: number },
): Area | undefined {
  const total = shown.bytes[row]!
  if (total === 0 || width < 20 || height < 20) return undefined
  const least = (total * leastArea) / (width * height)
  const root: Part = { row, bytes: total, rest: 0, parts: [] }
  const waiting: Part[] = [root]
  let drawn = 0
  while (waiting.length > 0 && drawn < mostAreas) {
    let largest = 0
    for (let at = 1; at < waiting.length; at++) if (waiting[at]!.bytes > waiting[largest]!.bytes) largest = at
    const [part] = waiting.splice(largest, 1)
    // What is too small for a name of its own is left whole.
    if (part !== root && part!.bytes < least * 12) continue
    drawn += takenApart(part!, outline, shown, least)
    for (const inner of part!.parts) if (inner.row !== undefined && isDirectory(inner.row)) waiting.push(inner)
  }
  const laid = hierarchy(root, ({ parts }) => parts)
    // A directory is as large as what is drawn of it.
    .sum((part) => (part.parts.length === 0 ? part.bytes : 0))
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0))
  return treemap<Part>()
    .tile(treemapSquarify.ratio(1.4))
    .size([width, height])
    .paddingInner(1)
    .paddingOuter(1)
    .paddingTop((area) => (area.depth > 0 && area.x1 - area.x0 > 34 ? 17 : 1))
    .round(true)(laid)
}

function takenApart(part: Part, { end }: Outline, { bytes, kept }: Shown, least: number): number {
  let small = 0
  let rest = 0
  for (let row = part.row! + 1; row < end[part.row!]!; row = end[row]!) {
    if (kept[row] === 0 || bytes[row] === 0) continue
    if (bytes[row]! >= least) part.parts.push({ row, bytes: bytes[row]!, rest: 0, parts: [] })
    else {
      small += bytes[row]!
      rest++
    }
  }
  if (rest > 0) part.parts.push({ row: undefined, bytes: small, rest, parts: [] })
  return part.parts.length
}
