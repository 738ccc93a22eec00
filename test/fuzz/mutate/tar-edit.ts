import type { Random } from '../random.ts'
import { repairChecksum, type Span } from './tar-members.ts'

const octals = [
  '',
  '0',
  '1',
  '7',
  '777',
  '0004755',
  '7777777',
  '77777777',
  '00000000000',
  '00000000001',
  '00000000777',
].concat([
  '00000001000',
  '00000001001',
  '77777777777',
  '777777777777',
  '  12',
  '12  ',
  '12 1',
  '12\x001',
  '-1',
  '8',
  '\0\x0012',
  'a',
])
const base256: readonly bigint[] = [
  0n,
  1n,
  511n,
  512n,
  4095n,
  4096n,
  1048575n,
  1048576n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
].concat([
  2n ** 33n,
  2n ** 40n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 56n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 80n,
  -1n,
  -2n,
  -(2n ** 63n),
])

/** Writes a number into a field of a header, in one of the forms there are. */
export function writeNumber(bytes: Buffer, at: number, size: number, random: Random): void {
  bytes.fill(0, at, at + size)
  if (random.chance(0.6)) {
    bytes.write(random.pick(octals).slice(0, size), at, 'latin1')
    return
  }
  let rest = BigInt.asUintN(size * 8, random.pick(base256))
  for (let i = at + size - 1; i >= at; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  bytes[at]! |= 0x80
}

/** The archive with another payload in a member, its size said rightly. */
export function withPayload(bytes: Buffer, { at, payload, end }: Span, content: Buffer): Buffer {
  const start = Math.max(at + 512, end - Math.ceil(payload / 512) * 512)
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512)
  const changed = Buffer.concat([bytes.subarray(0, start), content, padding, bytes.subarray(end)])
  changed.write(`${content.length.toString(8).padStart(11, '0')}\0`, at + 124, 'latin1')
  repairChecksum(changed, at)
  return changed
}
