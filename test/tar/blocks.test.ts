import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Blocks } from '../../src/tar/blocks.ts'
import { blockSize, fields } from '../../src/tar/header.ts'
import { parseNumber } from '../../src/tar/numbers.ts'

/** Bytes at every place that memory has for them, as the one part of a buffer or with something behind them. */
function placed(bytes: Uint8Array): { readonly blocks: Blocks; readonly at: number }[] {
  const all: { readonly blocks: Blocks; readonly at: number }[] = []
  for (let from = 0; from < 4; from++) {
    for (let at = 0; at < 4; at++) {
      for (const behind of [0, 1, 600]) {
        const memory = Buffer.alloc(from + at + bytes.length + behind, 0xff)
        memory.set(bytes, from + at)
        all.push({ blocks: new Blocks(memory.subarray(from)), at })
      }
    }
  }
  return all
}

const digit = fc.integer({ min: 0x30, max: 0x37 })
const odd = fc.oneof(fc.constantFrom(0, 0x20, 0x2f, 0x38, 0x39, 0x80, 0xff), fc.nat(255))
/** A field as people write it, with at most a few bytes of it changed. */
const field = (size: number) =>
  fc
    .record({
      digits: fc.array(digit, { minLength: size, maxLength: size }),
      end: fc.constantFrom([], [0], [0x20], [0, 0x20], [0x20, 0], [0, 0], [0x20, 0x20], [0, 0x37]),
      changes: fc.array(fc.tuple(fc.nat(size - 1), odd), { maxLength: 2 }),
    })
    .map(({ digits, end, changes }) => {
      const bytes = Uint8Array.from(digits)
      bytes.set(end, size - end.length)
      for (const [at, byte] of changes) bytes[at] = byte
      return bytes
    })

test('F-01: a number is the same number by words and byte by byte, wherever it stands', () => {
  fc.assert(
    fc.property(fc.oneof(field(8), field(12)), (bytes) => {
      const number = parseNumber(bytes, 0, bytes.length)
      for (const { blocks, at } of placed(bytes)) expect(blocks.number(at, bytes.length)).toBe(number)
    }),
    { numRuns: 500 },
  )
})

test('F-03: sum and checksum are the same by words and byte by byte, wherever the block stands', () => {
  const block = fc.oneof(
    fc.constant(new Uint8Array(blockSize)),
    fc.constant(new Uint8Array(blockSize).fill(0xff)),
    fc.constant(new Uint8Array(blockSize).fill(0x80)),
    fc.uint8Array({ minLength: blockSize, maxLength: blockSize }),
    // Most of a header is zeros.
    fc
      .array(fc.tuple(fc.nat(blockSize - 1), fc.nat(255)), { maxLength: 20 })
      .map((some) => some.reduce((bytes, [at, byte]) => bytes.fill(byte, at, at + 1), new Uint8Array(blockSize))),
  )
  fc.assert(
    fc.property(block, (bytes) => {
      const sum = bytes.reduce((all, byte) => all + byte, 0)
      const { at: start, size } = fields.checksum
      const checksum = Uint8Array.from(bytes).fill(0x20, start, start + size)
      for (const { blocks, at } of placed(bytes)) {
        expect(blocks.sum(at)).toBe(sum)
        expect(blocks.checksum(at, sum)).toBe(checksum.reduce((all, byte) => all + byte, 0))
      }
    }),
    { numRuns: 100 },
  )
})
