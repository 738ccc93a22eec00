import { Outline } from '../outline.ts'
import { allKinds, type LayerRange, openRows, type Shown, type Standing, shownRows, standingAt } from '../standing.ts'
import type { Exploration } from '../table.ts'
import type { Key } from './keys.ts'

export type Pane = 'layers' | 'files'

/** Bits of places in `changes`: what of the tree is shown. */
export const changeBits = { same: 1, added: 2, removed: 4, changed: 8 } as const

/** Everything that is on the screen, and what is worked out of it. */
export interface State {
  readonly exploration: Exploration
  readonly outline: Outline
  readonly columns: number
  readonly rows: number
  readonly pane: Pane
  readonly layer: number
  /** Changes of all layers up to the one, not of it alone. */
  readonly together: boolean
  readonly changes: number
  readonly attributes: boolean
  readonly filter: string
  /** Whether the filter is being typed. */
  readonly typing: boolean
  readonly help: boolean
  readonly quit: boolean
  /** Directories that were opened or closed by hand. */
  readonly turned: ReadonlySet<number>
  /** Whether directories are open unless they were turned. */
  readonly allOpen: boolean
  /** The row of the table that the cursor is on. */
  readonly row: number
  readonly standing: Standing
  readonly shown: Shown
  /** Directories that lead to what is searched for. */
  readonly leads: Uint8Array | undefined
  readonly listed: Uint32Array
  /** The first of `listed` on the screen, and the first of the layers. */
  readonly top: number
  readonly layerTop: number
}

export function initialState(exploration: Exploration, columns: number, rows: number): State {
  const outline = new Outline(exploration.files)
  const layer = Math.max(0, exploration.layers.length - 1)
  const { count } = outline
  const base: State = {
    exploration,
    outline,
    columns,
    rows,
    pane: exploration.layered ? 'layers' : 'files',
    layer,
    together: false,
    changes: changeBits.same | changeBits.added | changeBits.removed | changeBits.changed,
    attributes: columns >= 100,
    filter: '',
    typing: false,
    help: false,
    quit: false,
    turned: new Set<number>(),
    allOpen: false,
    row: 0,
    top: 0,
    layerTop: 0,
    standing: standingAt(exploration.files, undefined),
    shown: { kept: new Uint8Array(count), bytes: new Float64Array(count), files: new Uint32Array(count), wanted: 0 },
    leads: undefined,
    listed: new Uint32Array(0),
  }
  return worked(base, 'range')
}

/** How many lines a pane has for its list. */
export function listLines({ rows }: Pick<State, 'rows'>): { readonly layers: number; readonly files: number } {
  return { layers: Math.max(3, Math.floor((rows - 3) * 0.45)), files: Math.max(3, rows - 3 - detailLines({ rows })) }
}

/** How many lines tell of the file under the cursor. */
export function detailLines({ rows }: Pick<State, 'rows'>): number {
  return rows >= 40 ? 8 : rows >= 20 ? 5 : 0
}

export function rangeOf({ exploration, layer, together }: State): LayerRange | undefined {
  if (!exploration.layered) return undefined
  // As a whole everything was added by the base: with all layers together its files are what there was.
  return together ? { from: Math.min(1, layer), to: layer } : { from: layer, to: layer }
}

export function isOpen({ turned, allOpen, leads }: State, row: number): boolean {
  return (leads === undefined ? allOpen : leads[row] === 1) !== turned.has(row)
}

type Stage = 'range' | 'filter' | 'open' | 'view'

/** The state with everything worked out again that a change at a stage, or after it, has a say in. */
function worked(state: State, since: Stage): State {
  const { exploration, outline } = state
  const { files } = exploration
  let next = state
  if (since === 'range') next = { ...next, standing: standingAt(files, rangeOf(next)) }
  if (since === 'range' || since === 'filter') {
    const matches = next.filter === '' ? undefined : outline.matches(next.filter)
    const filter = { kinds: allKinds, changes: next.changes, matches, only: undefined, countRemoved: false }
    const shown = shownRows(files, outline.parent, next.standing, filter)
    next = { ...next, shown, leads: matches === undefined ? undefined : leadsTo(matches, shown.kept, outline) }
  }
  if (since !== 'view') next = { ...next, listed: openRows(next.shown.kept, outline.end, (row) => isOpen(next, row)) }
  const lines = listLines(next)
  const at = placeOf(next.listed, next.row)
  const row = next.listed[at] ?? 0
  const top = scrolled(next.top, at, lines.files, next.listed.length)
  const layerTop = scrolled(next.layerTop, next.layer, lines.layers, exploration.layers.length)
  return { ...next, row, top, layerTop }
}

function leadsTo(matches: Uint8Array, kept: Uint8Array, { parent, count }: Outline): Uint8Array {
  const leads = new Uint8Array(count)
  for (let row = count - 1; row > 0; row--)
    if (kept[row] === 1 && (matches[row] === 1 || leads[row] === 1)) leads[parent[row]!] = 1
  return leads
}

