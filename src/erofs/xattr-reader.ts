import { type ByteString, compareBytes } from '../model/bytes.ts'
import type { Xattrs } from '../model/entry.ts'
import type { Pages } from './pages.ts'
import type { Fail } from './refusal.ts'
import { prefixText } from './xattr-sets.ts'

/** The attributes in the area of `size` bytes at `at`, in byte order of their names. `end` is where the image ends. */
export function readXattrs(pages: Pages, at: number, size: number, end: number, fail: Fail): Xattrs {
  const area = pages.copy(at, size)
  const found: [ByteString, Uint8Array][] = []
  const shared = area[4]!
  const inline = 12 + shared * 4
  if (inline > size) fail('the attributes of an inode make no sense')
  for (let i = 0; i < shared; i++) {
    const place = area.readUInt32LE(12 + i * 4) * 4
    if (place + 4 > end) fail('a shared attribute reaches out of it')
    const head = pages.u32(place)
    const length = 4 + (head & 0xff) + (head >>> 16)
    if (place + length > end) fail('a shared attribute reaches out of it')
    found.push(decode(pages.copy(place, length), 0, length, fail))
  }
  for (let cursor = inline; cursor < size; ) {
    if (cursor + 4 > size) fail('the attributes of an inode make no sense')
    const length = 4 + area[cursor]! + area.readUInt16LE(cursor + 2)
    if (cursor + length > size) fail('the attributes of an inode make no sense')
    found.push(decode(area, cursor, length, fail))
    cursor += (length + 3) & ~3
  }
  return new Map(found.sort(([a], [b]) => compareBytes(a, b)))
}

function decode(area: Buffer, at: number, length: number, fail: Fail): [ByteString, Uint8Array] {
  const text = prefixText(area[at + 1]!)
  if (text === undefined) return fail('an attribute has a prefix that plyfs does not write')
  const valueAt = at + 4 + area[at]!
  return [text + area.toString('latin1', at + 4, valueAt), Uint8Array.from(area.subarray(valueAt, at + length))]
}
