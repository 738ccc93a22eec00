import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type ImportOptions, importLayer, rebuildIndex } from '../../src/layer/import.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import type { ByteStream } from '../../src/stream/bytes.ts'
import { compressed } from '../../src/stream/compression.ts'
import { bytesIn, inChunks } from '../support/collect.ts'
import { prompt } from '../support/prompt.ts'
import { archive, member } from '../tar/raw.ts'
import { dir, file, gone, link } from './parts.ts'

const tar = archive(dir('d'), file('d/a', 'a'.repeat(100_000)), link('d/b', 'd/a'), gone('x'), file('z', 'last'))
const diffId = digestOf(tar)

class Sink {
  readonly chunks: Buffer[] = []
  write(chunk: Uint8Array): void {
    this.chunks.push(Buffer.from(chunk))
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
}

async function imported(blob: Uint8Array | ByteStream, options: ImportOptions = {}) {
  const sink = new Sink()
  const tars: Sink[] = []
  const openTar = async () => {
    const opened = new Sink()
    tars.push(opened)
    return opened
  }
  const layer = await importLayer(blob instanceof Uint8Array ? inChunks(blob) : blob, { blob: sink, openTar }, options)
  const index = new Sink()
  await layer.writeIndex(index)
  return { layer, blob: sink.bytes, tars, index: index.bytes }
}

const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error) => error,
  )

