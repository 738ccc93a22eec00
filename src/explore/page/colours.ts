export type Theme = 'light' | 'dark'

/** Hues that people who see colours differently can tell apart, in the order of layers (after Tol's light scheme: made for fills under text). */
const few = ['#7aa6d6', '#ee9a6d', '#56b99a', '#e6c84f', '#f2a0b4', '#8fd3ec', '#b5bf3a', '#b9a3d8']

/** One after the other in lightness and hue, for images of many layers. */
const many = [
  '#5b6fb5',
  '#4f8fc4',
  '#46a9b8',
  '#58bd97',
  '#8fca72',
  '#cfd05e',
  '#efc15a',
  '#f09f63',
  '#e57f7d',
  '#c877a6',
]

type Rgb = readonly [number, number, number]

function rgbOf(hex: string): Rgb {
  const number = Number.parseInt(hex.slice(1), 16)
  return [number >> 16, (number >> 8) & 255, number & 255]
}

function mixed(a: Rgb, b: Rgb, share: number): Rgb {
  const part = (at: 0 | 1 | 2) => Math.round(a[at] * (1 - share) + b[at] * share)
  return [part(0), part(1), part(2)]
}

function css([r, g, b]: Rgb): string {
  return `rgb(${r} ${g} ${b})`
}

function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map((value) => {
    const share = value / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  }) as unknown as Rgb
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

export interface LayerColour {
  /** For areas with text on them, and for that text. */
  readonly fill: string
  readonly text: string
  /** For small marks. */
  readonly mark: string
}

/** A colour for each of so many layers. */
export function layerColours(count: number, theme: Theme): readonly LayerColour[] {
  const ground: Rgb = theme === 'dark' ? [18, 22, 28] : [255, 255, 255]
  return Array.from({ length: count }, (_, layer) => {
    const pure = count <= few.length ? rgbOf(few[layer]!) : between(layer / (count - 1))
    const fill = mixed(pure, ground, theme === 'dark' ? 0.42 : 0.22)
    const mark = theme === 'dark' ? pure : mixed(pure, [0, 0, 0], 0.12)
    return { fill: css(fill), text: luminance(fill) > 0.22 ? '#14181d' : '#f4f6f8', mark: css(mark) }
  })
}

function between(share: number): Rgb {
  const place = share * (many.length - 1)
  const at = Math.min(Math.floor(place), many.length - 2)
  return mixed(rgbOf(many[at]!), rgbOf(many[at + 1]!), place - at)
}
