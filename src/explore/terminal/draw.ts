import { countText, percentText, sizeText, totalBytes } from '../words.ts'
import { fitLine, type Line, type Span, span, widthOf } from './cells.ts'
import { drawFiles } from './draw-files.ts'
import { drawLayers } from './draw-layers.ts'
import { changeBits, type State } from './state.ts'

/** The least that a screen needs to show anything. */
const least = { columns: 40, rows: 10 }

/** The screen of a state: `rows` lines of `columns` columns. */
export function drawn(state: State): readonly Line[] {
  const { columns, rows } = state
  if (columns < least.columns || rows < least.rows) {
    const words = [span(`at least ${least.columns}x${least.rows}, please`)]
    return Array.from({ length: rows }, (_, row) => fitLine(row === 0 ? words : [], columns))
  }
  const inside = state.help ? helpLines(rows - 2, columns) : panes(state, rows - 2, columns)
  return [titleLine(state), ...inside, bottomLine(state)]
}

function panes(state: State, height: number, columns: number): Line[] {
  const layered = state.exploration.layered
  // On a narrow screen there is room for one of them.
  if (!layered) return drawFiles(state, columns, height)
  if (columns < 64)
    return state.pane === 'layers' ? drawLayers(state, columns, height) : drawFiles(state, columns, height)
  const left = Math.max(30, Math.min(76, Math.floor(columns * 0.42)))
  const layers = drawLayers(state, left, height)
  const files = drawFiles(state, columns - left - 1, height)
  return layers.map((line, row) => [...line, span('│', { dim: true }), ...files[row]!])
}

function titleLine({ exploration, columns }: State): Line {
  const facts = [
    sizeText(totalBytes(exploration)),
    ...(exploration.layered
      ? [
          countText(exploration.layers.length, 'layer'),
          `efficiency ${percentText(exploration.efficiency)}`,
          `${sizeText(exploration.layers.reduce((sum, { wasted }) => sum + wasted, 0))} wasted`,
        ]
      : []),
  ].join('  ')
  const room = columns - widthOf(facts) - 4
  const reverse = { reverse: true }
  if (room < 12) return fitLine([span(` ${exploration.name}`, { ...reverse, bold: true })], columns, reverse)
  const name = fitLine([span(` ${exploration.name}`, { ...reverse, bold: true })], room, reverse)
  return [...name, span('  ', reverse), span(`${facts}  `, reverse)]
}

function bottomLine(state: State): Line {
  const { columns, typing, filter, pane, changes } = state
  if (typing || filter !== '') {
    const found = `${state.shown.wanted} found`
    const text = [span(' / ', { bold: true }), span(filter), span(typing ? '▏' : '', { bold: true })]
    const hint = typing ? 'Enter keeps it, Esc clears it' : 'Esc clears it'
    return fitLine([...text, span(`   ${found} · ${hint}`, { dim: true })], columns)
  }
  const keys: (readonly [string, string, boolean?])[] =
    pane === 'layers'
      ? [
          ['Tab', 'files'],
          ['^L', 'this layer', !state.together],
          ['^A', 'all up to it', state.together],
        ]
      : [
          ['Tab', 'layers'],
          ['Space', 'open'],
          ['^A', 'added', (changes & changeBits.added) !== 0],
          ['^R', 'removed', (changes & changeBits.removed) !== 0],
          ['^M', 'modified', (changes & changeBits.changed) !== 0],
          ['^U', 'unmodified', (changes & changeBits.same) !== 0],
          ['^B', 'modes', state.attributes],
        ]
  const shown = state.exploration.layered ? keys : keys.filter(([key]) => ['Space', '^B'].includes(key))
  let all = [...shown, ['/', 'filter'], ['?', 'keys'], ['q', 'quit']] as typeof keys
  // What there is no room for, the help tells.
  for (const least of ['^B', 'Space', 'Tab', '^U', '^M', '^R', '^A', '^L']) {
    if (all.reduce((sum, [key, text]) => sum + key.length + text.length + 2, 0) <= columns) break
    all = all.filter(([key]) => key !== least)
  }
  const spans: Span[] = []
  for (const [key, text, on] of all) {
    spans.push(span(' '), span(key, { bold: true }), span(' '))
    spans.push(span(text, on ? { underline: true } : { dim: true }))
  }
  return fitLine(spans, columns)
}

const keyLines: readonly (readonly [string, string])[] = [
  ['Tab', 'from the layers to the files and back'],
  ['Up Down  k j', 'the line above, below'],
  ['PageUp PageDown', 'a page; Home and End: the first, the last'],
  ['Left Right  h l', 'close, open a directory; to the one above'],
  ['Space', 'open or close a directory'],
  ['Ctrl-Space  *', 'open or close all of them'],
  ['Ctrl-A', 'files: what was added; layers: all up to this one'],
  ['Ctrl-R', 'what was removed'],
  ['Ctrl-M (Enter)', 'what was modified'],
  ['Ctrl-U', 'what was not touched'],
  ['Ctrl-L', 'layers: what this layer alone did'],
  ['Ctrl-B', 'modes and owners'],
  ['/  Ctrl-F', 'filter by names, or paths with a slash in them'],
  ['q  Ctrl-C', 'quit; Ctrl-Z for a while'],
]

function helpLines(height: number, columns: number): Line[] {
  const lines: Line[] = [[], [span('  Keys', { bold: true })], []]
  for (const [key, text] of keyLines) lines.push([span(`  ${key.padEnd(18)}`, { bold: true }), span(text)])
  lines.push([], [span('  any key goes back', { dim: true })])
  return Array.from({ length: height }, (_, row) => fitLine(lines[row] ?? [], columns))
}
