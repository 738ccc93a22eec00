import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { digestOf } from '../../src/model/digest.ts'
import { abortable, untilAborted } from '../../src/stream/abort.ts'
import type { ByteStream } from '../../src/stream/bytes.ts'
import { collect, limited } from '../../src/stream/collect.ts'
import { compressed, decompressed } from '../../src/stream/compression.ts'
import { counted, drain, Tally, tee } from '../../src/stream/hash.ts'
import { verified } from '../../src/stream/verify.ts'
import { libzstd } from '../../src/sys/libzstd.ts'
import { bytesIn, inChunks } from '../support/collect.ts'
import { prompt } from '../support/prompt.ts'
import { bomb } from './zstd-writing.ts'

const content = Buffer.from('some content that is a little longer than a chunk')
const digest = digestOf(content)

test('verified bytes are handed on unchanged', async () => {
  const bytes = await bytesIn(verified(inChunks(content, 7), { digest, size: content.length }))
  expect(bytes.equals(content)).toBe(true)
  expect((await bytesIn(verified(inChunks(content, 7), {}))).equals(content)).toBe(true)
})

test('Z-05: bytes that hash to another digest fail at their end', async () => {
  let seen = 0
  const reading = (async () => {
    for await (const chunk of verified(inChunks(content, 7), { digest: digestOf(Buffer.from('x')), what: 'the blob' }))
      seen += chunk.length
  })()
  await expect(reading).rejects.toMatchObject({
    code: 'PLY_DIGEST_MISMATCH',
    details: { actual: digest, what: 'the blob' },
  })
  expect(seen).toBe(content.length)
})

test('Z-04: bytes beyond the announced size fail at once, too few fail at the end', async () => {
  let asked = 0
  async function* endless() {
    for (;;) {
      asked++
      yield Buffer.alloc(10)
    }
  }
  await expect(bytesIn(verified(endless(), { size: 25 }))).rejects.toMatchObject({ code: 'PLY_SIZE_MISMATCH' })
  expect(asked).toBe(3)
  await expect(bytesIn(verified(inChunks(content), { size: 1000 }))).rejects.toMatchObject({
    code: 'PLY_SIZE_MISMATCH',
  })
})

test('collecting stops at the limit and not before', async () => {
  expect((await collect(inChunks(content, 7), content.length)).equals(content)).toBe(true)
  await expect(collect(inChunks(content, 7), content.length - 1, { what: 'the manifest' })).rejects.toMatchObject({
    code: 'PLY_TOO_LARGE',
    details: { what: 'the manifest', limit: content.length - 1 },
  })
  await expect(bytesIn(limited(inChunks(content, 7), 0))).rejects.toMatchObject({ code: 'PLY_TOO_LARGE' })
})

test('a tally sees every byte that is teed past it', async () => {
  const tally = new Tally()
  const totals: number[] = []
  const bytes = await bytesIn(counted(tee(inChunks(content, 20), tally), (total) => totals.push(total)))
  expect(bytes.equals(content)).toBe(true)
  expect(tally.size).toBe(content.length)
  expect(tally.digest()).toBe(digest)
  expect(tally.digest()).toBe(digest)
  expect(totals).toEqual([20, 40, 49])
})

test('a slow sink is waited for', async () => {
  const order: string[] = []
  async function* source() {
    for (let i = 0; i < 3; i++) {
      order.push(`made ${i}`)
      yield Buffer.from([i])
    }
  }
  const sink = {
    async write(chunk: Uint8Array) {
      await sleep(2)
      order.push(`written ${chunk[0]}`)
    },
  }
  await drain(source(), sink)
  expect(order).toEqual(['made 0', 'written 0', 'made 1', 'written 1', 'made 2', 'written 2'])
})

const never = new Promise<never>(() => {})
async function* hanging(first: Uint8Array = content): ByteStream {
  yield first
  await never
}

