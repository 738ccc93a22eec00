import type { Pace } from '../model/pace.ts'

const digits = 1 << 16

/**
 * The positions of the numbers, smallest number first: sorted by 16 bits at a time, since ten million of them would keep
 * others waiting for seconds in a sort that compares.
 *
 * @param numbers whole, from 0 to 2^53
 * @throws PLY_ABORTED
 */
export async function inOrder(numbers: readonly number[], pace: Pace): Promise<Uint32Array> {
  let order = Uint32Array.from({ length: numbers.length }, (_, i) => i)
  let most = 0
  let sorted = true
  for (let i = 0; i < numbers.length; i++) {
    if (numbers[i]! < most) sorted = false
    else most = numbers[i]!
  }
  if (sorted) return order
  let other = new Uint32Array(numbers.length)
  const starts = new Uint32Array(digits + 1)
  for (let unit = 1; unit <= most; unit *= digits) {
    starts.fill(0)
    for (const number of numbers) starts[(Math.floor(number / unit) % digits) + 1]!++
    for (let digit = 1; digit < digits; digit++) starts[digit]! += starts[digit - 1]!
    for (const position of order) other[starts[Math.floor(numbers[position]! / unit) % digits]!++] = position
    ;[order, other] = [other, order]
    if (pace.due(64)) await pace.rest()
  }
  return order
}
