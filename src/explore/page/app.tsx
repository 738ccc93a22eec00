import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { Outline } from '../outline.ts'
import { allKinds, type LayerRange, shownRows, standingAt } from '../standing.ts'
import type { Explored } from '../table.ts'
import { countText, shortDigest, sizeText, totalBytes } from '../words.ts'
import { layerColours, type Theme } from './colours.ts'
import { Details } from './details.tsx'
import { Difference } from './difference.tsx'
import { Files } from './files.tsx'
import { Filters } from './filters.tsx'
import { Help } from './help.tsx'
import { Icon } from './icons.tsx'
import { Layers } from './layers.tsx'
import { TreeMap } from './map.tsx'
import { Waste } from './waste.tsx'

type View = 'files' | 'waste' | 'difference'
/** What of the files view is seen where there is room for one thing alone. */
type Pane = 'layers' | 'map' | 'tree'

const defaultChanges = 0b1011
/** Milliseconds without a key before the map follows the search. */
const mapDelay = 120

/** The explorer: one tree or two, looked at from all sides. */
export function App({ explored }: { readonly explored: Explored }) {
  const two = explored.after !== undefined && explored.difference !== undefined
  const [view, setView] = useState<View>(two ? 'difference' : 'files')
  const [pane, setPane] = useState<Pane>('tree')
  const [side, setSide] = useState<0 | 1>(two ? 1 : 0)
  const [range, setRange] = useState<LayerRange | undefined>(undefined)
  const [query, setQuery] = useState('')
  const [kindBits, setKindBits] = useState(allKinds)
  const [changeBits, setChangeBits] = useState(defaultChanges)
  const [wasteOnly, setWasteOnly] = useState(false)
  const [selected, setSelected] = useState(0)
  const [detailed, setDetailed] = useState(false)
  const [zoom, setZoom] = useState(0)
  const [help, setHelp] = useState(false)
  const [theme, toggleTheme] = useTheme()
  const search = useRef<HTMLInputElement>(null)

  const exploration = side === 1 && explored.after !== undefined ? explored.after : explored.before
  const { files, layers } = exploration
  const outline = useMemo(() => new Outline(files), [files])
  const standing = useMemo(() => standingAt(files, range), [files, range])
  const matches = useMemo(() => (query === '' ? undefined : outline.matches(query)), [outline, query])
  const only = useMemo(() => (wasteOnly ? wastedRows(files) : undefined), [files, wasteOnly])
  const filter = { kinds: kindBits, changes: changeBits, matches, only, countRemoved: true }
  const shown = useMemo(
    () => shownRows(files, outline.parent, standing, filter),
    [outline, standing, matches, only, kindBits, changeBits],
  )
  const colours = useMemo(() => layerColours(layers.length, theme), [layers, theme])

  // While one types the tree answers at once; the map, which is more work, when there is time.
  const [settled, setSettled] = useState({ standing, shown })
  useEffect(() => {
    const timer = setTimeout(() => setSettled({ standing, shown }), mapDelay)
    return () => clearTimeout(timer)
  }, [standing, shown])
  const mapped = query !== '' && settled.standing === standing ? settled.shown : shown
  const map = useMemo(
    () => (
      <TreeMap
        files={files}
        outline={outline}
        standing={standing}
        shown={mapped}
        colours={colours}
        selected={selected}
        zoom={zoom}
        onZoom={setZoom}
        onSelect={(row) => select(row, true)}
      />
    ),
    [files, outline, standing, mapped, colours, selected, zoom],
  )

  const chooseRange = (next: LayerRange | undefined) => {
    setRange(next)
    // With layers chosen one asks what they did, without what there is.
    if ((next === undefined) !== (range === undefined)) setChangeBits(next === undefined ? defaultChanges : 0b1110)
  }
  const select = (row: number, act: boolean) => {
    setSelected(row)
    if (act) setDetailed(true)
  }
  const chooseSide = (next: 0 | 1) => {
    if (next === side) return
    setSide(next)
    setRange(undefined)
    setChangeBits(defaultChanges)
    setSelected(0)
    setZoom(0)
  }
  const openPath = (path: string, of: 0 | 1) => {
    chooseSide(of)
    const table = of === 1 && explored.after !== undefined ? explored.after.files : explored.before.files
    const row = (table === files ? outline : new Outline(table)).find(path)
    if (row !== undefined) select(row, true)
  }

  // Before the next key can come: what is shown and what keys do change together.
  useLayoutEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      // The dialog has keys of its own.
      if (help) return
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement
      if (event.key === 'Escape') {
        if (typing && query !== '') setQuery('')
        else if (typing) search.current?.blur()
        else if (detailed) setDetailed(false)
        else if (range !== undefined) chooseRange(undefined)
        return
      }
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return
      const focus = (selector: string, which: Pane) => {
        setView('files')
        setPane(which)
        queueMicrotask(() => document.querySelector<HTMLElement>(`${selector} [tabindex="0"]`)?.focus())
      }
      if (event.key === '/') search.current?.focus()
      else if (event.key === '?') setHelp(true)
      else if (event.key === '1') setView('files')
      else if (event.key === '2' && exploration.layered) setView('waste')
      else if (event.key === '3' && two) setView('difference')
      else if (event.key === 't') toggleTheme()
      else if (event.key === 'l') focus('.layers', 'layers')
      else if (event.key === 'm') focus('.areas', 'map')
      else if (event.key === 'f') focus('#tree', 'tree')
      else return
      event.preventDefault()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  })

  const views: readonly (readonly [View, string])[] = [
    ['files', 'Files'],
    ...(exploration.layered ? ([['waste', 'Waste']] as const) : []),
    ...(two ? ([['difference', 'Difference']] as const) : []),
  ]
  return (
    <div
      class={`app view-${view} pane-${pane} ${detailed ? 'with-details' : ''} ${exploration.layered ? '' : 'without-layers'}`}
    >
      <header class="top">
        <div class="title">
          <h1>{two ? <SidePicker explored={explored} side={side} onSide={chooseSide} /> : exploration.name}</h1>
          <p class="quiet">
            {[
              exploration.platform,
              sizeText(totalBytes(exploration)),
              exploration.layered ? countText(layers.length, 'layer') : 'no layers',
              shortDigest(exploration.digest),
            ]
              .filter((fact) => fact !== '')
              .join(' · ')}
          </p>
        </div>
        {views.length > 1 && (
          <div class="views" role="group" aria-label="What is shown">
            {views.map(([name, text]) => (
              <button
                type="button"
                key={name}
                aria-pressed={view === name}
                onClick={() => setView(name)}
                data-view={name}
              >
                {text}
              </button>
            ))}
          </div>
        )}
        <div class="search">
          <Icon name="search" />
          <input
            ref={search}
            id="search"
            type="search"
            placeholder="Search"
            aria-label="Search names and paths"
            aria-keyshortcuts="/"
            autocomplete="off"
            spellcheck={false}
            value={query}
            onInput={(event) => setQuery(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== 'ArrowDown' && event.key !== 'Enter') return
              document.querySelector<HTMLElement>('.tree [tabindex="0"], .wasted-files [tabindex="0"]')?.focus()
              event.preventDefault()
            }}
          />
          <kbd>/</kbd>
        </div>
        <button
          type="button"
          class="icon-button"
          aria-label={theme === 'dark' ? 'Light colours' : 'Dark colours'}
          onClick={toggleTheme}
          id="theme"
        >
          <Icon name="theme" />
        </button>
        <button type="button" class="icon-button" aria-label="Keys" onClick={() => setHelp(true)} id="help">
          <Icon name="help" />
        </button>
      </header>
      <main>
        {view === 'files' && (
          <>
            <div class="panes" role="group" aria-label="Part of the view">
              {(exploration.layered ? (['layers', 'map', 'tree'] as const) : (['map', 'tree'] as const)).map((one) => (
                <button
                  type="button"
                  key={one}
                  aria-pressed={pane === one}
                  onClick={() => setPane(one)}
                  data-pane={one}
                >
                  {one === 'layers' ? 'Layers' : one === 'map' ? 'Map' : 'Files'}
                </button>
              ))}
            </div>
            {exploration.layered && (
              <section class="side" aria-label="Layers">
                <h2>
                  Layers
                  {range !== undefined && (
                    <button type="button" class="plain" onClick={() => chooseRange(undefined)} id="all-layers">
                      {range.from === range.to ? `only ${range.from}` : `${range.from} to ${range.to}`} · show all
                    </button>
                  )}
                </h2>
                <Layers exploration={exploration} colours={colours} range={range} onRange={chooseRange} />
              </section>
            )}
            <div class="middle">
              {map}
              <section class="listing" aria-label="Files">
                <Filters
                  kinds={kindBits}
                  changes={changeBits}
                  wasteOnly={wasteOnly}
                  ranged={range !== undefined}
                  layered={exploration.layered}
                  found={query === '' && !wasteOnly ? undefined : shown.wanted}
                  onKinds={setKindBits}
                  onChanges={setChangeBits}
                  onWasteOnly={setWasteOnly}
                />
                <Files
                  exploration={exploration}
                  outline={outline}
                  standing={standing}
                  shown={shown}
                  matches={matches ?? only}
                  colours={colours}
                  ranged={range !== undefined}
                  selected={selected}
                  onSelect={select}
                />
              </section>
            </div>
          </>
        )}
        {view === 'waste' && (
          <Waste
            exploration={exploration}
            outline={outline}
            colours={colours}
            matches={matches}
            selected={selected}
            onSelect={(row) => select(row, true)}
          />
        )}
        {view === 'difference' && two && (
          <Difference
            explored={{ ...explored, after: explored.after!, difference: explored.difference! }}
            query={query}
            onPath={openPath}
          />
        )}
        {detailed && (
          <Details
            exploration={exploration}
            outline={outline}
            standing={standing}
            shown={shown}
            colours={colours}
            row={selected}
            onSelect={(row) => select(row, true)}
            onClose={() => setDetailed(false)}
          />
        )}
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
  )
}

