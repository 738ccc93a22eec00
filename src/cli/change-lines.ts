import { pathFields } from './file-values.ts'
import type { Change, Library } from './library.ts'

const letters = { add: 'A', modify: 'C', delete: 'D' } as const

/** `A /etc/motd`: one line, printable whatever the name holds. */
export function changeLine(change: Change, { displayText }: Library): string {
  return `${letters[change.kind]} /${displayText(change.bytes)}`
}

/** A change for `--json`: as the library answers it, with the exact bytes of the path only where the text is not exact. */
export function changeValue(change: Change, library: Library): object {
  const { bytes, path: _, kind, ...rest } = change
  return { kind, ...pathFields(bytes, library), ...rest }
}
