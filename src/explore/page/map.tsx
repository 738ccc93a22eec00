import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Outline } from '../outline.ts'
import type { Shown, Standing } from '../standing.ts'
import type { FileTable } from '../table.ts'
import { countText, sizeText } from '../words.ts'
import type { LayerColour } from './colours.ts'
import { type Area, areasOf } from './treemap.ts'

interface MapProps {
  readonly files: FileTable
  readonly outline: Outline
  readonly standing: Standing
  readonly shown: Shown
  readonly colours: readonly LayerColour[]
  readonly selected: number
  readonly zoom: number
  readonly onZoom: (row: number) => void
  readonly onSelect: (row: number) => void
}

/** What takes the room: areas as large as what they stand for, in the colour of the layer that put it there. */
export function TreeMap(props: MapProps) {
  const { files, outline, standing, shown, colours, selected, zoom, onZoom, onSelect } = props
  const place = useRef<HTMLDivElement>(null)
  const [size, setSize] = useState({ width: 0, height: 0 })
  const [focused, setFocused] = useState<number | undefined>(undefined)
  const wantsFocus = useRef(false)
  useLayoutEffect(() => {
    const element = place.current!
    const look = () => setSize({ width: element.clientWidth, height: element.clientHeight })
    const watch = new ResizeObserver(look)
    watch.observe(element)
    look()
    return () => watch.disconnect()
  }, [])
  const isDirectory = (row: number) => files.kind[row] === 1
  const root = useMemo(() => areasOf(outline, shown, isDirectory, { row: zoom, ...size }), [outline, shown, zoom, size])
  const areas = useMemo(() => root?.descendants().filter(({ depth, x0, x1 }) => depth > 0 && x1 > x0) ?? [], [root])
  const named = areas.filter(({ data }) => data.row !== undefined)
  const active = named.find(({ data }) => data.row === focused) ?? named[0]
  useLayoutEffect(() => {
    if (!wantsFocus.current) return
    wantsFocus.current = false
    place.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus()
  })
  const enter = (row: number) => {
    wantsFocus.current = true
    setFocused(undefined)
    onZoom(row)
  }
  const out = () => {
    if (zoom === 0) return
    wantsFocus.current = true
    setFocused(zoom)
    onZoom(outline.parent[zoom]!)
  }
  const move = (area: Area | undefined) => {
    if (area === undefined) return
    wantsFocus.current = true
    setFocused(area.data.row)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (active === undefined && event.key !== 'Backspace') return
    const row = active?.data.row ?? 0
    if (event.key === 'ArrowRight' || event.key === 'ArrowLeft' || event.key === 'ArrowDown' || event.key === 'ArrowUp')
      move(neighbour(active!, named, event.key))
    else if (event.key === 'Enter' || event.key === '+') isDirectory(row) ? enter(row) : onSelect(row)
    else if (event.key === ' ') onSelect(row)
    else if (event.key === 'Backspace' || event.key === '-') out()
    else if (event.key === 'Escape' && zoom !== 0) out()
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  const way: number[] = []
  for (let at = zoom; at !== 0; at = outline.parent[at]!) way.unshift(at)
  return (
    <section class="map" aria-label="Map of sizes">
      <nav class="crumbs" aria-label="Where the map is">
        <ol>
          {[0, ...way].map((row) => (
            <li key={row}>
              {row === zoom ? (
                <span aria-current="location">{row === 0 ? '/' : outline.names[row]}</span>
              ) : (
                <button type="button" onClick={() => onZoom(row)}>
                  {row === 0 ? '/' : outline.names[row]}
                </button>
              )}
            </li>
          ))}
        </ol>
        <span class="quiet total">
          {sizeText(shown.bytes[zoom]!)} · {countText(shown.files[zoom]!, 'file')}
        </span>
        {zoom !== 0 && (
          <button type="button" class="plain" onClick={out} id="zoom-out">
            Zoom out
          </button>
        )}
      </nav>
      <div
        class="areas"
        ref={place}
        role="group"
        aria-label={`What is in ${outline.path(zoom)}, by size`}
        onKeyDown={onKeyDown}
      >
        {areas.map((area) => draw(area))}
        {root === undefined && size.width > 0 && <p class="quiet pad">Nothing here takes any room.</p>}
      </div>
    </section>
  )

  function draw(area: Area) {
    const { x0, y0, x1, y1, data, children, depth } = area
    const { row } = data
    const [width, height] = [x1 - x0, y1 - y0]
    const style: Record<string, string> = {
      left: `${x0}px`,
      top: `${y0}px`,
      width: `${width}px`,
      height: `${height}px`,
    }
    if (row === undefined) {
      return (
        <div
          key={`rest ${x0} ${y0}`}
          class="area rest"
          style={style}
          title={`${countText(data.rest, 'more name')}, ${sizeText(data.bytes)}`}
        />
      )
    }
    const directory = isDirectory(row)
    const open = children !== undefined
    if (!open && standing.change[row] !== 2) {
      const layer = directory ? mostOf(row) : standing.layer[row]!
      style['background-color'] = colours[layer]?.fill ?? ''
      style.color = colours[layer]?.text ?? ''
    }
    const label = `${outline.names[row]}${directory ? '/' : ''}`
    const change = ['', '', 'removed', ''][standing.change[row]!]
    return (
      <button
        type="button"
        key={row}
        class={`area ${open ? 'open' : 'whole'} ${directory ? 'directory' : ''} ${row === selected ? 'selected' : ''} ${change}`}
        style={style}
        data-row={row}
        data-depth={depth}
        tabIndex={area === active ? 0 : -1}
        title={`${outline.path(row)}\n${sizeText(data.bytes)}`}
        aria-label={`${outline.path(row)}, ${sizeText(data.bytes)}${directory ? ', directory' : ''}`}
        onFocus={() => setFocused(row)}
        onClick={(event) => {
          event.stopPropagation()
          if (directory) onZoom(row)
          else onSelect(row)
        }}
      >
        {width > 34 && height > 14 && (
          <span class={`label ${open ? 'above' : ''}`}>
            {label}
            {width > 110 && <span class="bytes"> {sizeText(data.bytes)}</span>}
          </span>
        )}
      </button>
    )
  }

  /** The layer that most of what is in a directory comes from. */
  function mostOf(directory: number): number {
    const sums = new Map<number, number>()
    for (let row = directory + 1; row < outline.end[directory]!; row++) {
      if (files.kind[row] === 1 || shown.kept[row] === 0) continue
      const layer = standing.layer[row]!
      sums.set(layer, (sums.get(layer) ?? 0) + shown.bytes[row]!)
    }
    let [most, bytes] = [0, -1]
    for (const [layer, sum] of sums) if (sum > bytes) [most, bytes] = [layer, sum]
    return most
  }
}

/** The area to which an arrow leads: the nearest that lies that way; down also leads into a directory. */
function neighbour(from: Area, areas: readonly Area[], key: string): Area | undefined {
  const sideways = key === 'ArrowRight' || key === 'ArrowLeft'
  const onward = key === 'ArrowRight' || key === 'ArrowDown'
  let best: Area | undefined
  let least = Number.POSITIVE_INFINITY
  for (const area of areas) {
    if (area === from) continue
    const gap = sideways
      ? onward
        ? area.x0 - from.x1
        : from.x0 - area.x1
      : onward
        ? area.y0 - from.y0
        : from.y0 - area.y0
    if (sideways ? gap < -2 : gap < 4) continue
    const off = sideways ? Math.abs(area.y0 - from.y0) : Math.abs(area.x0 - from.x0)
    const far = gap + off * 2 + Math.abs(area.depth - from.depth) * 4
    if (far < least) [best, least] = [area, far]
  }
  return best
}
