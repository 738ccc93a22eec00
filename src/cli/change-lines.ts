import { pathFields } from './file-values.ts'
import type { Change, Library, Renamed } from './library.ts'

const letters = { add: 'A', modify: 'C', delete: 'D', rename: 'R' } as const

/** `A /etc/motd`, or `R /old -> /new`: one line, printable whatever the name holds. */
export function changeLine(change: Change | Renamed, { displayText }: Library): string {
  const letter = letters[change.kind]
  if (change.kind === 'rename') return `${letter} /${displayText(change.fromBytes)} -> /${displayText(change.bytes)}`
  return `${letter} /${displayText(change.bytes)}`
}

/** A change for `--json`: as the library answers it, with the exact bytes of the path only where the text is not exact. */
export function changeValue(change: Change | Renamed, library: Library): object {
  if (change.kind === 'rename') {
    const { bytes, path: _, kind, from: __, fromBytes, ...rest } = change
    const { path: from, pathBytes } = pathFields(fromBytes, library)
    return { kind, ...pathFields(bytes, library), from, ...(pathBytes && { fromBytes: pathBytes }), ...rest }
  }
  const { bytes, path: _, kind, ...rest } = change
  return { kind, ...pathFields(bytes, library), ...rest }
}

/** What all changes come to. */
export class ChangeSummary {
  readonly counts = { add: 0, modify: 0, delete: 0, rename: 0 }
  /** Bytes of files that are there now and were not, and the other way round. */
  bytesAdded = 0
  bytesDeleted = 0
  readonly aspects = new Map<string, number>()

  add(change: Change | Renamed): void {
    this.counts[change.kind]++
    if (change.kind === 'add' && change.after.kind === 'file') this.bytesAdded += change.after.size
    if (change.kind === 'delete' && change.before.kind === 'file') this.bytesDeleted += change.before.size
    if (change.kind !== 'modify' && change.kind !== 'rename') return
    for (const aspect of change.changed) this.aspects.set(aspect, (this.aspects.get(aspect) ?? 0) + 1)
    const sizes = change.changed.includes('content') || change.changed.includes('kind')
    if (!sizes) return
    const grown = change.after.size - change.before.size
    if (grown > 0) this.bytesAdded += grown
    else this.bytesDeleted -= grown
  }

  /** `content`, or what differs beside it where nothing else does; `none` for no change. */
  get cause(): 'none' | 'content' | 'metadata' {
    const { add, modify, delete: gone, rename } = this.counts
    if (add + modify + gone + rename === 0) return 'none'
    const more = ['content', 'kind', 'target', 'device'].some((aspect) => this.aspects.has(aspect))
    return add + gone + rename > 0 || more ? 'content' : 'metadata'
  }

  get value(): object {
    const { counts, bytesAdded, bytesDeleted, cause } = this
    return { cause, ...counts, bytesAdded, bytesDeleted, changed: Object.fromEntries(this.aspects) }
  }

  lines(): string[] {
    const { counts, bytesAdded, bytesDeleted, cause } = this
    const aspects = [...this.aspects].map(([aspect, count]) => `${aspect} ${count}`).join(', ')
    const why = cause === 'metadata' ? 'metadata only' : cause
    return [
      `${counts.add} added, ${counts.modify} changed, ${counts.delete} deleted, ${counts.rename} renamed; +${bytesAdded} -${bytesDeleted} bytes`,
      `cause: ${why}${aspects === '' ? '' : ` (${aspects})`}`,
    ]
  }
}
