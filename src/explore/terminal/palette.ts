import type { Style } from './cells.ts'

/** Of the sixteen colours those that can be read on light and dark ground alike. */
const hues = [4, 3, 2, 5, 6, 1, 12, 11, 10, 13, 14, 9]

export function layerStyle(layer: number): Style {
  return { colour: hues[layer % hues.length]! }
}

/** How what became of a file is told: a sign, and a colour beside it. By places in `changes`. */
export const changeMarks = [
  { sign: ' ', style: {} },
  { sign: '+', style: { colour: 2 } },
  { sign: '-', style: { colour: 1 } },
  { sign: '~', style: { colour: 3 } },
] as const
