import type { Outline } from '../outline.ts'
import { attributesAt, type Shown, type Standing } from '../standing.ts'
import { aspects, deeds, type Exploration, kinds, marks, wasteCauses } from '../table.ts'
import { countText, instructionText, modeText, ownerText, sizeText, storyOf, targetOf, timeText } from '../words.ts'
import type { LayerColour } from './colours.ts'
import { Icon } from './icons.tsx'

interface DetailsProps {
  readonly exploration: Exploration
  readonly outline: Outline
  readonly standing: Standing
  readonly shown: Shown
  readonly colours: readonly LayerColour[]
  readonly row: number
  readonly onSelect: (row: number) => void
  readonly onClose: () => void
}

const deedWords = {
  add: 'added',
  modify: 'changed',
  attributes: 'other attributes',
  repeat: 'the same once more',
  delete: 'removed',
  inside: 'something inside it',
  nothing: 'nothing to remove',
} as const satisfies Record<(typeof deeds)[number], string>

const causeWords = {
  overwritten: 'overwritten',
  deleted: 'removed',
  attributes: 'there again with other attributes',
  repeated: 'there again as it is',
  duplicate: 'the same content as another file',
} as const satisfies Record<(typeof wasteCauses)[number], string>

/** One path: what stands there, and what each layer did. */
export function Details(props: DetailsProps) {
  const { exploration, outline, standing, shown, colours, row, onSelect, onClose } = props
  const { files, owners, layers, layered } = exploration
  const kind = files.kind[row]!
  const target = kind === 2 ? targetOf(files, row) : undefined
  const present = (files.marks[row]! & marks.present) !== 0
  const facts: [string, string][] = [['Kind', kinds[kind]!]]
  const now = attributesAt(files, standing, row)
  const size = standing.size[row]!
  if (kind === 0) facts.push(['Size', `${sizeText(size)} (${size.toLocaleString('en')} bytes)`])
  if (kind === 1) facts.push(['Holds', `${sizeText(shown.bytes[row]!)} in ${countText(shown.files[row]!, 'file')}`])
  if (target !== undefined) facts.push(['Target', target])
  facts.push(['Mode', `${modeText(now.kind, now.mode)} ${now.mode.toString(8).padStart(4, '0')}`])
  facts.push(['Owner', ownerText(owners[now.owner])])
  facts.push(['Modified', timeText(now.mtime)])
  if ((files.marks[row]! & marks.link) !== 0) facts.push(['Link', 'one more name of a file told elsewhere'])
  if (!present) facts.push(['State', 'removed: not in the image any more'])
  const wasted: number[] = []
  for (let at = 0; at < files.wasteRow.length; at++) if (files.wasteRow[at] === row) wasted.push(at)
  return (
    <aside class="details" aria-label="Details" id="details">
      <header>
        <h2>
          <bdi>{row === 0 ? '/' : outline.names[row]}</bdi>
        </h2>
        <button type="button" class="icon-button" aria-label="Close the details" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <p class="path">{outline.path(row)}</p>
      <dl>
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {layered && (
        <>
          <h3>History</h3>
          <ol class="story">{stepsOf(props).map((step) => drawStep(step))}</ol>
        </>
      )}
      {wasted.length > 0 && (
        <>
          <h3>In vain</h3>
          <ul class="vain">
            {wasted.map((at) => (
              <li key={at}>
                <b>{sizeText(files.wasteBytes[at]!)}</b> of layer {files.wasteLayer[at]}:{' '}
                {causeWords[wasteCauses[files.wasteCause[at]!]!]}
                {files.wasteLike[at] === row ? (
                  ` (layer ${files.wasteBy[at]})`
                ) : (
                  <button type="button" class="link" onClick={() => onSelect(files.wasteLike[at]!)}>
                    {outline.path(files.wasteLike[at]!)}
                  </button>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
    </aside>
  )

  function drawStep({ layer, deed, says, more }: Step) {
    return (
      <li key={`${layer}`} class={deed}>
        <span class="swatch" style={{ background: colours[layer]?.mark ?? '' }} />
        <div>
          <p>
            <b>Layer {layer}</b> {says}
          </p>
          {more !== '' && <p class="quiet">{more}</p>}
          <p class="instruction">{instructionText(layers[layer]?.createdBy ?? '')}</p>
          {layers[layer]?.created !== '' && (
            <p class="quiet">{layers[layer]?.created.slice(0, 16).replace('T', ' ')}</p>
          )}
        </div>
      </li>
    )
  }
}

interface Step {
  readonly layer: number
  readonly deed: (typeof deeds)[number]
  readonly says: string
  readonly more: string
}

function stepsOf({ exploration: { files, owners }, outline, row }: DetailsProps): Step[] {
  const story = storyOf(files, row)
  const kind = files.kind[row]!
  if (story === undefined) {
    const more = kind === 0 ? sizeText(files.size[row]!) : ''
    return [{ layer: files.layer[row]!, deed: 'add', says: deedWords.add, more }]
  }
  const steps: Step[] = []
  for (let at = story.from; at < story.to; at++) {
    const deed = deeds[files.stepDeed[at]!]!
    const changed = aspects.filter((_, bit) => files.stepChanged[at]! & (1 << bit))
    const facts: string[] = []
    if (changed.length > 0) facts.push(changed.join(', '))
    if (files.stepKind[at] === 0 && deed !== 'inside') facts.push(sizeText(files.stepSize[at]!))
    if (changed.includes('mode')) facts.push(modeText(files.stepKind[at]!, files.stepMode[at]!))
    if (changed.includes('owner')) facts.push(ownerText(owners[files.stepOwner[at]!]))
    const above = files.stepAt[at]!
    let says: string = deedWords[deed]
    if (deed === 'delete' && above < outline.depth[row]!) {
      let place = row
      while (outline.depth[place]! > above) place = outline.parent[place]!
      says = `${says} with ${outline.path(place)}`
    }
    steps.push({ layer: files.stepLayer[at]!, deed, says, more: facts.join(' · ') })
  }
  return steps
}
