import type { Pace } from '../model/pace.ts'
import type { Bytes } from '../stream/bytes.ts'

const chunk = 1 << 18

/** Whether two contents are the same, where their sizes are. What both know to be zeros is not read. */
export async function sameContent(one: Bytes, other: Bytes, pace: Pace): Promise<boolean> {
  const { size } = one
  const [left, right] = [Buffer.allocUnsafe(Math.min(chunk, size)), Buffer.allocUnsafe(Math.min(chunk, size))]
  for (let at = 0; at < size; ) {
    const next = Math.min(nextData(one, at), nextData(other, at))
    if (next >= size) return true
    at = next
    const length = Math.min(chunk, size - at)
    const [a, b] = [left.subarray(0, length), right.subarray(0, length)]
    if (one.read(a, at) !== length || other.read(b, at) !== length || a.compare(b) !== 0) return false
    at += length
    if (pace.due(64)) await pace.rest()
  }
  return true
}

function nextData({ nextData, size }: Bytes, at: number): number {
  return nextData === undefined ? at : (nextData(at)?.start ?? size)
}
