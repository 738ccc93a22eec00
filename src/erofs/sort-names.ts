import type { ByteString } from '../model/bytes.ts'
import type { Pace } from '../model/pace.ts'

/** Names that are sorted in one go: a few milliseconds. */
const run = 1 << 14

/** The names of a directory with `.` and `..`, in byte order; a large one is sorted in runs, with rests between them. */
export async function sortNames(children: ReadonlyMap<ByteString, unknown>, pace: Pace): Promise<ByteString[]> {
  const all = [...children.keys(), '.', '..']
  // Without a comparison function strings are ordered by code unit, which in byte strings is the byte.
  if (all.length <= run) return all.sort()
  let runs: ByteString[][] = []
  for (let from = 0; from < all.length; from += run) {
    runs.push(all.slice(from, from + run).sort())
    await pace.rest()
  }
  while (runs.length > 1) {
    const merged: ByteString[][] = []
    for (let i = 0; i < runs.length; i += 2) {
      const right = runs[i + 1]
      merged.push(right ? await merge(runs[i]!, right, pace) : runs[i]!)
    }
    runs = merged
  }
  return runs[0]!
}

async function merge(left: readonly ByteString[], right: readonly ByteString[], pace: Pace): Promise<ByteString[]> {
  const merged: ByteString[] = new Array(left.length + right.length)
  for (let i = 0, l = 0, r = 0; i < merged.length; i++) {
    if (r === right.length || (l < left.length && left[l]! < right[r]!)) merged[i] = left[l++]!
    else merged[i] = right[r++]!
    if (pace.due()) await pace.rest()
  }
  return merged
}