test('a read that hangs ends within 100 ms of the abort', async () => {
  const members = { plain: content, gzip: gzipSync(content), zstd: bomb(3).subarray(0, 9) }
  const streams: Record<string, (signal: AbortSignal) => ByteStream> = {
    abortable: (signal) => abortable(hanging(), signal),
    'decompressed, plain': (signal) => decompressed(hanging(members.plain), { signal }).stream,
    'decompressed, gzip': (signal) => decompressed(hanging(members.gzip), { signal }).stream,
    'decompressed, zstd by libzstd': (signal) =>
      decompressed(hanging(members.zstd), { signal, zstd: [libzstd] }).stream,
    'decompressed, zstd': (signal) => decompressed(hanging(members.zstd), { signal }).stream,
    compressed: (signal) => compressed(hanging(), 'gzip', { signal }),
  }
  for (const [name, make] of Object.entries(streams)) {
    const controller = new AbortController()
    const reading = bytesIn(make(controller.signal))
    await sleep(20)
    const start = performance.now()
    controller.abort(new Error('enough'))
    await expect(reading, name).rejects.toMatchObject({ code: 'PLY_ABORTED', cause: { message: 'enough' } })
    expect(performance.now() - start, name).toBeLessThan(prompt)
  }
})

test('an abort in the middle of much work ends it within 100 ms and closes the source', async () => {
  const member = gzipSync(Buffer.alloc(64 << 20))
  const much = { gzip: Buffer.concat(Array(16).fill(member)), zstd: bomb(50_000) }
  for (const [name, input] of Object.entries(much)) {
    let closed = false
    async function* source() {
      try {
        yield* inChunks(input, 1 << 16)
      } finally {
        closed = true
      }
    }
    const controller = new AbortController()
    const reading = bytesDropped(decompressed(source(), { signal: controller.signal, zstd: [libzstd] }).stream)
    await sleep(15)
    const start = performance.now()
    controller.abort()
    await expect(reading, name).rejects.toMatchObject({ code: 'PLY_ABORTED' })
    expect(performance.now() - start, name).toBeLessThan(prompt)
    for (let i = 0; i < 50 && !closed; i++) await sleep(10)
    expect(closed, name).toBe(true)
  }
})

test('a signal that has fired already stops a stream before it starts', async () => {
  let started = false
  async function* source() {
    started = true
    yield content
  }
  await expect(bytesIn(abortable(source(), AbortSignal.abort()))).rejects.toMatchObject({ code: 'PLY_ABORTED' })
  expect(started).toBe(false)
})

test('work that is not waited for any more fails without being noticed', async () => {
  const controller = new AbortController()
  const work = sleep(10).then(() => {
    throw new Error('too late')
  })
  const waiting = untilAborted(work, controller.signal)
  controller.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'PLY_ABORTED' })
  await sleep(20)
})

test('asking for the compression first does not lose a byte, and failing to answer it ends nobody', async () => {
  const { compression, stream } = decompressed(inChunks(gzipSync(content), 3))
  expect(await compression).toBe('gzip')
  expect((await bytesIn(stream)).equals(content)).toBe(true)
  async function* broken(): ByteStream {
    yield content.subarray(0, 1)
    throw new RangeError('gone')
  }
  const failing = decompressed(broken())
  const { compression: unanswered } = failing
  await expect(bytesIn(failing.stream)).rejects.toThrow(RangeError)
  await expect(unanswered).rejects.toThrow(RangeError)
})

test('a slow reader stops the source', async () => {
  let made = 0
  async function* source() {
    const piece = gzipSync(Buffer.alloc(1 << 20, 'x'))
    for (let i = 0; i < 200; i++) {
      made++
      yield piece
    }
  }
  const iterator = decompressed(source()).stream[Symbol.asyncIterator]()
  await iterator.next()
  await sleep(100)
  expect(made).toBeLessThan(5)
  await iterator.return?.()
})

async function bytesDropped(stream: ByteStream): Promise<number> {
  let size = 0
  for await (const chunk of stream) size += chunk.length
  return size
}
