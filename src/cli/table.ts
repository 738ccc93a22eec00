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
    cells.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, widthOf(cell))
    })
  }
  return lines.map((cells) =>
    cells
      .map((cell, index) => {
        const padding = ' '.repeat(widths[index]! - widthOf(cell))
        return right(index) ? padding + cell : cell + padding
      })
      .join(gap)
      .trimEnd(),
  )
}

/** The 12 digits by which people know an image; everything with `full`. */
export function shortId(digest: string | undefined, full: boolean): string {
  if (digest === undefined) return '<none>'
  return full ? digest : digest.slice(digest.indexOf(':') + 1).slice(0, 12)
}

function widthOf(text: string): number {
  let width = 0
  for (const _ of text) width++
  return width
}
