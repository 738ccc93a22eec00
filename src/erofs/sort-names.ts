import type { ByteString } from '../model/bytes.ts'
import type { Pace } from '../model/pace.ts'
import type { Listing } from './content.ts'

/** Names that are sorted in one go: a few milliseconds. */
const run = 1 << 14

/** What a directory holds, in byte order of the names. */
export async function listingOf(children: ReadonlyMap<ByteString, number> | Listing, pace: Pace): Promise<Listing> {
  if ('names' in children) return children
  const names = await sorted([...children.keys()], pace)
  return { names, inodes: names.map((name) => children.get(name)!) }
}

/** A large directory is sorted in runs, with rests between them. */
async function sorted(all: ByteString[], pace: Pace): Promise<ByteString[]> {
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
