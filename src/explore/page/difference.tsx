import { useMemo, useRef, useState } from 'preact/hooks'
import { Outline } from '../outline.ts'
import { openRows, places } from '../standing.ts'
import { aspects, changes, type Difference as DifferenceValue, type Exploration, type Explored } from '../table.ts'
import { countText, instructionText, modeText, shortDigest, sizeText } from '../words.ts'
import { Icon, kindIcon } from './icons.tsx'
import { reveal, VirtualList } from './virtual-list.tsx'
import { Figure } from './waste.tsx'

interface DifferenceProps {
  readonly explored: Explored & { readonly difference: DifferenceValue; readonly after: Exploration }
  readonly query: string
  /** A path to be shown in detail: in the second tree, or where it is not there any more in the first. */
  readonly onPath: (path: string, side: 0 | 1) => void
}

const rowHeight = 26
const added = 1
const removed = 2
const changed = 3
const signs = ['', '+', '−', '~'] as const

/** What differs between two trees, and between their images. */
export function Difference({ explored, query, onPath }: DifferenceProps) {
  const { before, after, difference } = explored
  const { files } = difference
  const list = useRef<HTMLDivElement>(null)
  const outline = useMemo(() => new Outline(files), [files])
  const [wanted, setWanted] = useState((1 << added) | (1 << removed) | (1 << changed))
  const [turned, setTurned] = useState<ReadonlySet<number>>(new Set())
  const [selected, setSelected] = useState(0)
  const sums = useMemo(() => summed(explored), [explored])
  const kept = useMemo(() => {
    const matches = query === '' ? undefined : outline.matches(query)
    const all = new Uint8Array(files.count)
    for (let row = files.count - 1; row > 0; row--) {
      const change = files.change[row]!
      if (change !== 0 && wanted & (1 << change) && (matches === undefined || matches[row] === 1)) all[row] = 1
      if (all[row] === 1) all[outline.parent[row]!] = 1
    }
    return all
  }, [files, outline, wanted, query])
  // What came or went as a whole is closed; what leads to a change, or was searched for, is open.
  const isOpen = (row: number) =>
    (query !== '' || files.change[row] === 0 || files.change[row] === changed) !== turned.has(row)
  const rows = useMemo(() => openRows(kept, outline.end, isOpen), [kept, outline, query, turned])
  const siblings = useMemo(() => places(kept, outline.parent), [kept, outline])
  const bytes = useMemo(() => grownBelow(explored, outline), [explored, outline])
  const at = rows.indexOf(selected)
  const turn = (row: number) => {
    const next = new Set(turned)
    if (!next.delete(row)) next.add(row)
    setTurned(next)
  }
  const go = (index: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, index))
    const row = rows[next]
    if (row === undefined) return
    setSelected(row)
    reveal(list.current, next, rowHeight)
    queueMicrotask(() =>
      list.current?.querySelector<HTMLElement>(`[data-row="${row}"]`)?.focus({ preventScroll: true }),
    )
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[at]
    const directory = row !== undefined && files.kind[row] === 1
    if (event.key === 'ArrowDown') go(at + 1)
    else if (event.key === 'ArrowUp') go(at - 1)
    else if (event.key === 'PageDown') go(at + 15)
    else if (event.key === 'PageUp') go(at - 15)
    else if (event.key === 'Home') go(0)
    else if (event.key === 'End') go(rows.length - 1)
    else if (event.key === 'ArrowRight' && directory) isOpen(row) ? go(at + 1) : turn(row)
    else if (event.key === 'ArrowLeft' && row !== undefined) {
      if (directory && isOpen(row)) turn(row)
      else if (outline.parent[row] !== 0) go(rows.indexOf(outline.parent[row]!))
    } else if (event.key === ' ' && directory) turn(row)
    else if (event.key === 'Enter' && row !== undefined) open(row)
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  const open = (row: number) => onPath(outline.path(row), files.change[row] === removed ? 0 : 1)
  const same = sums.files[added]! + sums.files[removed]! + sums.files[changed]! === 0
  return (
    <section class="difference" aria-label="Difference">
      <div class="figures">
        <Figure
          label="Added"
          value={sums.files[added]!.toLocaleString('en')}
          note={`+${sizeText(sums.bytes[added]!)}`}
        />
        <Figure
          label="Removed"
          value={sums.files[removed]!.toLocaleString('en')}
          note={`−${sizeText(sums.bytes[removed]!)}`}
        />
        <Figure
          label="Changed"
          value={sums.files[changed]!.toLocaleString('en')}
          note={`${sums.bytes[changed]! < 0 ? '−' : '+'}${sizeText(Math.abs(sums.bytes[changed]!))}`}
        />
        <Figure label="Cause" value={sums.cause} note={sums.aspects} />
      </div>
      <div class="chips" role="group" aria-label="Which changes">
        {[added, removed, changed].map((change) => (
          <button
            type="button"
            key={change}
            class={`chip ${changes[change]}`}
            aria-pressed={(wanted & (1 << change)) !== 0}
            onClick={() => setWanted(wanted ^ (1 << change))}
          >
            <span aria-hidden="true">{signs[change]}</span> {changes[change]}
          </button>
        ))}
      </div>
      <div class="columns">
        <div class="paths">
          <VirtualList
            count={rows.length}
            rowHeight={rowHeight}
            focused={at < 0 ? undefined : at}
            list={list}
            attributes={{ role: 'tree', 'aria-label': 'Paths that differ', class: 'tree', onKeyDown }}
            row={(index) => drawRow(rows[index]!, index)}
          />
          {rows.length === 0 && (
            <p class="quiet pad none">
              {same ? 'Both trees show the same.' : 'Nothing here fits the search and the filters.'}
            </p>
          )}
        </div>
        <div class="facts">
          <Layers explored={explored} />
          {difference.statements.length > 0 && (
            <>
              <h3>Configuration</h3>
              <ul class="statements">
                {difference.statements.map(({ at: where, before: was, after: is }, index) => (
                  <li key={index}>
                    <b>{where}</b>
                    {was !== undefined && <p class="removed">{was}</p>}
                    {is !== undefined && <p class="added">{is}</p>}
                  </li>
                ))}
              </ul>
            </>
          )}
          {difference.layers.length === 0 && difference.statements.length === 0 && (
            <p class="quiet">
              {before.layered && after.layered ? '' : 'Of layers and configurations only two images can be compared.'}
            </p>
          )}
        </div>
      </div>
    </section>
  )

  function drawRow(row: number, index: number) {
    const kind = files.kind[row]!
    const change = files.change[row]!
    const name = change === 0 ? '' : changes[change]!
    const differs = aspects.filter((_, bit) => files.changed[row]! & (1 << bit))
    const grown = bytes[row]!
    const told = kind === 0 ? change !== 0 : kind === 1 && grown !== 0
    const modes = differs.includes('mode')
      ? `${modeText(kind, files.modeBefore[row]!)} → ${modeText(kind, files.modeAfter[row]!)}`
      : ''
    return (
      <div
        key={row}
        role="treeitem"
        aria-level={outline.depth[row]!}
        aria-posinset={siblings.place[row]!}
        aria-setsize={siblings.of[outline.parent[row]!]!}
        aria-selected={row === selected}
        {...(kind === 1 && { 'aria-expanded': isOpen(row) })}
        aria-label={`${outline.names[row]}, ${name === '' ? 'the same' : name}${differs.length > 0 ? `: ${differs.join(', ')}` : ''}`}
        tabIndex={index === Math.max(0, at) ? 0 : -1}
        data-row={row}
        class={`row ${name}`}
        title={modes}
        style={{ top: `${index * rowHeight}px`, '--depth': `${outline.depth[row]! - 1}` }}
        onClick={() => {
          setSelected(row)
          if (kind === 1) turn(row)
          else open(row)
        }}
      >
        <span class="sign">{signs[change]}</span>
        <span class={`twist ${kind === 1 ? (isOpen(row) ? 'open' : 'shut') : ''}`}>
          {kind === 1 && <Icon name="chevron" />}
        </span>
        <Icon name={kindIcon(kind)} class={kind === 1 ? 'directory' : ''} />
        <span class="name">{outline.names[row]}</span>
        {differs.length > 0 && <span class="aspects">{differs.join(', ')}</span>}
        <span class="size">
          {told &&
            (grown === 0 ? sizeText(files.sizeAfter[row]!) : `${grown > 0 ? '+' : '−'}${sizeText(Math.abs(grown))}`)}
        </span>
      </div>
    )
  }
}