describe('importing a layer', () => {
  test('a compressed layer is written on both sides, once, and both are named', async () => {
    const blob = gzipSync(tar)
    const progress: number[] = []
    const expected = { digest: digestOf(blob), size: blob.length, diffId }
    const options = {
      expected,
      onProgress: ({ done, total }: { done: number; total?: number }) => void progress.push(done, total ?? -1),
    }
    const found = await imported(blob, options)
    expect(found.layer).toMatchObject({
      blob: { digest: digestOf(blob), size: blob.length },
      compression: 'gzip',
      diffId,
      tarSize: tar.length,
    })
    expect(found.layer.findings.report()).toEqual({
      warnings: [],
      warningCount: 0,
      warningsByRule: {},
      entries: 5,
    })
    expect(found.blob.equals(blob)).toBe(true)
    expect(found.tars).toHaveLength(1)
    expect(found.tars[0]!.bytes.equals(tar)).toBe(true)
    expect(progress.slice(-2)).toEqual([blob.length, blob.length])
  })

  test('an uncompressed layer is its own tar: nothing is written twice', async () => {
    const found = await imported(tar)
    expect(found.layer).toMatchObject({
      blob: { digest: diffId, size: tar.length },
      compression: 'none',
      diffId,
      tarSize: tar.length,
    })
    expect(found.blob.equals(tar)).toBe(true)
    expect(found.tars).toEqual([])
  })

  test('I-02, I-03: the index is the same byte for byte from either blob, any chunking, and from the tar alone', async () => {
    const { index } = await imported(tar)
    expect((await imported(gzipSync(tar))).index.equals(index)).toBe(true)
    expect((await imported(inChunks(tar, 77))).index.equals(index)).toBe(true)
    const rebuilt = await rebuildIndex(inChunks(tar, 4097), { expected: { diffId, size: tar.length } })
    const again = new Sink()
    await rebuilt.writeIndex(again)
    expect(again.bytes.equals(index)).toBe(true)
    const twice = new Sink()
    await rebuilt.writeIndex(twice)
    expect(twice.bytes.equals(index)).toBe(true)
  })

  test('Q-01: the diffID covers every decoded byte, padding and all that comes after the end marker', async () => {
    const tails = [Buffer.alloc(10_240), Buffer.alloc(700_000), Buffer.from('left over'), Buffer.alloc(700_000, 'x')]
    for (const tail of tails) {
      const whole = Buffer.concat([tar, tail])
      expect((await imported(whole)).layer).toMatchObject({ diffId: digestOf(whole), tarSize: whole.length })
      expect((await imported(gzipSync(whole))).layer).toMatchObject({ diffId: digestOf(whole), tarSize: whole.length })
      for (const size of [511, 4096]) expect((await rebuildIndex(inChunks(whole, size))).diffId).toBe(digestOf(whole))
    }
  })

  test('Z-05: what is not what was expected is refused, either side', async () => {
    const blob = gzipSync(tar)
    const other = digestOf(Buffer.from('other'))
    const refused = async (expected: ImportOptions['expected']) => (await rejection(imported(blob, { expected })))?.code
    expect(await refused({ digest: other })).toBe('PLY_DIGEST_MISMATCH')
    expect(await refused({ diffId: other })).toBe('PLY_DIGEST_MISMATCH')
    expect(await refused({ size: blob.length - 1 })).toBe('PLY_SIZE_MISMATCH')
    expect(await refused({ size: blob.length + 1 })).toBe('PLY_SIZE_MISMATCH')
    expect(await refused({ digest: digestOf(blob), size: blob.length, diffId })).toBeUndefined()
    expect(await rejection(rebuildIndex(inChunks(tar), { expected: { diffId: other } }))).toMatchObject({
      code: 'PLY_DIGEST_MISMATCH',
    })
    expect(await rejection(rebuildIndex(inChunks(tar), { expected: { size: 1 } }))).toMatchObject({
      code: 'PLY_SIZE_MISMATCH',
    })
  })

  test('Z-04: a layer cut off anywhere is refused', async () => {
    const blob = gzipSync(tar)
    for (const size of [3, 10, 100, blob.length - 9, blob.length - 1]) {
      expect(await rejection(imported(blob.subarray(0, size)))).toMatchObject({ code: 'PLY_BAD_COMPRESSION' })
    }
    const cut = await rejection(imported(tar.subarray(0, 5000)))
    expect(cut).toMatchObject({ code: 'PLY_BAD_LAYER', details: { rule: 'Z-04' } })
    const announced = await rejection(imported(tar.subarray(0, 5000), { expected: { size: tar.length } }))
    expect(announced).toMatchObject({ code: 'PLY_SIZE_MISMATCH' })
  })

  test('Z-06: no bytes at all are an empty layer', async () => {
    const { layer, tars } = await imported(new Uint8Array(0))
    expect(layer).toMatchObject({ compression: 'none', diffId: digestOf(new Uint8Array(0)), tarSize: 0 })
    expect(tars).toEqual([])
  })

  test('Z-01: a layer that other tools would decompress is refused by the name of its compression; a file of such a name is none', async () => {
    const xz = Buffer.concat([Buffer.from('fd377a585a000004', 'hex'), Buffer.alloc(3000, 7)])
    const bzip2 = Buffer.concat([Buffer.from('BZh91AY&SY'), Buffer.alloc(3000, 7)])
    expect(await rejection(imported(xz))).toMatchObject({
      code: 'PLY_BAD_LAYER',
      message: expect.stringContaining('with xz'),
    })
    expect(await rejection(imported(bzip2))).toMatchObject({
      code: 'PLY_BAD_LAYER',
      message: expect.stringContaining('with bzip2'),
    })
    expect((await imported(archive(file('BZh9', 'x')))).layer.compression).toBe('none')
  })

  test('Z-01: a media type that says something else than the bytes is a warning', async () => {
    const rules = async (mediaType: string, blob: Buffer) =>
      (await imported(blob, { mediaType })).layer.findings.report().warnings.map(({ rule }) => rule)
    expect(await rules(mediaTypes.ociLayer, tar)).toEqual([])
    expect(await rules(mediaTypes.ociLayerGzip, gzipSync(tar))).toEqual([])
    expect(await rules(mediaTypes.dockerLayerGzip, gzipSync(tar))).toEqual([])
    expect(await rules(mediaTypes.ociLayerGzip, tar)).toEqual(['Z-01'])
    expect(await rules(mediaTypes.ociLayerZstd, gzipSync(tar))).toEqual(['Z-01'])
    expect(await rules('application/x-anything', tar)).toEqual([])
  })

  test('Q-07: an encrypted layer is refused by name', async () => {
    const mediaType = `${mediaTypes.ociLayerGzip}+encrypted`
    expect(await rejection(imported(tar, { mediaType }))).toMatchObject({ code: 'PLY_UNSUPPORTED' })
  })

  test('section 17: a layer that expands too much is refused while it expands', async () => {
    async function* zeros(): ByteStream {
      const chunk = Buffer.alloc(1 << 20)
      yield member({ name: 'zeros', size: 2 ** 30 }, '')
      for (let i = 0; i < 1024; i++) yield chunk
    }
    let written = 0
    const openTar = async () => ({ write: (chunk: Uint8Array) => void (written += chunk.length) })
    const bomb = compressed(compressed(zeros(), 'gzip'), 'gzip')
    const twice = await bytesIn(bomb)
    const inner = await bytesIn(compressed(zeros(), 'gzip'))
    expect(twice.length).toBeLessThan(inner.length)
    const error = await rejection(
      importLayer(inChunks(inner), { blob: { write() {} }, openTar }, { limits: { expansion: 100 } }),
    )
    expect(error).toMatchObject({ code: 'PLY_BUDGET', details: { option: 'limits.expansion' } })
    expect(written).toBeLessThan(200 << 20)
  })

  test('the source is closed when the layer is refused, and a failing source or sink fails the import', async () => {
    let closed = false
    async function* source(): ByteStream {
      try {
        yield archive(file('../a'))
        yield tar
      } finally {
        closed = true
      }
    }
    expect(await rejection(imported(source()))).toMatchObject({ details: { rule: 'N-02' } })
    expect(closed).toBe(true)
    async function* failing(): ByteStream {
      yield tar.subarray(0, 1000)
      throw new Error('the line is dead')
    }
    expect(await rejection(imported(failing()))).toMatchObject({ message: 'the line is dead' })
    const full = { write: () => Promise.reject(new Error('no space')) }
    const into = { blob: full, openTar: async () => full }
    expect(await rejection(importLayer(inChunks(tar), into))).toMatchObject({ message: 'no space' })
    closed = false
    const refusing = { blob: { write() {} }, openTar: () => Promise.reject(new Error('no tar')) }
    async function* zipped(): ByteStream {
      try {
        yield gzipSync(tar)
      } finally {
        closed = true
      }
    }
    expect(await rejection(importLayer(zipped(), refusing))).toMatchObject({ message: 'no tar' })
    expect(closed).toBe(true)
  })
})

