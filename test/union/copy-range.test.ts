import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesOf } from '../../src/model/bytes.ts'
import { codeOf, PlyError } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { copyRange } from '../../src/union/copy-range.ts'
import { memoryUpper } from '../../src/union/memory-upper.ts'
import type { WritableBytes } from '../../src/union/upper.ts'
import { file, ino, make } from './make.ts'
import { caught, contentOf } from './upper-contract.ts'

const seed = Number(process.env.PLYFS_SEED ?? Date.now() % 2 ** 31)
const page = 1 << 16

function fresh(content = ''): WritableBytes {
  const upper = memoryUpper()
  const writer = upper.writer(upper.create(upper.root.ino, 'a', file))
  writer.write(bytesOf(content), 0)
  return writer
}

test('a range is copied as far as the source goes, and the target grows', () => {
  const to = fresh('0123456789')
  expect(copyRange(memoryBytes(bytesOf('abcdef')), 1, to, 8, 3)).toBe(3)
  expect(copyRange(memoryBytes(bytesOf('abcdef')), 4, to, 0, 100)).toBe(2)
  expect(copyRange(memoryBytes(bytesOf('abcdef')), 6, to, 0, 100)).toBe(0)
  expect(copyRange(memoryBytes(bytesOf('abcdef')), 0, to, 0, 0)).toBe(0)
  expect(contentOf(to)).toBe('ef234567bcd')
})

test('ranges of one file may not overlap, through whatever handles', () => {
  const tree = make({ a: '0123456789' })
  const reader = tree.open(ino(tree, 'a'))
  const writer = tree.writer(ino(tree, 'a'))
  for (const from of [reader, writer]) {
    expect(codeOf(caught(() => copyRange(from, 0, writer, 4, 5)))).toBe('EINVAL')
    expect(codeOf(caught(() => copyRange(from, 4, writer, 0, 5)))).toBe('EINVAL')
    expect(copyRange(from, 0, writer, 5, 5)).toBe(5)
  }
  // What lies behind the end does not count: five bytes are copied.
  expect(copyRange(reader, 5, writer, 10, 100)).toBe(5)
  expect(codeOf(caught(() => copyRange(reader, -1, writer, 0, 1)))).toBe('EINVAL')
  expect(codeOf(caught(() => copyRange(reader, 0, writer, 2 ** 53 - 2, 5)))).toBe('EFBIG')
  expect(contentOf(reader)).toBe('012340123401234')
  writer.close()
})

test('holes stay holes, in a new file and over what was there', () => {
  const from = fresh()
  from.write(bytesOf('x'), 10 * page)
  from.write(bytesOf('y'), 20 * page + 5)
  from.truncate(30 * page)
  const to = fresh('z'.repeat(15 * page))
  expect(copyRange(from, 0, to, 0, 30 * page)).toBe(30 * page)
  expect(to.size).toBe(30 * page)
  expect(to.nextData?.(0)?.start).toBe(10 * page)
  expect(to.nextData?.(11 * page)?.start).toBe(20 * page)
  expect(to.nextData?.(21 * page)).toBeUndefined()
  expect(contentOf(to) === contentOf(from)).toBe(true)
})

test('a target that cannot punch holes gets zeros', () => {
  const from = fresh()
  from.truncate(300_000)
  const to = fresh('z'.repeat(400_000))
  to.allocate = () => {
    throw new PlyError('EOPNOTSUPP', { syscall: 'fallocate' })
  }
  copyRange(from, 0, to, 50_000, 300_000)
  expect(contentOf(to) === `${'z'.repeat(50_000)}${'\0'.repeat(300_000)}${'z'.repeat(50_000)}`).toBe(true)
})

test('what the target copies inside the kernel is not read, and the rest is', () => {
  const to = fresh()
  const calls: number[][] = []
  to.copyFrom = (from, fromPosition, position, length) => {
    calls.push([fromPosition, position, length])
    if (calls.length > 2) return 0
    const part = Buffer.alloc(2)
    from.read(part, fromPosition)
    return to.write(part, position)
  }
  expect(copyRange(memoryBytes(bytesOf('abcdefgh')), 1, to, 0, 6)).toBe(6)
  expect(calls).toEqual([
    [1, 0, 6],
    [3, 2, 4],
    [5, 4, 2],
  ])
  expect(contentOf(to)).toBe('bcdefg')
})

test('through a union it counts as a write', () => {
  const tree = make({ a: { content: 'abc', mtime: 5n }, b: { content: 'xyz', mtime: 5n, mode: 0o4755 } })
  const from = tree.open(ino(tree, 'a'))
  const to = tree.writer(ino(tree, 'b'), { killSetId: true })
  copyRange(from, 0, to, 1, 3)
  expect(tree.stat(ino(tree, 'b'))).toMatchObject({ size: 4, mode: 0o755 })
  expect(tree.stat(ino(tree, 'b')).mtime).toBeGreaterThanOrEqual(1000n)
  expect(contentOf(to)).toBe('xabc')
  from.close()
})

test(`any ranges come out as in a plain buffer (seed ${seed})`, () => {
  const step = fc.record({
    do: fc.constantFrom('write', 'punch', 'copy', 'truncate'),
    at: fc.nat(6 * page),
    to: fc.nat(6 * page),
    length: fc.integer({ min: 1, max: 3 * page }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const writer = fresh()
      let plain = Buffer.alloc(0)
      const grown = (size: number) =>
        size > plain.length ? Buffer.concat([plain, Buffer.alloc(size - plain.length)]) : plain
      for (const [i, { do: what, at, to, length }] of steps.entries()) {
        const fill = 97 + (i % 26)
        if (what === 'write') {
          writer.write(Buffer.alloc(length, fill), at)
          plain = grown(at + length).fill(fill, at, at + length)
        } else if (what === 'punch') {
          writer.allocate('punch', at, length)
          plain.fill(0, Math.min(at, plain.length), Math.min(at + length, plain.length))
        } else if (what === 'truncate') {
          writer.truncate(at)
          plain = Buffer.from(grown(at).subarray(0, at))
        } else {
          const count = Math.max(0, Math.min(length, plain.length - at))
          const overlaps = at < to + count && to < at + count
          const got = caught(() => expect(copyRange(writer, at, writer, to, length)).toBe(count))
          expect(codeOf(got)).toBe(count > 0 && overlaps ? 'EINVAL' : undefined)
          if (got === undefined && count > 0) {
            const part = Buffer.from(plain.subarray(at, at + count))
            plain = grown(to + count)
            part.copy(plain, to)
          }
        }
        expect(writer.size).toBe(plain.length)
      }
      const whole = Buffer.alloc(writer.size)
      expect(writer.read(whole, 0)).toBe(plain.length)
      expect(whole.equals(plain)).toBe(true)
    }),
    { seed, numRuns: 60 },
  )
})
