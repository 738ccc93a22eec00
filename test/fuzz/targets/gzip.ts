import { deflateRawSync, gzipSync } from 'node:zlib'
import { compressed, compressionOf, decompressed } from '../../../src/stream/compression.ts'
import { bytesIn } from '../../support/collect.ts'
import { mutateGzip } from '../mutate/gzip.ts'
import { streamInCuts, streamWhole } from '../oracle/cuts.ts'
import { nameOf, type Outcome, Violation } from '../oracle/outcome.ts'
import { plainGunzip } from '../oracle/plain-gunzip.ts'
import { type Drained, drained, drainedBytes, sameOutput, sayOutput } from '../oracle/streams.ts'
import { tarSeeds } from '../seeds/tars.ts'
import type { Target } from '../target.ts'

/** The framing of gzip: members, their headers and trailers, and what follows the last one (layer-semantics Z-02, Z-04). */
export const gzip: Target = {
  name: 'gzip',
  covers: ['stream/gzip.ts', 'stream/gzip-members.ts', 'stream/codec.ts', 'stream/compression.ts'],
  largest: 16 << 10,
  seeds: gzipSeeds,
  mutate: mutateGzip,
  async run(input) {
    if (compressionOf(input) !== 'gzip') return compressionOf(input)
    const strict = await read(input, false)
    const lenient = await read(input, true)
    return `${nameOf(strict)} ${nameOf(lenient)} ${size(strict)} ${size(lenient)}`
  },
}

/** In one piece, cut up, and by the plain reader. */
async function read(input: Buffer, lenient: boolean): Promise<Outcome<Drained>> {
  const how = lenient ? 'lenient' : 'strict'
  const whole = await drained(decompressed(streamWhole(input), { lenient }).stream)
  const cut = await drained(decompressed(streamInCuts(input), { lenient }).stream)
  if (!sameOutput(whole, cut))
    throw new Violation(`${how}: cut up it is something else`, `${sayOutput(whole)}, ${sayOutput(cut)}`)
  const plain = plainGunzip(input, lenient)
  if (plain === 'large') return whole
  if (plain === undefined ? whole.value?.cut === false : !sameOutput(whole, { value: drainedBytes(plain) })) {
    throw new Violation(
      `${how}: the plain reader disagrees`,
      `${sayOutput(whole)}, ${plain === undefined ? 'damaged' : plain.length}`,
    )
  }
  return whole
}

async function gzipSeeds(): Promise<readonly Buffer[]> {
  const text = Buffer.from('layer tar index '.repeat(60))
  const all = [text, Buffer.alloc(0), Buffer.from('a'), tarSeeds()[2]!, Buffer.alloc(200_000, 'bomb')]
  const one = gzipSync(text)
  const ours = await Promise.all(all.map((content) => bytesIn(compressed(streamWhole(content), 'gzip'))))
  const named = Buffer.concat([
    Buffer.from('1f8b081e0000000000030300', 'hex'),
    Buffer.from('ab\0name\0comment\0', 'latin1'),
  ])
  return [
    ...ours,
    ...all.flatMap((content) => [1, 9].map((level) => gzipSync(content, { level }))),
    gzipSync(text, { level: 0 }),
    gzipSync(text, { strategy: 4 }),
    Buffer.concat([one, one]),
    Buffer.concat(Array.from({ length: 12 }, (_, i) => gzipSync(Buffer.from(String(i))))),
    Buffer.concat([one, Buffer.alloc(700)]),
    Buffer.concat([one, Buffer.from('trailing')]),
    Buffer.concat([one, Buffer.alloc(3), one]),
    one.subarray(0, 30),
    Buffer.concat([named, deflateRawSync(text), one.subarray(-8)]),
  ]
}

function size({ value }: Outcome<Drained>): number {
  return value === undefined ? -1 : Math.ceil(Math.log2(value.size + 1))
}
