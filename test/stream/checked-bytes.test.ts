import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { checkedBytes } from '../../src/stream/checked-bytes.ts'
import { checkedPageSize, HeldPages } from '../../src/stream/held-pages.ts'

const content = Buffer.alloc(3 * checkedPageSize + 1234)
for (let i = 0; i < content.length; i++) content[i] = (i * 31 + (i >> 8)) & 0xff
const sums = new Uint32Array(4).map((_, page) =>
  crc32(content.subarray(page * checkedPageSize, (page + 1) * checkedPageSize)),
)

test('reads at any place in any order give the bytes underneath', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(content.length + 100), fc.oneof(fc.nat(300), fc.nat(2 * checkedPageSize + 100))), {
        minLength: 1,
        maxLength: 20,
      }),
      (reads) => {
        // Two share fewer pages than either has.
        const held = new HeldPages(3)
        const both = [content, content].map((bytes) => checkedBytes(memoryBytes(bytes), sums, { held }))
        for (const [turn, [position, size]] of reads.entries()) {
          const checked = both[turn % 2]!
          const into = Buffer.alloc(size, 0xaa)
          const expected = content.subarray(position, position + size)
          expect(checked.read(into, position)).toBe(expected.length)
          expect(into.subarray(0, expected.length).equals(expected)).toBe(true)
          expect(into.subarray(expected.length).every((byte) => byte === 0xaa)).toBe(true)
        }
      },
    ),
    { verbose: 1 },
  )
})

test('a page that does not match is never handed out, and the others are', () => {
  const damaged = Buffer.from(content)
  damaged[checkedPageSize + 10]! ^= 1
  const checked = checkedBytes(memoryBytes(damaged), sums, { what: 'layer x' })
  expect(checked.read(Buffer.alloc(100), 0)).toBe(100)
  for (const [size, position] of [
    [1, checkedPageSize + 5000],
    [content.length, 0],
    [2, checkedPageSize - 1],
  ] as const) {
    expect(() => checked.read(Buffer.alloc(size), position)).toThrow(
      expect.objectContaining({ code: 'PLY_DAMAGED', details: expect.objectContaining({ what: 'layer x', page: 1 }) }),
    )
  }
  expect(checked.read(Buffer.alloc(5000), 3 * checkedPageSize)).toBe(1234)
})

test('a page is read and checked once as long as it is open', () => {
  let read = 0
  const bytes = memoryBytes(content)
  const counting = {
    ...bytes,
    read(into: Uint8Array, position: number) {
      read += into.length
      return bytes.read(into, position)
    },
  }
  const checked = checkedBytes(counting, sums)
  const into = Buffer.alloc(10)
  checked.read(into, 0)
  expect(read).toBe(checkedPageSize)
  for (let i = 0; i < 10; i++) checked.read(into, i * 100)
  // The page of which a part was read last is held.
  expect(read).toBe(checkedPageSize)
  checked.read(into, checkedPageSize)
  for (let i = 0; i < 10; i++) checked.read(into, i * 100)
  expect(read).toBe(2 * checkedPageSize + 100)
})

test('pages that several bytes share are read once, until others take their places', () => {
  const held = new HeldPages(2)
  const asked: number[] = []
  const open = () => {
    const bytes = memoryBytes(content)
    const read = (into: Uint8Array, at: number): number => {
      asked.push(at)
      return bytes.read(into, at)
    }
    return checkedBytes({ ...bytes, read }, sums, { held })
  }
  const [one, other] = [open(), open()]
  const into = Buffer.alloc(10)
  for (let i = 0; i < 3; i++) {
    one.read(into, 5)
    other.read(into, checkedPageSize + 5)
  }
  expect(asked).toEqual([0, checkedPageSize])
  other.read(into, 2 * checkedPageSize + 5)
  one.read(into, 5)
  expect(into.equals(content.subarray(5, 15))).toBe(true)
  expect(asked).toEqual([0, checkedPageSize, 2 * checkedPageSize, 5])
})

test('bytes that have become shorter than their checksums say are damaged', () => {
  const bytes = memoryBytes(content)
  const shrunk = {
    ...bytes,
    read: (into: Uint8Array, position: number) => Math.max(0, Math.min(bytes.read(into, position), 70_000 - position)),
  }
  expect(() => checkedBytes(shrunk, sums).read(Buffer.alloc(10), checkedPageSize)).toThrow(
    expect.objectContaining({ code: 'PLY_DAMAGED' }),
  )
})

test('another number of checksums than of pages is refused at once', () => {
  expect(() => checkedBytes(memoryBytes(content), sums.subarray(1))).toThrow(
    expect.objectContaining({ code: 'PLY_SIZE_MISMATCH' }),
  )
})
