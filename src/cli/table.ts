/** One column: its header (shown in upper case) and what stands in it. */
export interface Column<Row> {
  readonly header: string
  readonly of: (row: Row) => string
  /** Numbers stand to the right. */
  readonly right?: boolean
}

/** Rows in aligned columns under upper-case headers, three spaces apart, as docker prints them. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string[] {
  const lines = [
    columns.map((column) => column.header.toUpperCase()),
    ...rows.map((row) => columns.map((column) => column.of(row))),
  ]
  return aligned(lines, (index) => columns[index]?.right === true)
}

/** Cells in aligned columns without a header. */
export function aligned(
  lines: readonly (readonly string[])[],
  right: (column: number) => boolean,
  gap = '   ',
): string[] {
  const widths: number[] = []
  for (const cells of lines) {
    for (let index = 0; index < cells.length; index++) {
      const width = widthOf(cells[index]!)
      if (!(width <= widths[index]!)) widths[index] = width
    }
  }
  const toRight = widths.map((_, index) => right(index))
  return lines.map((cells) => {
    let line = ''
    for (let index = 0; index < cells.length; index++) {
      const cell = cells[index]!
      if (index > 0) line += gap
      // What ends a line needs nothing behind it.
      if (!toRight[index] && index + 1 === cells.length) return (line + cell).trimEnd()
      const lack = widths[index]! - widthOf(cell)
      line += lack === 0 ? cell : toRight[index] ? ' '.repeat(lack) + cell : cell + ' '.repeat(lack)
    }
    return line.trimEnd()
  })
}

/** The 12 digits by which people know an image; everything with `full`. */
export function shortId(digest: string | undefined, full: boolean): string {
  if (digest === undefined) return '<none>'
  return full ? digest : digest.slice(digest.indexOf(':') + 1).slice(0, 12)
}

function widthOf(text: string): number {
  // Code points are as many as units but for surrogates, which few texts have.
  let plain = true
  for (let at = 0; at < text.length && plain; at++) plain = text.charCodeAt(at) < 0xd800
  if (plain) return text.length
  let width = 0
  for (const _ of text) width++
  return width
}