describe('stopping an import', () => {
  async function stopped(blob: ByteStream, after: number, into?: Parameters<typeof importLayer>[1]) {
    const controller = new AbortController()
    let fired = 0
    setTimeout(() => {
      fired = performance.now()
      controller.abort(new Error('enough'))
    }, after)
    const targets = into ?? { blob: { write() {} }, openTar: async () => ({ write() {} }) }
    const error = await rejection(importLayer(blob, targets, { signal: controller.signal }))
    return { error, took: performance.now() - fired }
  }

  async function* stuck(first: Uint8Array): ByteStream {
    yield first
    await new Promise(() => {})
  }

  const never = { write: () => new Promise<void>(() => {}) }

  test.each([
    ['while the first bytes are pending', () => stopped(stuck(new Uint8Array(0)), 20)],
    ['while more of a tar is pending', () => stopped(stuck(tar.subarray(0, 3000)), 20)],
    ['while more of a gzip is pending', () => stopped(stuck(gzipSync(tar).subarray(0, 60)), 20)],
    [
      'while a write of the blob is pending',
      () => stopped(inChunks(tar), 20, { blob: never, openTar: async () => never }),
    ],
    [
      'while a write of the tar is pending',
      () => stopped(inChunks(gzipSync(tar)), 20, { blob: { write() {} }, openTar: async () => never }),
    ],
    [
      'while the tar is being opened',
      () => stopped(inChunks(gzipSync(tar)), 20, { blob: { write() {} }, openTar: () => new Promise(() => {}) }),
    ],
  ])('it ends within 100 ms %s', async (_, stop) => {
    const { error, took } = await stop()
    expect(error).toMatchObject({ code: 'PLY_ABORTED', cause: new Error('enough') })
    expect(took).toBeLessThan(prompt)
  })

  test('it ends within 100 ms while it works without ever waiting', async () => {
    async function* endless(): ByteStream {
      const block = Buffer.concat(Array.from({ length: 500 }, (_, i) => file(`d${i % 7}/f${i}`, 'content')))
      for (;;) yield block
    }
    const { error, took } = await stopped(endless(), 50)
    expect(error).toMatchObject({ code: 'PLY_ABORTED' })
    expect(took).toBeLessThan(prompt)
  })

  test('it does not begin after the signal', async () => {
    const signal = AbortSignal.abort()
    let asked = false
    async function* source(): ByteStream {
      asked = true
      yield tar
    }
    expect(
      await rejection(importLayer(source(), { blob: never, openTar: async () => never }, { signal })),
    ).toMatchObject({ code: 'PLY_ABORTED' })
    expect(await rejection(rebuildIndex(source(), { signal }))).toMatchObject({ code: 'PLY_ABORTED' })
    expect(asked).toBe(false)
  })
})

test('B-01: memory does not grow with the size of files', async () => {
  const size = 256 << 20
  async function* large(): ByteStream {
    yield member({ name: 'large', size }, '')
    const chunk = Buffer.alloc(1 << 18)
    for (let done = 0; done < size; done += chunk.length) yield chunk
  }
  const before = process.memoryUsage().rss
  let peak = 0
  const sink = { write: () => void (peak = Math.max(peak, process.memoryUsage().rss)) }
  const layer = await importLayer(large(), { blob: sink, openTar: async () => sink })
  expect(layer.tarSize).toBe(size + 512)
  expect(peak - before).toBeLessThan(100 << 20)
})
