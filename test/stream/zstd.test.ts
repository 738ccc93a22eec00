import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ZstdDecoder } from '../../src/stream/compression.ts'
import { decompressed } from '../../src/stream/compression.ts'
import { Xxh64 } from '../../src/stream/xxh64.ts'
import { nodeZstd, unzstdBy } from '../../src/stream/zstd.ts'
import { scriptZstd } from '../../src/stream/zstd-script.ts'
import { libzstd } from '../../src/sys/libzstd.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { bytesIn, inChunks } from '../support/collect.ts'
import { sampleFrame, sampleText } from './zstd-sample.ts'
import { blockHeader, bomb, rawFrame, skippable } from './zstd-writing.ts'

const decoders: readonly ZstdDecoder[] = [nodeZstd, libzstd, scriptZstd]
const some = Buffer.from('some bytes that are not in the sample'.repeat(100))
const nothing = Buffer.alloc(0)

const accepted: readonly [string, Buffer, Buffer][] = [
  ['one compressed frame', sampleFrame, sampleText],
  [
    'three frames',
    Buffer.concat([sampleFrame, rawFrame(some), sampleFrame]),
    Buffer.concat([sampleText, some, sampleText]),
  ],
  ['a frame without a checksum', rawFrame(some, { checksum: false }), some],
  ['a frame that says its size', rawFrame(some, { size: true }), some],
  ['an empty frame', rawFrame(nothing), nothing],
  ['an empty frame without a checksum', rawFrame(nothing, { checksum: false }), nothing],
  [
    'a thousand tiny frames',
    Buffer.concat(Array(1000).fill(rawFrame(Buffer.from('x'), { checksum: false }))),
    Buffer.alloc(1000, 'x'),
  ],
  ['a skippable frame first', Buffer.concat([skippable(some), sampleFrame]), sampleText],
  [
    'skippable frames everywhere',
    Buffer.concat([skippable(nothing, 3), sampleFrame, skippable(some, 15), rawFrame(some), skippable(some)]),
    Buffer.concat([sampleText, some]),
  ],
  ['nothing but a skippable frame', skippable(some), nothing],
]

const broken = (change: (copy: Buffer) => void, of: Buffer = sampleFrame) => {
  const copy = Buffer.from(of)
  change(copy)
  return copy
}
const refused: readonly [string, Buffer][] = [
  ['Z-04: a wrong checksum', broken((copy) => copy.writeUInt8(copy[copy.length - 1]! ^ 1, copy.length - 1))],
  [
    'Z-04: a wrong checksum in the first of two frames',
    Buffer.concat([broken((copy) => copy.writeUInt8(copy[copy.length - 2]! ^ 1, copy.length - 2)), rawFrame(some)]),
  ],
  ['Z-04: changed content under a checksum', broken((copy) => copy.writeUInt8(copy[40]! ^ 1, 40), rawFrame(some))],
  ['Z-04: a frame cut in its magic number', Buffer.concat([sampleFrame, sampleFrame.subarray(0, 3)])],
  ['Z-04: a frame cut in its header', sampleFrame.subarray(0, 5)],
  ['Z-04: a frame cut in a block', sampleFrame.subarray(0, 1000)],
  ['Z-04: a frame cut before its checksum', sampleFrame.subarray(0, -4)],
  ['Z-04: a frame cut in its checksum', sampleFrame.subarray(0, -1)],
  ['Z-04: a skippable frame that is cut', Buffer.concat([sampleFrame, skippable(some).subarray(0, 100)])],
  ['Z-04: bytes after the last frame', Buffer.concat([sampleFrame, Buffer.from('garbage')])],
  ['Z-04: NUL bytes after the last frame', Buffer.concat([sampleFrame, Buffer.alloc(512)])],
  ['Z-04: a size that is not the content’s', rawFrame(some, { size: some.length + 1 })],
  [
    'Z-04: a size that the content, whose last block is empty, does not have',
    Buffer.concat([Buffer.from('28b52ffd2089', 'hex'), blockHeader(true, 0, 0)]),
  ],
  [
    'Z-04: a compressed block of no bytes',
    Buffer.concat([Buffer.from('28b52ffd2000', 'hex'), blockHeader(true, 2, 0)]),
  ],
  [
    // 98,047 sequences of 65,539 bytes each.
    'Z-04: a block that stands for 6 GB',
    compressedBlock('00ffffff5400003401'),
  ],
  ['Z-04: a block that refers to the tables of none before it', compressedBlock('0001fc01')],
  ['Z-04: a block that refers to what is before its frame', compressedBlock('1041010010ffff01')],
  [
    'Z-04: a block of the reserved type',
    Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x38]), blockHeader(true, 3, 0)]),
  ],
  [
    'Z-04: a block that is larger than blocks may be',
    Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x38]),
      blockHeader(true, 1, (128 << 10) + 1),
      Buffer.from('x'),
    ]),
  ],
  ['Z-03: a dictionary', rawFrame(some, { dictionary: 7 })],
  ['Z-03: a window above the cap', rawFrame(some, { windowDescriptor: (17 << 3) | 1 })],
]

