import { PlyError } from '../model/errors.ts'

/** Where something stands: a file as its user calls it, and a line from 1. */
export interface Place {
  readonly file: string
  readonly line: number
}

/** What is wrong in a Dockerfile, and where. */
export function badDockerfile({ file, line }: Place, reason: string, cause?: unknown): PlyError {
  return new PlyError('PLY_BAD_DOCKERFILE', { file, line, reason }, cause === undefined ? undefined : { cause })
}

/** What may have been meant, as the end of a message; empty where nothing is near. */
export function meant(word: string, known: Iterable<string>): string {
  let nearest: string | undefined
  let least = Math.min(3, Math.ceil(word.length / 2) + 1)
  for (const one of known) {
    const away = distance(word.toLowerCase(), one.toLowerCase())
    if (away < least) [nearest, least] = [one, away]
  }
  return nearest === undefined ? '' : `; did you mean ${nearest}?`
}

/** Letters to add, to take away, to change or to turn round with the next. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + change)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, rows[i - 2]![j - 2]! + 1)
      row.push(least)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
