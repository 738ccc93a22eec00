import { randomFillSync } from 'node:crypto'
import { crc32 as crc32OfNode } from 'node:zlib'
import { expect, test } from 'vitest'
import { crc32, libdeflate } from '../../src/sys/crc32.ts'
import { testIf } from '../support/ability.ts'

const bytes = randomFillSync(Buffer.alloc(70_000))
/** Parts of all lengths, from any place in memory. */
const parts = [0, 1, 2, 15, 16, 63, 64, 65, 255, 4095, 4096, 4097, 65_535, 65_536].flatMap((length) =>
  [0, 1, 7, 64, 3000].map((from) => bytes.subarray(from, from + length)),
)

test('checksums are those of zlib, of bytes anywhere in memory', () => {
  for (const part of parts) expect(crc32(part)).toBe(crc32OfNode(part))
  expect(crc32(new Uint8Array(bytes.buffer, bytes.byteOffset + 5, 65_536))).toBe(crc32OfNode(bytes.subarray(5, 65_541)))
})

testIf(libdeflate() !== undefined, 'libdeflate is not installed')('libdeflate gives the same as Node', () => {
  const sum = libdeflate()!
  for (const part of parts) expect(sum(part)).toBe(crc32OfNode(part))
})
