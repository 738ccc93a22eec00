import { type ByteString, compareBytes } from '../model/bytes.ts'
import type { TreeEntry } from '../stack/tree.ts'

/** Two listings in byte order as one. */
export function* mergedListings(
  before: Iterable<TreeEntry>,
  after: Iterable<TreeEntry>,
): Iterable<{ name: ByteString; was: TreeEntry | undefined; is: TreeEntry | undefined }> {
  const left = before[Symbol.iterator]()
  const right = after[Symbol.iterator]()
  let was = taken(left)
  let is = taken(right)
  while (was || is) {
    const order = was && is ? compareBytes(was.name, is.name) : was ? -1 : 1
    yield { name: (order <= 0 ? was! : is!).name, was: order <= 0 ? was : undefined, is: order >= 0 ? is : undefined }
    if (order <= 0) was = taken(left)
    if (order >= 0) is = taken(right)
  }
}

function taken(entries: Iterator<TreeEntry>): TreeEntry | undefined {
  const { done, value } = entries.next()
  return done ? undefined : value
}
