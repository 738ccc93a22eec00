import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants, crc32, deflateRawSync, gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compressed, decompressed } from '../../src/stream/compression.ts'
import { gunzipped, gzipped } from '../../src/stream/gzip.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { bytesIn, inChunks } from '../support/collect.ts'

const text = Buffer.from(Array.from({ length: 30_000 }, (_, i) => `line ${i * 7919}\n`).join(''))
const member = gzipSync(text)
const tiny = gzipSync('tiny')
const empty = gzipSync('')
const damaged = (at: number) => {
  const copy = Buffer.from(member)
  copy[at < 0 ? copy.length + at : at]! ^= 1
  return copy
}

for (const lenient of [false, true]) {
  describe(lenient ? 'gzip, lenient' : 'gzip', () => {
    const accepted: readonly [string, Buffer, Buffer][] = [
      ['one member', member, text],
      [
        'three members',
        Buffer.concat([tiny, member, tiny]),
        Buffer.concat([Buffer.from('tiny'), text, Buffer.from('tiny')]),
      ],
      ['empty members', Buffer.concat([empty, tiny, empty, empty]), Buffer.from('tiny')],
      [
        'NUL bytes after the last member',
        Buffer.concat([tiny, member, Buffer.alloc(5000)]),
        Buffer.concat([Buffer.from('tiny'), text]),
      ],
      [
        'a member whose header has a name, a comment, extra bytes and a checksum',
        withEverything(tiny),
        Buffer.from('tiny'),
      ],
      ['500 members', Buffer.concat(Array(500).fill(tiny)), Buffer.from('tiny'.repeat(500))],
    ]
    for (const [name, input, content] of accepted) {
      for (const size of sizesFor(input, 4096)) {
        test(`Z-02: ${name}, in chunks of ${size}, is read`, async () => {
          expect((await bytesIn(gunzipped(inChunks(input, size), { lenient }))).equals(content)).toBe(true)
        })
      }
    }

    const refused: readonly [string, Buffer][] = [
      ['cut in the header', member.subarray(0, 6)],
      ['cut in the content', member.subarray(0, -5000)],
      ['cut in the trailer', member.subarray(0, -3)],
      ['cut before the trailer', member.subarray(0, -8)],
      ['cut in the second member', Buffer.concat([tiny, member.subarray(0, 100)])],
      ['with a wrong checksum', damaged(-6)],
      ['with a wrong size', damaged(-2)],
      ['with a header that does not match its checksum', headerDamaged(withEverything(tiny))],
      ['with changed content', damaged(5000)],
      ['of an unknown method', damaged(2)],
    ]
    for (const [name, input] of refused) {
      for (const size of [97, 1 << 20]) {
        test(`Z-04: a stream ${name}, in chunks of ${size}, is refused`, async () => {
          await expect(bytesIn(gunzipped(inChunks(input, size), { lenient }))).rejects.toMatchObject({
            code: 'PLY_BAD_COMPRESSION',
          })
        })
      }
    }

    const followed: readonly [string, Buffer][] = [
      ['text', Buffer.concat([member, Buffer.from('garbage')])],
      ['NUL bytes and then text', Buffer.concat([member, Buffer.alloc(600), Buffer.from('garbage')])],
      ['NUL bytes and then a member', Buffer.concat([member, Buffer.alloc(600), member])],
    ]
    for (const [name, input] of followed) {
      for (const size of [...sizesFor(input, 600), member.length]) {
        test(`Z-02: ${name} after the last member, in chunks of ${size}, is ${lenient ? 'left out' : 'refused'}`, async () => {
          const reading = bytesIn(gunzipped(inChunks(input, size), { lenient }))
          if (lenient) expect((await reading).equals(text)).toBe(true)
          else await expect(reading).rejects.toMatchObject({ code: 'PLY_BAD_COMPRESSION' })
        })
      }
    }

    test('an error of the source comes through as it is', async () => {
      async function* failing() {
        yield member.subarray(0, 100)
        throw new RangeError('the network is down')
      }
      await expect(bytesIn(gunzipped(failing(), { lenient }))).rejects.toThrow(RangeError)
    })

    test('a reader that leaves early closes the source', async () => {
      let closed = false
      async function* source() {
        try {
          for (;;) yield member
        } finally {
          closed = true
        }
      }
      for await (const _ of gunzipped(source(), { lenient })) break
      expect(closed).toBe(true)
    })
  })
}

