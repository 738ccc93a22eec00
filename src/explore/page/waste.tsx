import { useMemo, useState } from 'preact/hooks'
import type { Outline } from '../outline.ts'
import { type Exploration, wasteCauses } from '../table.ts'
import { countText, percentText, sizeText, totalBytes } from '../words.ts'
import type { LayerColour } from './colours.ts'
import { VirtualList } from './virtual-list.tsx'

interface WasteProps {
  readonly exploration: Exploration
  readonly outline: Outline
  readonly colours: readonly LayerColour[]
  readonly matches: Uint8Array | undefined
  readonly selected: number
  readonly onSelect: (row: number) => void
}

const explained = {
  overwritten: 'Overwritten by a layer above',
  deleted: 'Removed by a layer above',
  attributes: 'Same content, other attributes',
  repeated: 'The same file once more',
  duplicate: 'Equal to a file of another layer',
} as const satisfies Record<(typeof wasteCauses)[number], string>

const rowHeight = 30

/** What the layers hold in vain. */
export function Waste({ exploration, outline, colours, matches, selected, onSelect }: WasteProps) {
  const { files, layers } = exploration
  const [cause, setCause] = useState<number | undefined>(undefined)
  const sums = useMemo(() => {
    const all = wasteCauses.map(() => ({ bytes: 0, files: 0 }))
    for (let at = 0; at < files.wasteRow.length; at++) {
      const one = all[files.wasteCause[at]!]!
      one.bytes += files.wasteBytes[at]!
      one.files++
    }
    return all
  }, [files])
  const total = sums.reduce((sum, { bytes }) => sum + bytes, 0)
  const most = Math.max(1, ...sums.map(({ bytes }) => bytes))
  const rows = useMemo(() => {
    const found: number[] = []
    for (let at = 0; at < files.wasteRow.length; at++) {
      if (cause !== undefined && files.wasteCause[at] !== cause) continue
      if (matches === undefined || matches[files.wasteRow[at]!] === 1) found.push(at)
    }
    return found
  }, [files, cause, matches])
  const [focused, setFocused] = useState(0)
  const active = Math.min(focused, Math.max(0, rows.length - 1))
  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -1e9, End: 1e9 }
    const step = steps[event.key]
    if (step !== undefined) {
      const next = Math.max(0, Math.min(rows.length - 1, active + step))
      setFocused(next)
      const list = event.currentTarget as HTMLElement
      list.scrollTop = Math.min(Math.max(list.scrollTop, (next + 1) * rowHeight - list.clientHeight), next * rowHeight)
      queueMicrotask(() => list.querySelector<HTMLElement>('[tabindex="0"]')?.focus({ preventScroll: true }))
    } else if ((event.key === 'Enter' || event.key === ' ') && rows[active] !== undefined) {
      onSelect(files.wasteRow[rows[active]]!)
    } else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <section class="waste" aria-label="Waste">
      <div class="figures">
        <Figure
          label="Efficiency"
          value={percentText(exploration.efficiency)}
          note={`as dive counts: ${percentText(exploration.diveEfficiency)}`}
        />
        <Figure label="Held in vain" value={sizeText(total)} note={`of ${sizeText(totalBytes(exploration))}`} />
        <Figure
          label="Files"
          value={files.wasteRow.length.toLocaleString('en')}
          note={`in ${countText(layers.filter(({ wasted }) => wasted > 0).length, 'layer')}`}
        />
      </div>
      <div class="causes" role="group" aria-label="Causes">
        {wasteCauses.map((name, number) => (
          <button
            type="button"
            key={name}
            aria-pressed={cause === number}
            disabled={sums[number]!.files === 0}
            onClick={() => setCause(cause === number ? undefined : number)}
          >
            <span class="cause">{explained[name]}</span>
            <span class="bar">
              <span style={{ width: `${(100 * sums[number]!.bytes) / most}%` }} />
            </span>
            <span class="size">{sizeText(sums[number]!.bytes)}</span>
            <span class="quiet">{sums[number]!.files.toLocaleString('en')}</span>
          </button>
        ))}
      </div>
      <VirtualList
        count={rows.length}
        rowHeight={rowHeight}
        focused={rows.length > 0 ? active : undefined}
        attributes={{
          role: 'listbox',
          'aria-label': 'Files held in vain, the largest first',
          class: 'wasted-files',
          onKeyDown,
        }}
        row={(index) => {
          const at = rows[index]!
          const row = files.wasteRow[at]!
          const name = wasteCauses[files.wasteCause[at]!]!
          return (
            <div
              key={at}
              role="option"
              aria-selected={row === selected}
              tabIndex={index === active ? 0 : -1}
              class="row"
              style={{ top: `${index * rowHeight}px` }}
              onClick={() => {
                setFocused(index)
                onSelect(row)
              }}
            >
              <span class="swatch" style={{ background: colours[files.wasteLayer[at]!]?.mark ?? '' }} />
              <span class="name">{outline.path(row)}</span>
              <span class={`change ${name}`}>{name}</span>
              <span class="of" title={`layer ${files.wasteLayer[at]}, because of layer ${files.wasteBy[at]}`}>
                {files.wasteLayer[at]} ← {files.wasteBy[at]}
              </span>
              <span class="size">{sizeText(files.wasteBytes[at]!)}</span>
            </div>
          )
        }}
      />
      {rows.length === 0 && (
        <p class="quiet pad none">{total === 0 ? 'Nothing is held in vain.' : 'Nothing here fits the search.'}</p>
      )}
    </section>
  )
}

export function Figure({
  label,
  value,
  note,
}: {
  readonly label: string
  readonly value: string
  readonly note: string
}) {
  return (
    <div class="figure">
      <span class="label">{label}</span>
      <span class="value">{value}</span>
      <span class="note">{note}</span>
    </div>
  )
}
