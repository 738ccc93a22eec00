import { crc32 } from 'node:zlib'
import type { ByteStream } from '../../../src/stream/bytes.ts'
import { Random } from '../random.ts'

/** A number that the input alone decides: for choices that must be the same when it is run again. */
export function choiceOf(input: Uint8Array): number {
  return crc32(input)
}

const usual = [1, 2, 3, 7, 511, 512, 513, 1023, 1024, 1536]

/** The sizes of the chunks that an input is read in. One input in 16 comes byte by byte. */
export function* cutsOf(input: Uint8Array): Generator<Uint8Array, void, undefined> {
  const choice = choiceOf(input)
  const random = new Random(String(choice))
  const single = choice % 16 === 0 && input.length <= 16_384
  for (let at = 0; at < input.length; ) {
    const step = single ? 1 : random.chance(0.7) ? random.pick(usual) : 1 + random.below(3000)
    yield input.subarray(at, at + step)
    at += step
  }
}

/** The input in those chunks. Like a careless source, it uses one buffer for all of them. */
export async function* streamInCuts(input: Uint8Array): ByteStream {
  const buffer = Buffer.alloc(3000)
  for (const cut of cutsOf(input)) {
    buffer.set(cut)
    yield buffer.subarray(0, cut.length)
    buffer.fill(0xee)
  }
}

/** The input in one piece. */
export async function* streamWhole(input: Uint8Array): ByteStream {
  if (input.length > 0) yield input
}
