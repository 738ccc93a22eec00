import { describe, expect, test } from 'vitest'
import { type Device, IndexBuilder, type SpillSegments } from '../../src/erofs/index.ts'
import { Index } from '../../src/erofs/reader.ts'
import { deviceTableAt, encodeSuperblock, superblockAt } from '../../src/erofs/superblock.ts'
import { digestOf } from '../../src/model/digest.ts'
import { codeOf } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { plain, reopened, seed, written } from './support.ts'

const tar = { diffId: seed, size: 100_000 }
const spill = { diffId: seed, size: 1 << 20, spill: true } as const
const tarPages = new Uint32Array(2)

function segments(...rows: readonly (readonly [spill: number, tar: number, length: number])[]): SpillSegments {
  return {
    count: rows.length,
    spill: Float64Array.from(rows, (row) => row[0]),
    tar: Float64Array.from(rows, (row) => row[1]),
    length: Float64Array.from(rows, (row) => row[2]),
  }
}

const withFile = () => {
  const builder = new IndexBuilder()
  builder.enter(
    builder.root,
    'f',
    builder.inode({ ...plain, kind: 'file', size: 9000, extent: { device: 1, offset: 4096 } }),
  )
  return builder
}

describe('the spill in an index', () => {
  test('is one more device, and its segments are what was written', async () => {
    const rows = segments([5000, 512, 100], [6000, 612, 50_000], [2 ** 19, 60_000, 1])
    const index = await reopened(withFile(), { devices: [tar, spill], tarPages, segments: rows })
    expect(index.devices).toEqual([tar, spill])
    expect(index.extent(index.lookup(index.root, 'f')!)).toEqual({ device: 1, offset: 4096 })
    expect(index.tarPages()).toEqual(tarPages)
    const table = index.spillSegments()!
    expect([table.count, table.size]).toEqual([3, spill.size])
    const after = (position: number) => {
      const row = table.after(position)
      if (row === table.count) return undefined
      table.load(row)
      return [table.start, table.stored, table.length]
    }
    expect(after(0)).toEqual([5000, 512, 100])
    expect(after(5099)).toEqual([5000, 512, 100])
    expect(after(5100)).toEqual([6000, 612, 50_000])
    expect(after(2 ** 19)).toEqual([2 ** 19, 60_000, 1])
    expect(after(2 ** 19 + 1)).toBeUndefined()
    // Back and forth: the row found last is only where the search begins.
    expect(after(0)).toEqual([5000, 512, 100])
    expect(after(6000)).toEqual([6000, 612, 50_000])
  })

  test('is found among many segments, whatever was asked before', async () => {
    const count = 10_000
    const rows = segments(...Array.from({ length: count }, (_, i) => [i * 100, 512 + i * 5, 5] as const))
    const index = await reopened(withFile(), { devices: [tar, spill], tarPages, segments: rows })
    const table = index.spillSegments()!
    for (let i = 0, position = 1; i < 5000; i++, position = (position * 7919) % 1_000_000) {
      const row = Math.floor(position / 100) + (position % 100 >= 5 ? 1 : 0)
      expect(table.after(position)).toBe(row)
    }
  })

  test('has no place in the address space that tars share, however large it is', () => {
    const huge = { ...spill, size: 2 ** 40 }
    const head = encodeSuperblock({
      rootNid: 48,
      inodes: 1,
      blocks: 8,
      uuid: Buffer.alloc(16),
      devices: [tar, huge, tar],
    })
    const slot = (number: number) => head.subarray(deviceTableAt + 128 * number, deviceTableAt + 128 * (number + 1))
    expect([0, 1, 2].map((number) => slot(number).readUInt32LE(68))).toEqual([8, 0, 8 + 196])
    expect([0, 1, 2].map((number) => slot(number).readUInt32LE(64))).toEqual([196, 2 ** 31, 196])
    expect(slot(1).toString('latin1', 32, 40)).toBe('spill\0\0\0')
    expect(
      slot(0)
        .subarray(32, 64)
        .every((byte) => byte === 0),
    ).toBe(true)
    const beyond = { ...spill, size: 2 ** 41 }
    const encode = () =>
      encodeSuperblock({ rootNid: 48, inodes: 1, blocks: 8, uuid: Buffer.alloc(16), devices: [tar, beyond] })
    expect(encode).toThrow(expect.objectContaining({ code: 'PLY_UNREPRESENTABLE' }))
  })

  test('is not there where a layer has none, and a folded tree has only the device', async () => {
    const none = await reopened(new IndexBuilder(), { devices: [tar], tarPages })
    expect(none.spillSegments()).toBeUndefined()
    const folded = await reopened(withFile(), { devices: [tar, spill] })
    expect(folded.spillSegments()).toBeUndefined()
    expect(folded.tarPages()).toBeUndefined()
  })

  test.each<[string, SpillSegments]>([
    ['out of order', segments([5000, 512, 100], [4000, 612, 100])],
    ['overlapping', segments([5000, 512, 100], [5099, 612, 100])],
    ['empty', segments([5000, 512, 0])],
    ['beyond the spill', segments([2 ** 20 - 10, 512, 11])],
    ['beyond the tar', segments([5000, 99_999, 2])],
    ['beyond all numbers', segments([5000, 2 ** 60, 2])],
  ])('with a segment that is %s fails when that is loaded', async (_, rows) => {
    const table = (await reopened(withFile(), { devices: [tar, spill], tarPages, segments: rows })).spillSegments()!
    expect(() => {
      for (let row = 0; row < table.count; row++) table.load(row)
    }).toThrow(expect.objectContaining({ code: 'PLY_BAD_INDEX' }))
  })

  test('that does not fit its devices is refused', async () => {
    const rows = segments([5000, 512, 100])
    const other = { ...spill, diffId: digestOf(Buffer.from('other')) }
    const wrong: readonly (readonly Device[])[] = [[tar], [tar, tar], [tar, other], [tar, spill, spill]]
    for (const devices of wrong) {
      const index = await reopened(new IndexBuilder(), { devices, tarPages, segments: rows })
      expect(() => index.spillSegments()).toThrow(expect.objectContaining({ code: 'PLY_BAD_INDEX' }))
    }
    const missing = await reopened(withFile(), { devices: [tar, spill], tarPages })
    expect(() => missing.spillSegments()).toThrow(expect.objectContaining({ code: 'PLY_BAD_INDEX' }))
  })

  test('of a kind that nobody knows is refused, as is a tag with anything behind it', async () => {
    const bytes = await written(new IndexBuilder(), { devices: [tar], tarPages })
    const changed = (text: string) => {
      const copy = Buffer.from(bytes)
      copy.write(text, deviceTableAt + 32, 'latin1')
      try {
        Index.open(memoryBytes(copy))
        return 'opened'
      } catch (error) {
        return codeOf(error)
      }
    }
    expect(superblockAt).toBe(1024)
    for (const text of ['spilt', 'spill\0x', 'x']) expect(changed(text)).toBe('PLY_BAD_INDEX')
  })
})
