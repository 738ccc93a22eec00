import type { Random } from '../random.ts'

/** What is known of the bytes: their grain, and words that mean something in them. */
export interface Grain {
  /** Ranges begin and end at multiples of this, mostly. */
  readonly block?: number
  readonly words?: readonly (string | Uint8Array)[]
}

const interesting = [
  0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 254, 255, 256, 511, 512, 513, 1023, 1024, 4095,
].concat([4096, 32767, 32768, 65535, 65536, 131071, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff])

/** Changes bytes without knowing what they mean: one to four of the usual changes. */
export function mutateBytes(input: Buffer, other: Buffer, random: Random, grain: Grain = {}): Buffer {
  let bytes: Buffer = Buffer.from(input)
  const changes = 1 + random.small(4)
  for (let i = 0; i < changes; i++) bytes = changed(bytes, other, random, grain)
  return bytes
}

function changed(bytes: Buffer, other: Buffer, random: Random, { block = 1, words = [] }: Grain): Buffer {
  const step = block > 1 && random.chance(0.8) ? block : 1
  const place = (buffer: Buffer) => random.below(Math.floor(buffer.length / step) + 1) * step
  const length = () => step * (1 + random.small(step > 1 ? 8 : 64))
  const at = place(bytes)
  const end = Math.min(bytes.length, at + length())
  const part = bytes.subarray(at, end)
  switch (random.below(13)) {
    case 0:
      return flipped(bytes, random)
    case 1:
      if (bytes.length > 0) bytes[random.below(bytes.length)] = random.next() & 0xff
      return bytes
    case 2:
    case 3:
      return numbered(bytes, random)
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)])
    case 5:
      return Buffer.concat([bytes.subarray(0, end), part, bytes.subarray(end)])
    case 6:
      return inserted(bytes, place(bytes), part)
    case 7: {
      const to = place(bytes)
      part.copy(bytes, to)
      return bytes
    }
    case 8: {
      const filler = Buffer.alloc(Math.min(length(), 4096), random.pick([0, 0, 0xff, 0x20, 0x41]))
      return inserted(bytes, at, random.chance(0.3) ? random.bytes(Math.min(filler.length, 64)) : filler)
    }
    case 9:
      return Buffer.from(bytes.subarray(0, random.chance(0.5) ? at : bytes.length - random.small(bytes.length)))
    case 10: {
      const from = place(other)
      return inserted(bytes, at, other.subarray(from, from + length()))
    }
    case 11:
      return Buffer.concat([bytes.subarray(0, at), other.subarray(place(other))])
    default: {
      if (words.length === 0) return flipped(bytes, random)
      const word = Buffer.from(random.pick(words) as string, 'latin1')
      const where = random.below(bytes.length + 1)
      if (random.chance(0.5)) return inserted(bytes, where, word)
      word.copy(bytes, where)
      return bytes
    }
  }
}

function flipped(bytes: Buffer, random: Random): Buffer {
  if (bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8)
  return bytes
}

/** A binary number somewhere, changed a little or replaced by one that is often wrong. */
function numbered(bytes: Buffer, random: Random): Buffer {
  const width = random.pick([1, 2, 3, 4, 6])
  if (bytes.length < width) return bytes
  const at = random.below(bytes.length - width + 1)
  const little = random.chance(0.7)
  const before = little ? bytes.readUIntLE(at, width) : bytes.readUIntBE(at, width)
  const near = before + (random.chance(0.5) ? 1 : -1) * (1 + random.small(40))
  const value = random.chance(0.5) ? near : random.pick(interesting)
  const fitting = ((value % 2 ** (width * 8)) + 2 ** (width * 8)) % 2 ** (width * 8)
  if (little) bytes.writeUIntLE(fitting, at, width)
  else bytes.writeUIntBE(fitting, at, width)
  return bytes
}

export function inserted(bytes: Buffer, at: number, part: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)])
}
