import { readFileSync } from 'node:fs'
import { compressionOf, decompressed } from '../../../src/stream/compression.ts'
import { nodeZstd, unzstdBy, type ZstdDecoder } from '../../../src/stream/zstd.ts'
import { scriptZstd } from '../../../src/stream/zstd-script.ts'
import { libzstd } from '../../../src/sys/libzstd.ts'
import { sampleFrame } from '../../stream/zstd-sample.ts'
import { bomb, rawFrame, skippable } from '../../stream/zstd-writing.ts'
import { unpackCorpus } from '../corpus-file.ts'
import { fixtures } from '../fixtures.ts'
import { framesOf, mutateZstd } from '../mutate/zstd.ts'
import { choiceOf, streamInCuts, streamWhole } from '../oracle/cuts.ts'
import { nameOf, type Outcome, Violation } from '../oracle/outcome.ts'
import { type Drained, drained, sameOutput, sayOutput } from '../oracle/streams.ts'
import type { Target } from '../target.ts'

/** The decoders of the ladder that this machine has: what they refuse, and what comes out, must not differ (Z-03). */
export const zstdLadder: readonly ZstdDecoder[] = [nodeZstd, libzstd, scriptZstd].filter((one) => one.available())

/** The framing of zstd, through every decoder (layer-semantics Z-03, Z-04). */
export const zstd: Target = {
  name: 'zstd',
  covers: ['stream/zstd', 'stream/xxh64.ts', 'sys/libzstd.ts'],
  largest: 16 << 10,
  seeds: async () => zstdSeeds(),
  mutate: mutateZstd,
  async run(input) {
    const maxWindow = choiceOf(input) % 8 === 0 ? 128 << 20 : 1 << 20
    const exact = isExact(input)
    let first: Outcome<Drained> | undefined
    for (const decoder of zstdLadder) {
      const whole = await drained(unzstdBy(decoder, streamWhole(input), maxWindow))
      const cut = await drained(unzstdBy(decoder, streamInCuts(input), maxWindow))
      if (!sameOutput(whole, cut))
        throw new Violation(`${decoder.name}: cut up it is something else`, `${sayOutput(whole)}, ${sayOutput(cut)}`)
      first ??= whole
      // The decoder in JavaScript is the strict one: libzstd does not look whether all bits of a block were used.
      if (decoder === scriptZstd && !exact && whole.refusal !== undefined) continue
      // Nor does it before 1.5.5 look at the reserved bits of a block, which no checksum covers.
      if (decoder === scriptZstd && whole.refusal?.message.includes('reserved bits')) continue
      if (!sameOutput(first, whole))
        throw new Violation(
          `${zstdLadder[0]!.name} ${verb(first)}, ${decoder.name} ${verb(whole)}`,
          `${sayOutput(first)}, ${sayOutput(whole)}`,
        )
    }
    if (compressionOf(input) === 'zstd') {
      const any = await drained(decompressed(streamInCuts(input), { maxWindow, zstd: [libzstd] }).stream)
      if (!sameOutput(first!, any)) throw new Violation('the ladder is something else', sayOutput(any))
    }
    const { refusal, value } = first!
    return refusal
      ? `${nameOf(first!)} ${refusal.message.replace(/\d+/g, 'N')}`
      : `read ${Math.ceil(Math.log2(value.size + 1))}`
  },
}

/** Whether every decoder has to see all damage: checksums show it, or there is nothing but framing. */
function isExact(input: Buffer): boolean {
  return framesOf(input).every(
    ({ start, blocks }) => (input[start + 4]! & 4) !== 0 || blocks.every(({ at }) => ((input[at]! >> 1) & 3) !== 2),
  )
}

function verb({ refusal }: Outcome<Drained>): string {
  return refusal === undefined ? 'reads' : 'refuses'
}

function zstdSeeds(): readonly Buffer[] {
  const text = Buffer.from('layer tar index '.repeat(20))
  const one = rawFrame(text, { block: 50 })
  return [
    // Frames with everything that an encoder writes; `fixtures/fuzz/README.md` says how they were made.
    ...unpackCorpus(readFileSync(fixtures('zstd.seeds.gz'))),
    sampleFrame,
    one,
    rawFrame(text, { size: true, checksum: false }),
    rawFrame(Buffer.alloc(0)),
    Buffer.concat([skippable(Buffer.from('first')), one, skippable(Buffer.alloc(0), 15), one]),
    bomb(3),
    rawFrame(text, { windowDescriptor: 0x88 }),
    rawFrame(text, { dictionary: 7 }),
    one.subarray(0, 40),
  ]
}