function Layers({ explored: { before, after, difference } }: Pick<DifferenceProps, 'explored'>) {
  if (difference.layers.length === 0) return null
  return (
    <>
      <h3>Layers</h3>
      <table class="pairs">
        <thead>
          <tr>
            <th scope="col" class="figure">
              First
            </th>
            <th scope="col" class="figure">
              Second
            </th>
            <th scope="col">Instruction</th>
            <th scope="col">Cause</th>
          </tr>
        </thead>
        <tbody>
          {difference.layers.map(({ before: from, after: to, same, causes, changed: what }, index) => {
            const layer = to !== undefined ? after.layers[to] : from !== undefined ? before.layers[from] : undefined
            const state = same ? 'same' : from === undefined ? 'added' : to === undefined ? 'removed' : 'changed'
            return (
              <tr key={index} class={state}>
                <td class="figure">{from ?? ''}</td>
                <td class="figure">{to ?? ''}</td>
                <td>
                  <span class="instruction" title={layer?.createdBy ?? ''}>
                    {instructionText(layer?.createdBy ?? '') || shortDigest(layer?.digest ?? '')}
                  </span>
                </td>
                <td>
                  {state === 'changed' ? `${causes.join(', ')}${what.length > 0 ? `: ${what.join(', ')}` : ''}` : state}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
      <p class="quiet">
        {countText(difference.layers.filter(({ same }) => same).length, 'layer')} of {difference.layers.length} the same
      </p>
    </>
  )
}

/** By how many bytes each row has grown, with all that is under it. */
function grownBelow({ difference: { files } }: DifferenceProps['explored'], { parent }: Outline): Float64Array {
  const bytes = new Float64Array(files.count)
  for (let row = files.count - 1; row >= 0; row--) {
    bytes[row]! += files.sizeAfter[row]! - files.sizeBefore[row]!
    if (row > 0) bytes[parent[row]!]! += bytes[row]!
  }
  return bytes
}

function summed({ difference: { files, layers } }: DifferenceProps['explored']) {
  const counts = [0, 0, 0, 0]
  const bytes = [0, 0, 0, 0]
  const seen = new Map<string, number>()
  for (let row = 0; row < files.count; row++) {
    const change = files.change[row]!
    if (change === 0) continue
    counts[change]!++
    bytes[change]! +=
      change === changed
        ? files.sizeAfter[row]! - files.sizeBefore[row]!
        : Math.max(files.sizeBefore[row]!, files.sizeAfter[row]!)
    for (const [bit, aspect] of aspects.entries())
      if (files.changed[row]! & (1 << bit)) seen.set(aspect, (seen.get(aspect) ?? 0) + 1)
  }
  const more = ['content', 'kind', 'target', 'device'].some((aspect) => seen.has(aspect))
  const causes = new Set(layers.filter(({ same }) => !same).flatMap(({ causes: own }) => own))
  const alike = causes.size === 0 ? 'none' : [...causes].join(', ')
  const cause = counts[added]! + counts[removed]! > 0 || more ? 'content' : counts[changed]! > 0 ? 'metadata' : alike
  const told = [...seen].map(([aspect, count]) => `${aspect} ${count.toLocaleString('en')}`).join(' · ')
  return { files: counts, bytes, cause, aspects: told }
}