/** The place of a row in a list, or of the last one before it. */
export function placeOf(listed: Uint32Array, row: number): number {
  let [low, high] = [0, listed.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (listed[middle]! <= row) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}

function scrolled(top: number, at: number, lines: number, length: number): number {
  const last = Math.max(0, length - lines)
  return Math.max(0, Math.min(last, at < top ? at : at >= top + lines ? at - lines + 1 : top))
}

/** The same on a screen of another size. */
export function resized(state: State, columns: number, rows: number): State {
  return worked({ ...state, columns, rows }, 'view')
}

/** What a key does. */
export function pressed(state: State, key: Key): State {
  if (state.help) return key === 'q' || key === 'ctrl-c' ? { ...state, quit: true } : { ...state, help: false }
  if (state.typing) return typed(state, key)
  switch (key) {
    case 'q':
    case 'ctrl-c':
      return { ...state, quit: true }
    case 'tab':
    case 'back-tab':
      return state.exploration.layered ? { ...state, pane: state.pane === 'layers' ? 'files' : 'layers' } : state
    case '/':
    case 'ctrl-f':
      return { ...state, typing: true, pane: 'files' }
    case 'escape':
      return state.filter === '' ? state : worked({ ...state, filter: '', turned: new Set() }, 'filter')
    case '?':
      return { ...state, help: true }
    case 'ctrl-b':
      return { ...state, attributes: !state.attributes }
    default:
      return state.pane === 'layers' ? inLayers(state, key) : inFiles(state, key)
  }
}

function typed(state: State, key: Key): State {
  if (key === 'ctrl-c') return { ...state, quit: true }
  if (key === 'enter' || key === 'tab' || key === 'down' || key === 'up') return { ...state, typing: false }
  const filtered = (filter: string, typing = true) =>
    worked({ ...state, filter, typing, turned: new Set<number>(), top: 0, row: 0 }, 'filter')
  if (key === 'escape') return filtered('', false)
  if (key === 'backspace') return filtered([...state.filter].slice(0, -1).join(''))
  if (key === 'ctrl-u') return filtered('')
  return [...key].length === 1 && state.filter.length < 200 ? filtered(state.filter + key) : state
}

function inLayers(state: State, key: Key): State {
  const last = Math.max(0, state.exploration.layers.length - 1)
  const page = listLines(state).layers
  const to = (layer: number) => {
    const next = Math.max(0, Math.min(last, layer))
    return next === state.layer ? state : worked({ ...state, layer: next }, 'range')
  }
  switch (key) {
    case 'up':
    case 'k':
      return to(state.layer - 1)
    case 'down':
    case 'j':
      return to(state.layer + 1)
    case 'page-up':
      return to(state.layer - page)
    case 'page-down':
      return to(state.layer + page)
    case 'home':
    case 'g':
      return to(0)
    case 'end':
    case 'G':
      return to(last)
    case 'ctrl-a':
      return worked({ ...state, together: true }, 'range')
    case 'ctrl-l':
      return worked({ ...state, together: false }, 'range')
    case 'right':
    case 'enter':
      return { ...state, pane: 'files' }
    default:
      return state
  }
}

const toggles: Readonly<Record<Key, number>> = {
  'ctrl-a': changeBits.added,
  'ctrl-r': changeBits.removed,
  // To a terminal Ctrl-M and Enter are one key.
  enter: changeBits.changed,
  'ctrl-u': changeBits.same,
}

function inFiles(state: State, key: Key): State {
  const { listed, outline, exploration, row } = state
  const at = placeOf(listed, row)
  const page = listLines(state).files
  const to = (place: number) => {
    const next = listed[Math.max(0, Math.min(listed.length - 1, place))]
    return next === undefined || next === row ? state : worked({ ...state, row: next }, 'view')
  }
  const directory = exploration.files.kind[row] === 1
  const toggle = toggles[key]
  if (toggle !== undefined) return worked({ ...state, changes: state.changes ^ toggle }, 'filter')
  switch (key) {
    case 'up':
    case 'k':
      return to(at - 1)
    case 'down':
    case 'j':
      return to(at + 1)
    case 'page-up':
      return to(at - page)
    case 'page-down':
      return to(at + page)
    case 'home':
    case 'g':
      return to(0)
    case 'end':
    case 'G':
      return to(listed.length - 1)
    case ' ':
      return directory ? turn(state, row) : state
    case 'right':
    case 'l':
      return directory && !isOpen(state, row) ? turn(state, row) : to(at + 1)
    case 'left':
    case 'h':
      if (directory && isOpen(state, row)) return turn(state, row)
      return outline.parent[row] === 0 ? state : worked({ ...state, row: outline.parent[row]! }, 'view')
    case 'ctrl-space':
    case '*':
      return worked({ ...state, allOpen: !state.allOpen, turned: new Set() }, 'open')
    default:
      return state
  }
}

function turn(state: State, row: number): State {
  const turned = new Set(state.turned)
  if (!turned.delete(row)) turned.add(row)
  return worked({ ...state, turned }, 'open')
}
