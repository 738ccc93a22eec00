import { deeds, type FileTable, kinds, marks } from './table.ts'

/** A range of layers, both included; 0 is the base. */
export interface LayerRange {
  readonly from: number
  readonly to: number
}

/** What stands at the rows of a table, and what became of them in a range of layers. */
export interface Standing {
  /** 0: nothing stands there, nor did before the range; else 1. */
  readonly told: Uint8Array
  /** A place in `changes`: 0 the same, 1 added, 2 removed, 3 changed. */
  readonly change: Uint8Array
  /** Bytes; of what is removed those that went. */
  readonly size: Float64Array
  /** The layer that put there what stands there. */
  readonly layer: Uint16Array
  /** The step of its story that says what stands there; -1 where the row itself does. */
  readonly step: Int32Array
}

const added = 1
const removed = 2
const changed = 3
const did = Object.fromEntries(deeds.map((deed, number) => [deed, number])) as Record<(typeof deeds)[number], number>

/**
 * Without a range, what the image shows: added by one layer and left alone; changed by another one; or removed by one. With a range, what
 * stands there once its last layer is stacked, and what the layers of the range did to what was there before.
 */
export function standingAt(files: FileTable, range: LayerRange | undefined): Standing {
  const { count, layer: layers, marks: rowMarks } = files
  const told = new Uint8Array(count)
  const change = new Uint8Array(count)
  const layer = layers.slice()
  const size = files.size.slice()
  const steps = new Int32Array(count).fill(-1)
  const [from, to] = range === undefined ? [0, Number.POSITIVE_INFINITY] : [range.from, range.to]
  for (let row = 0; row < count; row++) {
    const own = layers[row]!
    if (own > to) continue
    told[row] = 1
    if (own >= from) change[row] = added
  }
  const { told: rows, story } = files
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at]!
    const whole = range === undefined
    if (whole && (rowMarks[row]! & marks.present) === 0) {
      told[row] = 1
      change[row] = removed
      continue
    }
    let before = false
    let now = false
    let touched = false
    let last = -1
    for (let step = story[at]!; step < story[at + 1]!; step++) {
      const when = files.stepLayer[step]!
      if (when > to) break
      const deed = files.stepDeed[step]!
      if (deed === did.inside || deed === did.nothing) continue
      now = deed !== did.delete
      if (when < from) before = now
      else if (deed === did.modify || deed === did.attributes) touched = true
      last = step
    }
    // Only something that a layer has inside of it, from the first on.
    if (last < 0) {
      told[row] = files.stepLayer[story[at]!]! <= to ? 1 : 0
      continue
    }
    told[row] = now || before ? 1 : 0
    size[row] = files.stepSize[last]!
    layer[row] = files.stepLayer[last]!
    steps[row] = last
    if (!now) change[row] = before ? removed : 0
    else if (whole) change[row] = touched ? changed : added
    else change[row] = before ? (touched || replaced(files, at, from, to) ? changed : 0) : added
  }
  return { told, change, size, layer, step: steps }
}

/** What stands at a row, beside its size: a place in `kinds`, the mode, a place among the owners, and seconds. */
export function attributesAt(
  files: FileTable,
  { step }: Standing,
  row: number,
): { readonly kind: number; readonly mode: number; readonly owner: number; readonly mtime: number } {
  const at = step[row]!
  return at < 0
    ? { kind: files.kind[row]!, mode: files.mode[row]!, owner: files.owner[row]!, mtime: files.mtime[row]! }
    : { kind: files.stepKind[at]!, mode: files.stepMode[at]!, owner: files.stepOwner[at]!, mtime: files.stepMtime[at]! }
}

/** Whether something was removed within a range, and is there again. */
function replaced({ story, stepLayer, stepDeed }: FileTable, at: number, from: number, to: number): boolean {
  for (let step = story[at]!; step < story[at + 1]!; step++) {
    const when = stepLayer[step]!
    if (when >= from && when <= to && stepDeed[step] === did.delete) return true
  }
  return false
}

/** What of the rows is shown, by their kinds, by what became of them, and by a search. */
export interface Filter {
  /** Bits of places in `kinds`; all of them where nothing is left out. */
  readonly kinds: number
  /** Bits of places in `changes`. */
  readonly changes: number
  /** Rows that are searched for: see `Outline.matches`. Absent: all. */
  readonly matches: Uint8Array | undefined
  /** Rows that alone are shown. Absent: all. */
  readonly only: Uint8Array | undefined
  /** Whether what is removed counts, where it is shown. */
  readonly countRemoved: boolean
}

export const allKinds = (1 << kinds.length) - 1

/** Rows that are shown. */
export interface Shown {
  /** 1 for a row that is wanted itself, or that leads to one. */
  readonly kept: Uint8Array
  /** Bytes of what is wanted at a row and under it, each inode once. */
  readonly bytes: Float64Array
  /** How many wanted rows are at a row and under it, directories not among them. */
  readonly files: Uint32Array
  /** How many rows are wanted themselves. */
  readonly wanted: number
}

/** Which rows are shown, and what they come to. */
export function shownRows(
  files: FileTable,
  parent: Uint32Array,
  { told, change, size }: Standing,
  filter: Filter,
): Shown {
  const { count, kind, marks: rowMarks } = files
  const { matches, only } = filter
  const kept = new Uint8Array(count)
  const bytes = new Float64Array(count)
  const counted = new Uint32Array(count)
  // What is under a row that was searched for is wanted as well.
  const under = matches === undefined ? undefined : new Uint8Array(count)
  let wanted = 0
  for (let row = 0; row < count; row++) {
    if (under !== undefined) under[row] = matches![row]! | (row === 0 ? 0 : under[parent[row]!]!)
    if (told[row] === 0 || (under !== undefined && under[row] === 0) || (only !== undefined && only[row] === 0))
      continue
    const own = kind[row]!
    if ((filter.kinds & (1 << own)) === 0 || (filter.changes & (1 << change[row]!)) === 0) continue
    kept[row] = 1
    wanted++
    if (own === 1 || (!filter.countRemoved && change[row] === removed)) continue
    counted[row] = 1
    if (own === 0 && (rowMarks[row]! & marks.link) === 0) bytes[row] = size[row]!
  }
  for (let row = count - 1; row > 0; row--) {
    const above = parent[row]!
    if (kept[row] === 1) kept[above] = 1
    bytes[above]! += bytes[row]!
    counted[above]! += counted[row]!
  }
  kept[0] = 1
  return { kept, bytes, files: counted, wanted }
}

/** The rows to be drawn, in order: those that are kept, and stand in directories that are open. The root itself is left out. */
export function openRows(kept: Uint8Array, end: Uint32Array, isOpen: (row: number) => boolean): Uint32Array {
  const rows = new Uint32Array(kept.length)
  let length = 0
  for (let row = 1; row < kept.length; ) {
    if (kept[row] === 0) row = end[row]!
    else {
      rows[length++] = row
      // Most rows have nothing under them, and need not be asked about.
      row = end[row] !== row + 1 && isOpen(row) ? row + 1 : end[row]!
    }
  }
  return rows.subarray(0, length)
}

/** Where rows stand among those that their directory shows, from 1 on, and how many those are, by directory. */
export function places(
  kept: Uint8Array,
  parent: Uint32Array,
): { readonly place: Uint32Array; readonly of: Uint32Array } {
  const place = new Uint32Array(kept.length)
  const of = new Uint32Array(kept.length)
  for (let row = 1; row < kept.length; row++) if (kept[row] === 1) place[row] = ++of[parent[row]!]!
  return { place, of }
}
