import { nothing, type Verdict } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { TreeEntry } from '../stack/tree.ts'

interface Merged {
  readonly name: ByteString
  readonly verdict: Verdict
  readonly entry: TreeEntry | undefined
}

/** Two lists in byte order as one: for each name what the upper says and what the lower tree has. */
export function* mergedNames(
  above: Iterable<{ readonly name: ByteString; readonly verdict: Verdict }>,
  below: Iterable<TreeEntry>,
): Iterable<Merged> {
  const lower = below[Symbol.iterator]()
  let entry = next(lower)
  try {
    for (const { name, verdict } of above) {
      for (; entry !== undefined && entry.name < name; entry = next(lower))
        yield { name: entry.name, verdict: nothing, entry }
      const same = entry?.name === name ? entry : undefined
      if (same) entry = next(lower)
      yield { name, verdict, entry: same }
    }
    for (; entry !== undefined; entry = next(lower)) yield { name: entry.name, verdict: nothing, entry }
  } finally {
    lower.return?.()
  }
}

function next<T>(iterator: Iterator<T>): T | undefined {
  const { done, value } = iterator.next()
  return done ? undefined : value
}
