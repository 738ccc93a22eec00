import stringWidth from 'string-width'

/** How text looks. Nothing is told by colour alone. */
export interface Style {
  /** One of the sixteen: 0 to 7, and 8 to 15 for the bright ones. */
  readonly colour?: number | undefined
  readonly bold?: boolean | undefined
  readonly dim?: boolean | undefined
  readonly reverse?: boolean | undefined
  readonly underline?: boolean | undefined
}

export interface Span {
  readonly text: string
  readonly style: Style
}

export type Line = readonly Span[]

const plain: Style = {}

export function span(text: string, style: Style = plain): Span {
  return { text, style }
}

/** Columns that a text takes. It holds nothing but what can be printed. */
export function widthOf(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text)
}

const characters = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** A text in no more columns than these: what is too long ends in `…`. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  if (width <= 0) return ''
  let kept = ''
  let taken = 0
  for (const { segment } of characters.segment(text)) {
    const own = widthOf(segment)
    if (taken + own > width - 1) break
    kept += segment
    taken += own
  }
  return `${kept}…`
}

/** A path in no more columns than these: what is too long loses its beginning. */
export function cutPath(path: string, width: number): string {
  if (widthOf(path) <= width) return path
  let kept = ''
  let taken = 0
  for (const { segment } of [...characters.segment(path)].reverse()) {
    const own = widthOf(segment)
    if (taken + own > width - 1) break
    kept = segment + kept
    taken += own
  }
  return `…${kept}`
}

/** A text in exactly these columns. */
export function fit(text: string, width: number, right = false): string {
  const kept = cut(text, width)
  const room = ' '.repeat(Math.max(0, width - widthOf(kept)))
  return right ? room + kept : kept + room
}

/** A line in exactly these columns. */
export function fitLine(line: Line, width: number, rest: Style = plain): Line {
  const fitted: Span[] = []
  let left = width
  for (const { text, style } of line) {
    if (left <= 0) break
    const kept = cut(text, left)
    fitted.push(span(kept, style))
    left -= widthOf(kept)
  }
  if (left > 0) fitted.push(span(' '.repeat(left), rest))
  return fitted
}

/** Text in lines no wider than this, broken between words where that is possible. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const paragraph of text.replaceAll('\t', '  ').split('\n')) {
    let line = ''
    for (const word of paragraph.split(' ')) {
      if (line !== '' && widthOf(line) + 1 + widthOf(word) <= width) line += ` ${word}`
      else {
        if (line !== '') lines.push(line)
        line = word
        while (widthOf(line) > width && width > 1) {
          const head = cut(line, width).slice(0, -1)
          lines.push(head)
          line = line.slice(head.length)
        }
      }
    }
    lines.push(line)
  }
  return lines
}

/** A line as a terminal is told it, with its colours or without. */
export function ansi(line: Line, colours: boolean): string {
  let text = ''
  for (const { text: own, style } of line) {
    const codes: number[] = []
    if (style.bold) codes.push(1)
    if (style.dim) codes.push(2)
    if (style.underline) codes.push(4)
    if (style.reverse) codes.push(7)
    if (colours && style.colour !== undefined) codes.push(style.colour < 8 ? 30 + style.colour : 82 + style.colour)
    text += codes.length === 0 ? own : `\x1b[${codes.join(';')}m${own}\x1b[0m`
  }
  return text
}
