import { attributesAt } from '../standing.ts'
import { aspects, deeds, marks } from '../table.ts'
import { instructionText, modeText, ownerText, sizeText, storyOf, targetOf, timeText } from '../words.ts'
import { cutPath, fit, fitLine, type Line, span } from './cells.ts'
import { heading } from './draw-layers.ts'
import { changeMarks, layerStyle } from './palette.ts'
import { detailLines, isOpen, listLines, placeOf, rangeOf, type State } from './state.ts'

/** The tree as it is once the chosen layers are stacked, and the file under the cursor in full. */
export function drawFiles(state: State, width: number, height: number): Line[] {
  const { listed, top, row, pane, exploration } = state
  const active = pane === 'files'
  const range = rangeOf(state)
  const title =
    range === undefined
      ? 'Files'
      : range.from === range.to
        ? `Files at layer ${range.to}`
        : `Files, layers ${range.from} to ${range.to}`
  const lines: Line[] = [heading(title, active, width)]
  const many = listLines(state).files
  const at = placeOf(listed, row)
  for (let place = top; place < Math.min(listed.length, top + many); place++)
    lines.push(fileLine(state, listed[place]!, place === at, width))
  if (listed.length === 0) lines.push([span('  nothing here fits the filter', { dim: true })])
  const details = detailLines(state)
  while (lines.length < height - details) lines.push([])
  if (details > 0 && row !== 0) lines.push(...detailsOf(state, width, details))
  return Array.from({ length: height }, (_, index) => fitLine(lines[index] ?? [], width, rest(index)))

  function rest(index: number) {
    return active && listed.length > 0 && index === at - top + 1 && exploration.files.count > 1 ? { reverse: true } : {}
  }
}

function fileLine(state: State, row: number, here: boolean, width: number): Line {
  const { exploration, outline, standing, shown, attributes, pane } = state
  const { files, owners, layered } = exploration
  const kind = files.kind[row]!
  const { sign, style } = changeMarks[standing.change[row]!]!
  const reverse = here && pane === 'files' ? { reverse: true } : {}
  const own = here && pane !== 'files' ? { underline: true } : {}
  const bytes = kind === 1 ? shown.bytes[row]! : standing.size[row]!
  const size = kind === 0 || kind === 1 ? sizeText(bytes) : ''
  const now = attributesAt(files, standing, row)
  const owner = owners[now.owner]
  const ids = fit(`${owner?.uid}:${owner?.gid}`, 9, true)
  // On a narrow screen there is no room for them.
  const before = attributes && width >= 56 ? `${modeText(now.kind, now.mode)} ${ids} ` : ''
  const twist = kind === 1 ? (isOpen(state, row) ? '▾ ' : '▸ ') : '  '
  const target = kind === 2 ? targetOf(files, row) : undefined
  return fitLine(
    [
      span(sign, { ...style, ...reverse, bold: sign !== ' ' }),
      ...(layered ? [span('▎', { ...layerStyle(standing.layer[row]!), ...reverse })] : []),
      span(before, { dim: true, ...reverse }),
      span(`${fit(size, 8, true)} `, reverse),
      span('  '.repeat(outline.depth[row]! - 1), reverse),
      span(twist, { dim: true, ...reverse }),
      span(`${outline.names[row]}${kind === 1 ? '/' : ''}`, { ...style, ...reverse, ...own, bold: kind === 1 }),
      ...(target === undefined ? [] : [span(` → ${target}`, { dim: true, ...reverse })]),
    ],
    width,
    reverse,
  )
}

const did = {
  add: 'added',
  modify: 'changed',
  attributes: 'attributes',
  repeat: 'once more',
  delete: 'removed',
  inside: 'inside',
  nothing: '',
} as const satisfies Record<(typeof deeds)[number], string>

/** The file under the cursor: where it is, what it is, and what each layer did to it. */
function detailsOf({ exploration, outline, standing, row }: State, width: number, most: number): Line[] {
  const { files, owners, layers, layered } = exploration
  const kind = files.kind[row]!
  const link = (files.marks[row]! & marks.link) !== 0 ? ', one more name' : ''
  const now = attributesAt(files, standing, row)
  const facts = `${modeText(now.kind, now.mode)}  ${ownerText(owners[now.owner])}  ${timeText(now.mtime)}${link}`
  const lines: Line[] = [
    [span('─'.repeat(width), { dim: true })],
    [span(` ${cutPath(outline.path(row), width - 1)}`, { bold: true })],
    [span(` ${facts}`, { dim: true })],
  ]
  if (!layered) return lines
  const steps: Line[] = []
  const story = storyOf(files, row)
  const step = (layer: number, says: string) => {
    const instruction = instructionText(layers[layer]?.createdBy ?? '').replace(/\s+/g, ' ')
    steps.push([span(' ■', layerStyle(layer)), span(` ${layer} ${says}`), span(`  ${instruction}`, { dim: true })])
  }
  if (story === undefined) step(files.layer[row]!, `added${kind === 0 ? ` ${sizeText(files.size[row]!)}` : ''}`)
  else {
    for (let at = story.from; at < story.to; at++) {
      const deed = deeds[files.stepDeed[at]!]!
      // Of a directory there is always something inside.
      if (deed === 'inside') continue
      const changed = aspects.filter((_, bit) => files.stepChanged[at]! & (1 << bit)).join(',')
      const size = files.stepKind[at] === 0 ? ` ${sizeText(files.stepSize[at]!)}` : ''
      step(files.stepLayer[at]!, `${did[deed]}${changed === '' ? '' : `: ${changed}`}${size}`)
    }
  }
  // The last of them are what matters.
  return [...lines, ...steps.slice(-(most - lines.length))]
}
