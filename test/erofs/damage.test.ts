import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Index, IndexBuilder } from '../../src/erofs/index.ts'
import { bytesOf } from '../../src/model/bytes.ts'
import { codeOf } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { everyKind } from './every-kind.ts'
import { reopened, seed, written } from './support.ts'

async function sample(): Promise<Buffer> {
  const { builder, tarSize } = everyKind()
  builder.externalLink({ directory: builder.root, name: 'linked', path: 'a/b' })
  return written(builder, {
    devices: [{ diffId: seed, size: tarSize }],
    tarPages: new Uint32Array(Math.ceil(tarSize / 65536)),
  })
}

/** Reads everything there is; a directory is entered once at most, however the file lies. Answers the number of names. */
function readAll(bytes: Buffer): number {
  const index = Index.open(memoryBytes(bytes))
  let names = 0
  index.externalLinks()
  index.tarPages()
  const waiting = [index.root]
  for (let ino = waiting.pop(); ino !== undefined; ino = waiting.pop()) {
    const { kind } = index.stat(ino)
    index.xattrs(ino)
    index.facts(ino)
    if (kind === 'symlink') index.readlink(ino)
    if (kind === 'file') index.extent(ino)
    if (kind !== 'directory') continue
    index.parent(ino)
    for (const entry of index.list(ino)) {
      names++
      index.lookup(ino, entry.name)
      waiting.push(entry.ino)
    }
  }
  return names
}

/** Makes all checksums right again, as somebody who wants to deceive would. */
function resum(bytes: Buffer): void {
  const pages = Number(bytes.readBigUInt64LE(bytes.length - 64 + 48))
  if (!(pages > 0 && pages + 64 < bytes.length)) return
  for (let at = 0, sum = pages; at < pages && sum + 4 <= bytes.length - 64; at += 65536, sum += 4) {
    bytes.writeUInt32LE(crc32(bytes.subarray(at, Math.min(at + 65536, pages))), sum)
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(pages, bytes.length - 64)), bytes.length - 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(bytes.length - 64, bytes.length - 4)), bytes.length - 4)
}

test('any flipped bit is noticed when its page is touched', async () => {
  const good = await sample()
  const names = readAll(good)
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(7), (at, bit) => {
      const bytes = Buffer.from(good)
      bytes[at]! ^= 1 << bit
      expect(() => readAll(bytes)).toThrow(expect.objectContaining({ code: 'PLY_BAD_INDEX' }))
    }),
    { numRuns: 150 },
  )
  expect(readAll(good)).toBe(names)
})

test('a file that was made to deceive, all checksums right, is read or refused, never worse', async () => {
  const good = await sample()
  const names = readAll(good)
  const change = fc.record({
    at: fc.oneof(fc.nat(good.length - 1), fc.integer({ min: 1536, max: 40_000 }), fc.integer({ min: 1024, max: 1600 })),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.constantFrom(...[0, 1, 48, 255].map((b) => Uint8Array.of(b))),
    ),
  })
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
      const bytes = Buffer.from(good)
      for (const one of changes) bytes.set(one.bytes.subarray(0, bytes.length - one.at), one.at)
      resum(bytes)
      try {
        expect(readAll(bytes)).toBeLessThan(names * 20)
      } catch (error) {
        if (codeOf(error) !== 'PLY_BAD_INDEX') throw error
      }
    }),
    { numRuns: 400 },
  )
})

test('a directory that leads back to one above it is refused', async () => {
  const good = await sample()
  const index = Index.open(memoryBytes(good))
  const deep = index.lookup(index.root, 'deep')!
  const level = index.lookup(deep, 'level 0')!
  const place = good.indexOf(Buffer.concat([u64(level)]), deep * 32)
  for (const nid of [index.root, deep, index.lookup(index.root, 'xattrs')!]) {
    const bytes = Buffer.from(good)
    bytes.writeUInt32LE(nid, place)
    resum(bytes)
    expect(() => readAll(bytes)).toThrow(expect.objectContaining({ code: 'PLY_BAD_INDEX' }))
  }
})

test('a directory that is listed twice is refused, and so is a root that stands in another directory', async () => {
  const { builder, tarSize } = everyKind()
  const devices = { devices: [{ diffId: seed, size: tarSize }] }
  const index = await reopened(builder, devices)
  const filled = index.lookup(index.root, 'filled')!
  const first = index.lookup(filled, 'with 0')!
  const second = index.lookup(filled, 'with 1')!
  const twice = await written(builder, devices)
  // The entries of the two stand one after the other, 12 bytes each.
  let place = twice.indexOf(u64(second))
  while (twice.readUInt32LE(place - 12) !== first) place = twice.indexOf(u64(second), place + 1)
  twice.writeUInt32LE(first, place)
  resum(twice)
  expect(() => readAll(twice)).toThrow(expect.objectContaining({ code: 'PLY_BAD_INDEX' }))

  const lost = await written(new IndexBuilder(), devices)
  const root = Index.open(memoryBytes(lost)).root
  // The root's own entries: `.` and `..`, of twelve bytes each, behind its inode.
  lost.writeUInt32LE(root - 1, root * 32 + 64 + 12)
  resum(lost)
  expect(() => Index.open(memoryBytes(lost))).toThrow(/not its own parent/)
})

test('a file cut off anywhere is refused', async () => {
  const good = await sample()
  for (const length of [0, 1, 63, 64, 1024, 1536, 4096, good.length - 65536, good.length - 64, good.length - 1]) {
    expect(() => readAll(good.subarray(0, length))).toThrow(expect.objectContaining({ code: 'PLY_BAD_INDEX' }))
  }
  expect(() => readAll(Buffer.concat([good, bytesOf('x')]))).toThrow(expect.objectContaining({ code: 'PLY_BAD_INDEX' }))
})

test('a number that is no inode is refused', async () => {
  const index = Index.open(memoryBytes(await sample()))
  for (const ino of [0, 1, -1, 1.5, Number.NaN, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
    expect(() => index.stat(ino)).toThrow(expect.objectContaining({ code: 'PLY_BAD_INDEX' }))
    expect(() => index.facts(ino)).toThrow(expect.objectContaining({ code: 'PLY_BAD_INDEX' }))
  }
})

test('a version that is not ours is refused with a sentence that says which', async () => {
  const bytes = await sample()
  bytes.writeUInt32LE(2, bytes.length - 64 + 8)
  resum(bytes)
  expect(() => Index.open(memoryBytes(bytes), { what: 'layer x' })).toThrow(/layer x is damaged: it has version 2/)
})

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(value)
  return bytes
}