/** A frame of one compressed block, without a checksum. */
function compressedBlock(hex: string): Buffer {
  const block = Buffer.from(hex, 'hex')
  return Buffer.concat([Buffer.from('28b52ffd0048', 'hex'), blockHeader(true, 2, block.length), block])
}

for (const decoder of decoders) {
  if (!decoder.available()) {
    console.log(`zstd by ${decoder.name} is not tested: this Node or machine does not have it`)
    continue
  }
  describe(`zstd by ${decoder.name}`, () => {
    for (const [name, input, content] of accepted) {
      for (const size of [1, 7, 1000, 1 << 20]) {
        test(`Z-03: ${name}, in chunks of ${size}, is decompressed`, async () => {
          expect((await bytesIn(unzstdBy(decoder, inChunks(input, size)))).equals(content)).toBe(true)
        })
      }
    }
    for (const [name, input] of refused) {
      for (const size of [7, 1 << 20]) {
        test(`${name}, in chunks of ${size}, is refused`, async () => {
          await expect(bytesIn(unzstdBy(decoder, inChunks(input, size)))).rejects.toMatchObject({
            code: 'PLY_BAD_COMPRESSION',
          })
        })
      }
    }

    test('Z-03: the cap on the window can be raised and lowered', async () => {
      const large = rawFrame(some, { windowDescriptor: 17 << 3 })
      expect((await bytesIn(unzstdBy(decoder, inChunks(large)))).equals(some)).toBe(true)
      await expect(bytesIn(unzstdBy(decoder, inChunks(large), (128 << 20) - 1))).rejects.toMatchObject({
        code: 'PLY_BAD_COMPRESSION',
      })
    })

    test('4 KB that stand for 128 MiB come out in small chunks', async () => {
      let largest = 0
      let total = 0
      for await (const chunk of unzstdBy(decoder, inChunks(bomb(1024), 4096))) {
        largest = Math.max(largest, chunk.length)
        total += chunk.length
      }
      expect(total).toBe(128 << 20)
      expect(largest).toBeLessThanOrEqual(1 << 20)
    })

    test('an error of the source comes through as it is', async () => {
      async function* failing() {
        yield sampleFrame.subarray(0, 100)
        throw new RangeError('the network is down')
      }
      await expect(bytesIn(unzstdBy(decoder, failing()))).rejects.toThrow(RangeError)
    })

    test('damage anywhere never gives content that is taken for whole', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(sampleFrame.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
          const damaged = broken((copy) => copy.writeUInt8(copy[at]! ^ change, at))
          const outcome = await bytesIn(unzstdBy(decoder, inChunks(damaged, 5000))).catch((error) => error.code)
          // The one change that does no harm is one that changes nothing that is decoded.
          if (outcome !== 'PLY_BAD_COMPRESSION')
            expect(Buffer.isBuffer(outcome) && outcome.equals(sampleText)).toBe(true)
        }),
        { numRuns: 150, verbose: 1 },
      )
    })
  })
}

testIf(hasProgram('zstd'), 'there is no zstd program here')(
  'what the zstd program makes is decompressed the same by all decoders',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.constantFrom('-1', '-3', '-19', '--ultra --long=27 -3'),
            fc.uint8Array({ maxLength: 3000 }),
            fc.integer({ min: 1, max: 200 }),
          ),
          { minLength: 1, maxLength: 3 },
        ),
        async (frames) => {
          const contents = frames.map(([, seed, times]) => Buffer.concat(Array(times).fill(seed)))
          const input = Buffer.concat(
            frames.map(
              ([options], i) => spawnSync('zstd', ['-q', '-c', ...options.split(' ')], { input: contents[i]! }).stdout,
            ),
          )
          for (const decoder of decoders) {
            if (!decoder.available()) continue
            expect((await bytesIn(unzstdBy(decoder, inChunks(input, 777)))).equals(Buffer.concat(contents))).toBe(true)
          }
        },
      ),
      { numRuns: 30, verbose: 1 },
    )
  },
)

test('Z-01: a zstd stream is known by its first bytes, and so is one that starts with a skippable frame', async () => {
  for (const input of [sampleFrame, Buffer.concat([skippable(some, 15), sampleFrame])]) {
    const { compression, stream } = decompressed(inChunks(input, 1), { zstd: [libzstd] })
    expect(await compression).toBe('zstd')
    expect((await bytesIn(stream)).equals(sampleText)).toBe(true)
  }
})

test('XXH64 gives the published values, however the bytes are cut', () => {
  const of = (text: string, cut = 5) => {
    const hash = new Xxh64()
    for (let at = 0; at < text.length; at += cut) hash.update(Buffer.from(text.slice(at, at + cut)))
    return hash.digest().toString(16).padStart(16, '0')
  }
  expect(of('')).toBe('ef46db3751d8e999')
  expect(of('a')).toBe('d24ec4f1a98c6e5b')
  expect(of('abc')).toBe('44bc2cf5ad770999')
  const text = 'Nobody inspects the spammish repetition'
  for (const cut of [1, 5, 31, 32, 33, 100]) expect(of(text, cut)).toBe('fbcea83c8a378bf1')
})