interface SidePickerProps {
  readonly explored: Explored
  readonly side: 0 | 1
  readonly onSide: (side: 0 | 1) => void
}

/** Which of two trees is looked at. */
function SidePicker({ explored: { before, after }, side, onSide }: SidePickerProps) {
  return (
    <span class="sides" role="group" aria-label="Which tree">
      {([0, 1] as const).map((one) => (
        <button type="button" key={one} aria-pressed={side === one} onClick={() => onSide(one)} data-side={one}>
          {one === 0 ? before.name : after?.name}
        </button>
      ))}
    </span>
  )
}

function wastedRows({ count, wasteRow }: Explored['before']['files']): Uint8Array {
  const rows = new Uint8Array(count)
  for (const row of wasteRow) rows[row] = 1
  return rows
}

/** What the system prefers, until it is chosen here. */
function useTheme(): readonly [Theme, () => void] {
  const prefers = useMemo(() => matchMedia('(prefers-color-scheme: dark)'), [])
  const [system, setSystem] = useState<Theme>(prefers.matches ? 'dark' : 'light')
  const [chosen, setChosen] = useState<Theme | undefined>(undefined)
  useEffect(() => {
    const look = () => setSystem(prefers.matches ? 'dark' : 'light')
    prefers.addEventListener('change', look)
    return () => prefers.removeEventListener('change', look)
  }, [])
  const theme = chosen ?? system
  useEffect(() => {
    document.documentElement.dataset.theme = theme
  }, [theme])
  return [theme, () => setChosen(theme === 'dark' ? 'light' : 'dark')]
}
