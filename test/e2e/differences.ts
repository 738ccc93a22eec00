import type { DumpedEntry } from '../support/plain-tree.ts'
import { treeEntries } from '../support/plain-tree.ts'

export type Dump = ReadonlyMap<string, DumpedEntry>

type Tree = Parameters<typeof treeEntries>[0]

export function dump(tree: Tree): Dump {
  return new Map(treeEntries(tree).map((entry) => [entry.path, entry]))
}

/**
 * What a tool is known to do otherwise than the rules say. `expect` predicts the exact value that the tool has, from
 * ours: a difference that is not predicted to the last digit is unexplained.
 */
export interface KnownDifference {
  /** The rule of layer-semantics that says what is right. */
  readonly rule: string
  readonly because: string
  readonly field: keyof DumpedEntry
  expect(ours: DumpedEntry, path: string, all: { readonly ours: Dump; readonly theirs: Dump }): unknown
}

export interface Compared {
  readonly entries: number
  readonly explained: number
  readonly unexplained: readonly string[]
}

/** Entry by entry: type, mode, owner, size, times, links, xattrs, content. */
export function compare(ours: Dump, theirs: Dump, known: readonly KnownDifference[]): Compared {
  let explained = 0
  const unexplained: string[] = []
  for (const path of new Set([...ours.keys(), ...theirs.keys()])) {
    const mine = ours.get(path)
    const other = theirs.get(path)
    if (mine === undefined || other === undefined) {
      unexplained.push(`${JSON.stringify(path)}: only in ${mine === undefined ? 'the oracle' : 'ours'}`)
      continue
    }
    for (const field of new Set([...Object.keys(mine), ...Object.keys(other)]) as Set<keyof DumpedEntry>) {
      const [a, b] = [text(mine[field]), text(other[field])]
      if (a === b) continue
      if (
        known.some(
          (difference) => difference.field === field && text(difference.expect(mine, path, { ours, theirs })) === b,
        )
      )
        explained++
      else unexplained.push(`${JSON.stringify(path)}: ${field}: ours ${a}, the oracle's ${b}`)
    }
  }
  return { entries: ours.size, explained, unexplained }
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner)) ?? 'nothing'
}
