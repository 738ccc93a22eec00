import { wasteCauses } from '../table.ts'
import { instructionText, percentText, shortDigest, sizeText } from '../words.ts'
import { cutPath, fit, fitLine, type Line, span, wrapped } from './cells.ts'
import { layerStyle } from './palette.ts'
import { listLines, rangeOf, type State } from './state.ts'

/** The layers, the chosen one in full, and what is held in vain. */
export function drawLayers(state: State, width: number, height: number): Line[] {
  const { exploration, layer, layerTop, pane } = state
  const { layers } = exploration
  const active = pane === 'layers'
  const lines: Line[] = [heading('Layers', active, width)]
  const range = rangeOf(state)
  const many = Math.min(listLines(state).layers, layers.length)
  const digits = String(layers.length - 1).length
  for (let at = layerTop; at < layerTop + many; at++) {
    const { bytes, createdBy } = layers[at]!
    const inRange = range !== undefined && at >= range.from && at <= range.to
    const reverse = at === layer && active ? { reverse: true } : {}
    const bold = inRange ? { bold: true } : {}
    lines.push(
      fitLine(
        [
          span(at === layer ? '▸' : inRange ? '┆' : ' ', { ...reverse, ...bold }),
          span('■ ', { ...layerStyle(at), ...reverse }),
          span(`${String(at).padStart(digits)} ${fit(sizeText(bytes), 8, true)}  `, { ...reverse, ...bold }),
          span(instructionText(createdBy).replace(/\s+/g, ' ') || '(no instruction)', reverse),
        ],
        width,
        reverse,
      ),
    )
  }
  const below: Line[] = [[], heading(`Layer ${layer}`, false, width), ...facts(state, width)]
  const waste = wasteLines(state, width)
  const room = height - lines.length
  const instruction = instructionLines(state, width)
  // The instruction gives way to what is held in vain, and both to the facts.
  const forWaste = Math.min(waste.length, Math.max(0, room - below.length - Math.min(2, instruction.length)))
  const forInstruction = Math.max(0, room - below.length - forWaste)
  const all = [...lines, ...below, ...instruction.slice(0, forInstruction), ...waste.slice(0, forWaste)]
  return Array.from({ length: height }, (_, row) => fitLine(all[row] ?? [], width))
}

export function heading(text: string, active: boolean, width: number): Line {
  return fitLine([span(active ? `▌${text}` : ` ${text}`, { bold: true, underline: false, dim: !active })], width)
}

function facts({ exploration, layer }: State, width: number): Line[] {
  const { digest, size, bytes, wasted, added, changed, removed, created } = exploration.layers[layer]!
  const line = (term: string, value: string) => fitLine([span(` ${term.padEnd(9)}`, { dim: true }), span(value)], width)
  return [
    line('digest', shortDigest(digest)),
    line('contents', `${sizeText(bytes)}${size === bytes ? '' : `, ${sizeText(size)} packed`}`),
    line('paths', `+${added} ~${changed} -${removed}`),
    ...(wasted > 0 ? [line('wasted', `${sizeText(wasted)} (${percentText(wasted / bytes)})`)] : []),
    ...(created === '' ? [] : [line('created', created.slice(0, 16).replace('T', ' '))]),
  ]
}

function instructionLines({ exploration, layer }: State, width: number): Line[] {
  const text = instructionText(exploration.layers[layer]!.createdBy)
  return text === '' ? [] : wrapped(text, width - 2).map((line) => [span(` ${line}`)])
}

function wasteLines({ exploration, outline }: State, width: number): Line[] {
  const { files, efficiency, layers } = exploration
  const wasted = layers.reduce((sum, { wasted: own }) => sum + own, 0)
  const head: Line[] = [
    [],
    heading('In vain', false, width),
    fitLine(
      [span(' total    ', { dim: true }), span(`${sizeText(wasted)}, efficiency ${percentText(efficiency)}`)],
      width,
    ),
  ]
  const most = Math.min(20, files.wasteRow.length)
  for (let at = 0; at < most; at++) {
    const cause = wasteCauses[files.wasteCause[at]!]!
    const size = fit(sizeText(files.wasteBytes[at]!), 9, true)
    const room = Math.max(8, width - size.length - cause.length - 4)
    const path = cutPath(outline.path(files.wasteRow[at]!), room)
    head.push([span(`${size}  `), span(path), span(`  ${cause}`, { dim: true })])
  }
  return head
}
