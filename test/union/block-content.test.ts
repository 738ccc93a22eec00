import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Bytes, memoryBytes } from '../../src/stream/bytes.ts'
import { BlockContent } from '../../src/union/block-content.ts'
import { BlockMap } from '../../src/union/block-map.ts'
import { LosingBytes } from './losing-bytes.ts'

const sector = 512
const lowerSize = 20_000

/** Every byte says where it is, and that it is from below. */
const lowerBytes = Buffer.from(Array.from({ length: lowerSize }, (_, at) => 1 + ((at * 7) % 100)))

const at = fc.nat(30_000)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ does: fc.constant('write' as const), at, length: fc.integer({ min: 1, max: 9000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('write' as const),
      at: fc.nat(7).map((n) => n * 4096),
      length: fc.constantFrom(4096, 8192),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('truncate' as const), size: at }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constantFrom('punch' as const, 'zero' as const, 'reserve' as const, 'extend' as const),
      at,
      length: fc.integer({ min: 1, max: 12_000 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('sync' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constantFrom('kill' as const, 'lose power' as const), seed: fc.nat() }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** Two files on a disk, and the content that they make with what is below. */
class Disk {
  readonly map = new LosingBytes()
  readonly data = new LosingBytes()
  content: BlockContent
  #boot = Buffer.alloc(16, 1)
  readonly #below: Bytes = memoryBytes(lowerBytes)

  constructor(blockSize: number) {
    this.content = new BlockContent(this.#below, BlockMap.make(this.map, this.#boot, lowerSize, blockSize), this.data)
  }

  /** As the next process finds it. */
  reopen(): void {
    const map = BlockMap.open(this.map, this.#boot)
    if (this.data.size > map.size) this.data.truncate(map.size)
    this.content = new BlockContent(this.#below, map, this.data)
  }

  losePower(seed: number): void {
    let state = seed
    const choose = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return (state >>> 8) % below
    }
    this.map.losePower(choose)
    this.data.losePower(choose)
    this.#boot = Buffer.alloc(16, (this.#boot[0]! % 250) + 1)
    this.reopen()
  }
}

function whole(content: BlockContent): Buffer {
  const all = Buffer.alloc(content.size, 0xee)
  expect(content.read(all, 0)).toBe(all.length)
  return all
}

function resized(model: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size)
  model.copy(next)
  return next
}

/** What a step makes of a plain file. */
function plainly(model: Buffer, each: Step, fill: number): Buffer {
  switch (each.does) {
    case 'write':
      return resized(model, Math.max(model.length, each.at + each.length)).fill(fill, each.at, each.at + each.length)
    case 'truncate':
      return resized(model, each.size)
    case 'extend':
      return resized(model, Math.max(model.length, each.at + each.length))
    case 'punch':
    case 'zero':
      return each.at < model.length
        ? Buffer.from(model).fill(0, each.at, Math.min(model.length, each.at + each.length))
        : model
    default:
      return model
  }
}

/** Each sector is as it was at some moment since the last `sync`, and so is the size. */
function checkLost(found: Buffer, versions: readonly Buffer[]): void {
  expect(versions.map(({ length }) => length)).toContain(found.length)
  for (let start = 0; start < found.length; start += sector) {
    const part = found.subarray(start, start + sector)
    const end = start + part.length
    const known = versions.some((each) => each.length >= end && each.subarray(start, end).equals(part))
    if (!known)
      throw new Error(`the sector at ${start} is none that it ever was: ${part.subarray(0, 16).toString('hex')}`)
  }
}

function run(steps: readonly Step[], blockSize: number): void {
  const disk = new Disk(blockSize)
  let model: Buffer = Buffer.from(lowerBytes)
  let versions: Buffer[] = [model]
  let fill = 101
  for (const each of steps) {
    const { content } = disk
    switch (each.does) {
      case 'write':
        expect(content.write(Buffer.alloc(each.length, fill), each.at)).toBe(each.length)
        break
      case 'truncate':
        content.truncate(each.size)
        break
      case 'sync':
        content.sync()
        versions = []
        break
      case 'kill':
        disk.reopen()
        break
      case 'lose power': {
        disk.losePower(each.seed)
        const found = whole(disk.content)
        checkLost(found, versions)
        model = found
        // What is there now has been read, but nobody has said that it lasts.
        disk.content.sync()
        versions = []
        break
      }
      default:
        content.allocate(each.does, each.at, each.length)
    }
    model = plainly(model, each, fill)
    versions.push(model)
    fill = fill === 250 ? 101 : fill + 1
    expect(disk.content.size).toBe(model.length)
    expect(whole(disk.content).equals(model), `after ${JSON.stringify(each)}`).toBe(true)
    checkHoles(disk.content, model)
  }
}

/** What is said to be a hole reads as zeros. */
function checkHoles(content: BlockContent, model: Buffer): void {
  let end = 0
  for (let run = content.nextData(0); run; run = content.nextData(run.end)) {
    expect(run.start).toBeGreaterThanOrEqual(end)
    expect(run.end).toBeGreaterThan(run.start)
    expect(model.subarray(end, run.start).every((byte) => byte === 0)).toBe(true)
    end = run.end
  }
  expect(model.subarray(end).every((byte) => byte === 0)).toBe(true)
}

for (const blockSize of [512, 4096]) {
  test(`content in blocks of ${blockSize} is a plain file, whoever is killed; a loss of power leaves each sector old or new`, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => run(steps, blockSize)),
      { numRuns: 200 },
    )
  })
}

test('a write of whole blocks reads nothing from below, and one inside a block only that block', () => {
  const read: [number, number][] = []
  const below: Bytes = {
    size: 1 << 20,
    read(into, position) {
      read.push([position, into.length])
      into.fill(7)
      return into.length
    },
    close() {},
  }
  const map = BlockMap.make(new LosingBytes(), Buffer.alloc(16), below.size)
  const content = new BlockContent(below, map, new LosingBytes())
  content.write(Buffer.alloc(8192, 1), 4096)
  expect(read).toEqual([])
  content.write(Buffer.alloc(10, 2), 65_536 + 100)
  expect(read.every(([position, length]) => position >= 65_536 && position + length <= 65_536 + 4096)).toBe(true)
  read.length = 0
  content.write(Buffer.alloc(10, 3), 65_536 + 300)
  expect(read).toEqual([])
})

test('a map that is damaged is EIO, and so is content below that has become shorter', () => {
  const file = new LosingBytes()
  const map = BlockMap.make(file, Buffer.alloc(16), 10_000)
  expect(() => new BlockContent(memoryBytes(Buffer.alloc(9_999)), map, new LosingBytes())).toThrow(/EIO/)
  file.write(Buffer.from([1]), 512 + 30)
  expect(() => BlockMap.open(file, Buffer.alloc(16))).toThrow(/EIO/)
})