test('what is made with gzip does not depend on how the bytes are cut, and any tool reads it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 2_500_000 }),
      fc.integer({ min: 1000, max: 700_000 }),
      async (size, chunk) => {
        const content = Buffer.concat(Array(Math.ceil(size / text.length)).fill(text)).subarray(0, size)
        const one = await bytesIn(gzipped(inChunks(content, 1 << 20)))
        const other = await bytesIn(gzipped(inChunks(content, chunk)))
        expect(other.equals(one)).toBe(true)
        expect(gunzipSync(one).equals(content)).toBe(true)
      },
    ),
    { numRuns: 12, verbose: 1 },
  )
})

test('a gzip header holds no name, no time and no system', async () => {
  const bytes = await bytesIn(gzipped(inChunks(text)))
  expect(bytes.subarray(0, 10).toString('hex')).toBe('1f8b08000000000000ff')
})

testIf(hasProgram('gzip'), 'there is no gzip program here')('the gzip program reads what is made here', async () => {
  const content = Buffer.concat(Array(8).fill(text))
  const { stdout, status } = spawnSync('gzip', ['-dc'], {
    input: await bytesIn(compressed(inChunks(content, 70_000), 'gzip')),
    maxBuffer: 1 << 26,
  })
  expect(status).toBe(0)
  expect(stdout.equals(content)).toBe(true)
})

test('Z-01: the first bytes say how a layer is compressed; no bytes at all are none', async () => {
  const cases: readonly [Buffer, string, Buffer][] = [
    [member, 'gzip', text],
    [text, 'none', text],
    [Buffer.from('ab'), 'none', Buffer.from('ab')],
    [Buffer.alloc(0), 'none', Buffer.alloc(0)],
  ]
  for (const [input, expected, content] of cases) {
    for (const size of [1, 3, 5000]) {
      const { compression, stream } = decompressed(inChunks(input, size))
      expect((await bytesIn(stream)).equals(content)).toBe(true)
      expect(await compression).toBe(expected)
    }
  }
})

test('Z-04: two bytes of a magic number are damage, not content', async () => {
  for (const start of [
    [0x1f, 0x8b],
    [0x28, 0xb5, 0x2f],
  ]) {
    await expect(bytesIn(decompressed(inChunks(Buffer.from(start))).stream)).rejects.toMatchObject({
      code: 'PLY_BAD_COMPRESSION',
    })
  }
})

/** Byte by byte only where that does not take seconds. */
function sizesFor(input: Uint8Array, size: number): number[] {
  return [input.length < 5000 ? 1 : 97, size, 1 << 20]
}

/** The same member with every optional header field of RFC 1952. The header checksum is not looked at by zlib's readers alone. */
function withEverything(of: Buffer): Buffer {
  const header = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3]),
    Buffer.from([3, 0, 1, 2, 3]),
    Buffer.from('name\0comment\0', 'latin1'),
  ])
  const sum = Buffer.alloc(2)
  sum.writeUInt16LE(crc32(header) & 0xffff)
  return Buffer.concat([header, sum, of.subarray(10)])
}

/** Changes the time in a header. */
function headerDamaged(stream: Buffer): Buffer {
  const copy = Buffer.from(stream)
  copy[4]! ^= 1
  return copy
}

test('E-13: what is made with gzip is each block of 1 MiB deflated by itself, with the 32 KiB before it as its dictionary', async () => {
  const noise = createHash('sha512').update('seed').digest()
  const parts = Array.from({ length: 60_000 }, (_, i) => (i % 3 === 0 ? noise.subarray(i % 60) : `line ${i * 7919}\n`))
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)))
  for (const size of [0, 1, 1 << 20, (1 << 20) + 1, 2 << 20, content.length]) {
    const wanted: Buffer[] = []
    for (let at = 0; at < size || at === 0; at += 1 << 20) {
      const block = content.subarray(at, Math.min(size, at + (1 << 20)))
      const dictionary = at > 0 && { dictionary: content.subarray(at - (32 << 10), at) }
      const finishFlush = at + (1 << 20) < size ? constants.Z_SYNC_FLUSH : constants.Z_FINISH
      wanted.push(deflateRawSync(block, { level: 4, memLevel: 8, chunkSize: 256 << 10, finishFlush, ...dictionary }))
    }
    const made = await bytesIn(gzipped(inChunks(content.subarray(0, size), 300_000)))
    expect(made.subarray(10, -8).equals(Buffer.concat(wanted)), `${size}`).toBe(true)
    expect(gunzipSync(made).equals(content.subarray(0, size))).toBe(true)
  }
})
