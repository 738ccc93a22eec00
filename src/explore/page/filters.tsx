import { allKinds } from '../standing.ts'
import { countText } from '../words.ts'

interface FiltersProps {
  readonly kinds: number
  readonly changes: number
  readonly wasteOnly: boolean
  readonly ranged: boolean
  readonly layered: boolean
  /** How many names there are that were searched for; absent where nothing was. */
  readonly found: number | undefined
  readonly onKinds: (bits: number) => void
  readonly onChanges: (bits: number) => void
  readonly onWasteOnly: (only: boolean) => void
}

const kindChips = [
  ['all', 'All kinds', allKinds],
  ['files', 'Files', 0b0000001],
  ['links', 'Symlinks', 0b0000100],
  ['special', 'Devices and others', 0b1111000],
] as const

const changeChips = [
  ['unchanged', 0],
  ['added', 1],
  ['changed', 3],
  ['removed', 2],
] as const

/** What of the tree is shown. */
export function Filters(props: FiltersProps) {
  const { kinds, changes, wasteOnly, ranged, layered, found, onKinds, onChanges, onWasteOnly } = props
  return (
    <div class="filters">
      <label class="select">
        <span class="hidden">Kinds</span>
        <select id="kinds" value={String(kinds)} onChange={(event) => onKinds(Number(event.currentTarget.value))}>
          {kindChips.map(([name, text, bits]) => (
            <option key={name} value={String(bits)}>
              {text}
            </option>
          ))}
        </select>
      </label>
      {layered && (
        <div class="chips" role="group" aria-label="By what became of them">
          {changeChips
            .filter(([, bit]) => ranged || bit !== 0)
            .map(([name, bit]) => (
              <button
                type="button"
                key={name}
                class={`chip ${name}`}
                data-change={name}
                aria-pressed={(changes & (1 << bit)) !== 0}
                onClick={() => onChanges(changes ^ (1 << bit))}
              >
                {name}
              </button>
            ))}
          <button
            type="button"
            class="chip"
            data-change="waste"
            aria-pressed={wasteOnly}
            onClick={() => onWasteOnly(!wasteOnly)}
          >
            in vain
          </button>
        </div>
      )}
      <span class="quiet found" role="status">
        {found === undefined ? '' : `${countText(found, 'name')} found`}
      </span>
    </div>
  )
}
