import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  contentFormat,
  contentKey,
  fileFormat,
  fileKey,
  readSums,
  recordSize,
  SumsBatch,
} from '../../src/layer/content-sums.ts'
import { DigestTable } from '../../src/layer/digest-table.ts'
import { type Digest, digestOf } from '../../src/model/digest.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'

const layer = digestOf(Buffer.from('a layer'))
const format = contentFormat(layer)
const size = recordSize(format)
const key = (offset: number, length = 1, spill = false) => contentKey(Buffer.alloc(16), { offset, spill }, length)
const digestFor = (i: number): Digest => digestOf(Buffer.from(`content ${i}`))

/** Records of contents 0 to n - 1, each at its own offset. */
function records(count: number, of = format): Buffer {
  const batch = new SumsBatch(of, count)
  for (let i = 0; i < count; i++) batch.add(key(i * 512), digestFor(i))
  return Buffer.from(batch.take())
}

const read = (file: Uint8Array, of = format) => readSums(memoryBytes(file), of)

test('what was written is read back, whatever was written twice', () => {
  const file = Buffer.concat([records(3000), records(5000)])
  const table = read(file)
  expect(table.size).toBe(5000)
  for (let i = 0; i < 5000; i++) expect(table.get(key(i * 512))).toBe(digestFor(i))
  expect(table.get(key(5000 * 512))).toBeUndefined()
})

test('offset, size and spill all count, up to the largest there is', () => {
  const places = [0, 512, 2 ** 31, 2 ** 32, 2 ** 32 + 512, 2 ** 52].flatMap((offset) =>
    [1, 2 ** 31, 2 ** 32 + 1].flatMap((length) => [key(offset, length), key(offset, length, true)]),
  )
  const batch = new SumsBatch(format, places.length)
  for (const [i, place] of places.entries()) batch.add(place, digestFor(i))
  const table = read(Buffer.from(batch.take()))
  expect(places.map((place) => table.get(place))).toEqual(places.map((_, i) => digestFor(i)))
})

test('the top bit of an offset says that it is one in the spill', () => {
  expect(key(0x1234, 5, true).toString('hex')).toBe('34120000000000800500000000000000')
})

test('a file is told by device, inode number, change time and size, all 64 bits of them', () => {
  const base = { device: 2n ** 63n + 1n, number: 2n ** 64n - 1n, changed: 1_700_000_000_123_456_789n, size: 7 }
  const keys = [
    base,
    { ...base, device: 1n },
    { ...base, number: 1n },
    { ...base, changed: base.changed + 1n },
    { ...base, changed: -1n },
    { ...base, size: 8 },
  ].map((identity) => fileKey(Buffer.alloc(32), identity))
  expect(new Set(keys.map((one) => one.toString('hex'))).size).toBe(keys.length)
})

test('a file that ends anywhere gives what is whole, and takes more', () => {
  const whole = records(4)
  const more = new SumsBatch(format, 1)
  more.add(key(99 * 512), digestFor(99))
  const next = Buffer.from(more.take())
  for (let end = 0; end <= whole.length; end++) {
    const table = read(Buffer.concat([whole.subarray(0, end), next]))
    const complete = Math.floor(end / size)
    expect(table.size).toBe(complete + 1)
    for (let i = 0; i < complete; i++) expect(table.get(key(i * 512))).toBe(digestFor(i))
    expect(table.get(key(99 * 512))).toBe(digestFor(99))
  }
})

test('a byte that was turned over costs one record, and no key gets another digest', () => {
  const whole = records(3)
  for (let at = 0; at < whole.length; at++) {
    const file = Buffer.from(whole)
    file[at] = file[at]! ^ 0x10
    const table = read(file)
    expect(table.size).toBe(2)
    for (let i = 0; i < 3; i++) {
      expect(table.get(key(i * 512))).toBe(i === Math.floor(at / size) ? undefined : digestFor(i))
    }
  }
})

test('records are believed only about the layer they were written for', () => {
  expect(read(records(10), contentFormat(digestOf(Buffer.from('another layer')))).size).toBe(0)
  expect(read(records(10), fileFormat).size).toBe(0)
  expect(read(records(10), { ...format, mark: 'PLC2' }).size).toBe(0)
})

test('whole records are found behind anything, also where chunks of the file end', () => {
  const one = records(1)
  const debris = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.constantFrom('PLC1', 'PLC', 'PLC1PLC1', 'P').map((text) => Buffer.from(text)),
    fc.nat({ max: size - 1 }).map((end) => one.subarray(0, end)),
    fc.integer({ min: 2 ** 20 - 300, max: 2 ** 20 + 300 }).map((length) => Buffer.alloc(length, 'P')),
  )
  fc.assert(
    fc.property(fc.array(debris, { maxLength: 8 }), (parts) => {
      const all = records(parts.length)
      const file = parts.flatMap((part, i) => [part, all.subarray(i * size, (i + 1) * size)])
      const table = read(Buffer.concat(file))
      for (let i = 0; i < parts.length; i++) expect(table.get(key(i * 512))).toBe(digestFor(i))
      expect(table.size).toBe(parts.length)
    }),
    { numRuns: 200 },
  )
})

test('a file that is larger than any can be is not read', () => {
  const bytes = { size: 2 ** 40, read: () => expect.fail('read'), close() {} }
  expect(readSums(bytes, format).size).toBe(0)
})

test('a table grows with its entries, and a key that comes again gets the later digest', () => {
  const table = new DigestTable(16)
  const entry = Buffer.alloc(48)
  const put = (i: number, digest: string) => {
    contentKey(entry, { offset: i * 512 }, 100)
    entry.write(digest, 16, 'hex')
    table.set(entry)
  }
  const hex = (text: string) => createHash('sha256').update(text).digest('hex')
  for (let i = 0; i < 100_000; i++) put(i, hex(`${i}`))
  for (let i = 0; i < 100_000; i += 7) put(i, hex(`again ${i}`))
  expect(table.size).toBe(100_000)
  for (let i = 0; i < 100_000; i += 11) {
    expect(table.get(key(i * 512, 100))).toBe(`sha256:${hex(i % 7 === 0 ? `again ${i}` : `${i}`)}`)
  }
  expect(table.get(key(100_000 * 512, 100))).toBeUndefined()
})
