import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Outline } from '../outline.ts'
import { openRows, places, type Shown, type Standing } from '../standing.ts'
import type { Exploration } from '../table.ts'
import { sizeText, targetOf } from '../words.ts'
import type { LayerColour } from './colours.ts'
import { Icon, kindIcon } from './icons.tsx'
import { reveal, VirtualList } from './virtual-list.tsx'

interface FilesProps {
  readonly exploration: Exploration
  readonly outline: Outline
  readonly standing: Standing
  readonly shown: Shown
  /** Rows that were searched for: what leads to them is open. */
  readonly matches: Uint8Array | undefined
  readonly colours: readonly LayerColour[]
  readonly ranged: boolean
  readonly selected: number
  readonly onSelect: (row: number, act: boolean) => void
}

const rowHeight = 26
/** No more names than these are shown without being asked for. */
const mostOpened = 60
const changeNames = ['', 'added', 'removed', 'changed'] as const

/** The merged tree, in the colours of the layers. */
export function Files(props: FilesProps) {
  const { exploration, outline, standing, shown, matches, colours, ranged, selected, onSelect } = props
  const { files } = exploration
  const list = useRef<HTMLDivElement>(null)
  const wantsFocus = useRef(false)
  const [turned, setTurned] = useState<ReadonlySet<number>>(new Set())
  // Opening something by hand is about one search alone.
  const searched = useRef(matches)
  if (searched.current !== matches) {
    searched.current = matches
    if (turned.size > 0 && matches !== undefined) setTurned(new Set())
  }
  // What a few layers did is seen at once where it is little.
  const little = ranged && matches === undefined && shown.wanted <= mostOpened
  const wasLittle = useRef(little)
  if (wasLittle.current !== little) {
    wasLittle.current = little
    if (turned.size > 0) setTurned(new Set())
  }
  const leads = useMemo(
    () => (little ? shown.kept : leadingTo(matches, shown.kept, outline)),
    [little, matches, shown.kept, outline],
  )
  const isOpen = (row: number) => (leads === undefined ? turned.has(row) : (leads[row] === 1) !== turned.has(row))
  const rows = useMemo(() => openRows(shown.kept, outline.end, isOpen), [shown.kept, outline, leads, turned])

  const siblings = useMemo(() => places(shown.kept, outline.parent), [shown.kept, outline])

  // What is selected elsewhere (in the map, in a list) is shown here.
  useLayoutEffect(() => {
    if (selected === 0) return
    const closed: number[] = []
    for (let at = outline.parent[selected]!; at !== 0; at = outline.parent[at]!) if (!isOpen(at)) closed.push(at)
    if (closed.length === 0) return
    const next = new Set(turned)
    for (const row of closed) if (!next.delete(row)) next.add(row)
    setTurned(next)
  }, [selected])
  const at = indexOf(rows, selected)
  useLayoutEffect(() => {
    if (at === undefined) return
    reveal(list.current, at, rowHeight)
    if (!wantsFocus.current) return
    wantsFocus.current = false
    list.current?.querySelector<HTMLElement>(`[data-row="${selected}"]`)?.focus({ preventScroll: true })
  }, [selected, at])

  const turn = (row: number) => {
    const next = new Set(turned)
    const opening = !isOpen(row)
    if (!next.delete(row)) next.add(row)
    // A directory that holds one directory alone is no place to stop at.
    if (opening) {
      for (let only = onlyChild(row); only !== undefined; only = onlyChild(only))
        if (!isOpen(only) && !next.delete(only)) next.add(only)
    }
    setTurned(next)
  }
  const onlyChild = (directory: number): number | undefined => {
    let found: number | undefined
    for (let row = directory + 1; row < outline.end[directory]!; row = outline.end[row]!) {
      if (shown.kept[row] === 0) continue
      if (found !== undefined) return undefined
      found = row
    }
    return found !== undefined && files.kind[found] === 1 ? found : undefined
  }
  const go = (index: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))]
    if (row === undefined) return
    wantsFocus.current = true
    onSelect(row, false)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const index = at ?? 0
    const row = rows[index]
    const directory = row !== undefined && files.kind[row] === 1
    const page = Math.max(1, Math.floor((list.current?.clientHeight ?? 0) / rowHeight) - 1)
    if (event.key === 'ArrowDown') go(index + 1)
    else if (event.key === 'ArrowUp') go(index - 1)
    else if (event.key === 'PageDown') go(index + page)
    else if (event.key === 'PageUp') go(index - page)
    else if (event.key === 'Home') go(0)
    else if (event.key === 'End') go(rows.length - 1)
    else if (event.key === 'ArrowRight' && directory) isOpen(row) ? go(index + 1) : turn(row)
    else if (event.key === 'ArrowLeft' && row !== undefined) {
      if (directory && isOpen(row)) turn(row)
      else if (outline.parent[row] !== 0) {
        wantsFocus.current = true
        onSelect(outline.parent[row]!, false)
      }
    } else if (event.key === ' ' && directory) turn(row)
    else if (event.key === 'Enter' && row !== undefined) {
      if (directory) turn(row)
      onSelect(row, !directory)
    } else return
    event.preventDefault()
    event.stopPropagation()
  }

  const draw = (index: number) => {
    const row = rows[index]!
    const kind = files.kind[row]!
    const layer = standing.layer[row]!
    const change = changeNames[ranged || standing.change[row] !== 1 ? standing.change[row]! : 0]!
    const target = kind === 2 ? targetOf(files, row) : undefined
    const bytes = kind === 1 ? shown.bytes[row]! : standing.size[row]!
    return (
      <div
        key={row}
        role="treeitem"
        aria-level={outline.depth[row]!}
        aria-posinset={siblings.place[row]!}
        aria-setsize={siblings.of[outline.parent[row]!]!}
        aria-selected={row === selected}
        {...(kind === 1 && { 'aria-expanded': isOpen(row) })}
        aria-label={`${outline.names[row]}, ${kind === 1 ? 'directory, ' : ''}${sizeText(bytes)}, layer ${layer}${change && `, ${change}`}`}
        tabIndex={index === (at ?? 0) ? 0 : -1}
        data-row={row}
        class={`row ${change}`}
        style={{ top: `${index * rowHeight}px`, '--depth': `${outline.depth[row]! - 1}` }}
        onClick={() => {
          if (kind === 1) turn(row)
          onSelect(row, kind !== 1)
        }}
      >
        <span class="swatch" style={{ background: colours[layer]?.mark ?? '' }} />
        <span class={`twist ${kind === 1 ? (isOpen(row) ? 'open' : 'shut') : ''}`}>
          {kind === 1 && <Icon name="chevron" />}
        </span>
        <Icon name={kindIcon(kind)} class={kind === 1 ? 'directory' : ''} />
        <span class="name">
          {outline.names[row]}
          {target !== undefined && <span class="target"> → {target}</span>}
        </span>
        {change !== '' && <span class={`change ${change}`}>{change}</span>}
        <span class="of">{exploration.layered ? layer : ''}</span>
        <span class="size">{kind === 0 || kind === 1 ? sizeText(bytes) : ''}</span>
      </div>
    )
  }
  return (
    <>
      <VirtualList
        count={rows.length}
        rowHeight={rowHeight}
        focused={at}
        row={draw}
        list={list}
        attributes={{ role: 'tree', 'aria-label': 'Files', class: 'tree', onKeyDown, id: 'tree' }}
      />
      {rows.length === 0 && <p class="quiet pad none">Nothing here fits the search and the filters.</p>}
    </>
  )
}

/** Directories that lead to what was searched for; `undefined` where nothing was, and for so much that it says nothing. */
function leadingTo(
  matches: Uint8Array | undefined,
  kept: Uint8Array,
  { parent, count }: Outline,
): Uint8Array | undefined {
  if (matches === undefined) return undefined
  const leads = new Uint8Array(count)
  for (let row = count - 1; row > 0; row--)
    if (kept[row] === 1 && (matches[row] === 1 || leads[row] === 1)) leads[parent[row]!] = 1
  return leads
}

function indexOf(rows: Uint32Array, row: number): number | undefined {
  let [low, high] = [0, rows.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (rows[middle]! < row) low = middle + 1
    else high = middle
  }
  return rows[low] === row ? low : undefined
}
