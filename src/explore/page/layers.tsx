import { useRef } from 'preact/hooks'
import type { LayerRange } from '../standing.ts'
import type { Exploration } from '../table.ts'
import { instructionText, percentText, sizeText } from '../words.ts'
import type { LayerColour } from './colours.ts'

interface LayersProps {
  readonly exploration: Exploration
  readonly colours: readonly LayerColour[]
  readonly range: LayerRange | undefined
  readonly onRange: (range: LayerRange | undefined) => void
}

/** The layers of an image, the base first; one or several in a row can be chosen. */
export function Layers({ exploration: { layers }, colours, range, onRange }: LayersProps) {
  const list = useRef<HTMLDivElement>(null)
  // Where a range was begun, and its other end.
  const ends = useRef({ anchor: 0, head: 0 })
  const focused = range === undefined ? ends.current.head : Math.min(ends.current.head, layers.length - 1)
  const largest = Math.max(1, ...layers.map(({ bytes }) => bytes))
  const choose = (layer: number, extend: boolean) => {
    const anchor = extend && range !== undefined ? ends.current.anchor : layer
    ends.current = { anchor, head: layer }
    const chosen = { from: Math.min(anchor, layer), to: Math.max(anchor, layer) }
    onRange(!extend && range?.from === layer && range.to === layer ? undefined : chosen)
  }
  const move = (layer: number, extend: boolean) => {
    const next = Math.max(0, Math.min(layers.length - 1, layer))
    const anchor = extend && range !== undefined ? ends.current.anchor : next
    ends.current = { anchor, head: next }
    onRange({ from: Math.min(anchor, next), to: Math.max(anchor, next) })
    list.current?.querySelectorAll<HTMLElement>('[role=option]')[next]?.focus()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const at = focused
    if (event.key === 'ArrowDown') move(range === undefined && !event.shiftKey ? at : at + 1, event.shiftKey)
    else if (event.key === 'ArrowUp') move(range === undefined && !event.shiftKey ? at : at - 1, event.shiftKey)
    else if (event.key === 'Home') move(0, event.shiftKey)
    else if (event.key === 'End') move(layers.length - 1, event.shiftKey)
    else if (event.key === 'Enter' || event.key === ' ') choose(at, event.shiftKey)
    else if (event.key === 'Escape' && range !== undefined) onRange(undefined)
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <div
      class="layers"
      role="listbox"
      aria-multiselectable="true"
      aria-label="Layers, the base first"
      ref={list}
      onKeyDown={onKeyDown}
    >
      {layers.map((layer, number) => {
        const chosen = range !== undefined && number >= range.from && number <= range.to
        const instruction = instructionText(layer.createdBy)
        const [word = '', ...rest] = instruction.split(/(?<=^\S+)\s/)
        const loud = /^[A-Z]+$/.test(word)
        return (
          <div
            key={number}
            role="option"
            aria-selected={chosen}
            tabIndex={number === focused ? 0 : -1}
            class={`layer ${chosen && range.from === range.to ? 'alone' : ''}`}
            data-layer={number}
            onClick={(event) => choose(number, event.shiftKey)}
          >
            <span class="swatch" style={{ background: colours[number]?.mark ?? '' }} />
            <span class="number">{number}</span>
            <span class="instruction" title={layer.createdBy}>
              {loud ? (
                <>
                  <b>{word}</b> {rest.join(' ')}
                </>
              ) : (
                instruction || <i>no instruction is known</i>
              )}
            </span>
            <span class="size">{sizeText(layer.bytes)}</span>
            <span class="bar" aria-hidden="true">
              <span style={{ width: `${(100 * layer.bytes) / largest}%`, background: colours[number]?.mark ?? '' }} />
            </span>
            <span class="counts">
              {layer.added > 0 && <span class="added">+{layer.added.toLocaleString('en')}</span>}
              {layer.changed > 0 && <span class="changed">~{layer.changed.toLocaleString('en')}</span>}
              {layer.removed > 0 && <span class="removed">−{layer.removed.toLocaleString('en')}</span>}
              {layer.wasted >= layer.bytes / 1000 && layer.wasted > 0 && (
                <span class="wasted">{percentText(layer.wasted / layer.bytes)} in vain</span>
              )}
            </span>
            {chosen && range.from === range.to && (
              <span class="more">
                <span>
                  {layer.size > 0 && `${sizeText(layer.size)} packed`}
                  {layer.created !== '' && ` · ${layer.created.slice(0, 16).replace('T', ' ')}`}
                </span>
                {layer.comment !== '' && <span>{layer.comment}</span>}
                <span class="digest">{layer.digest}</span>
              </span>
            )}
          </div>
        )
      })}
    </div>
  )
}
