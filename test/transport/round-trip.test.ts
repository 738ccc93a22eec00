import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { append } from '../../src/image/append.ts'
import { configure } from '../../src/image/configure.ts'
import { copy } from '../../src/image/copy.ts'
import type { Image } from '../../src/image/image.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { validateImage } from '../../src/image/validate.ts'
import { collect } from '../../src/stream/collect.ts'
import { detectReference, openSink, openSource } from '../../src/transport/index.ts'
import { sampleImage } from '../support/images.ts'
import { makePlace, type Place } from '../support/places.ts'
import { prompt } from '../support/prompt.ts'

const all = (stream: AsyncIterable<Uint8Array>) => collect(stream, 1 << 30)

/** Where an image can be written and read again. `keeps`: the manifest's digest survives. */
const forms = [
  { form: 'oci', keeps: true, of: (place: Place) => `oci:${place.at('layout')}:latest` },
  { form: 'oci-archive', keeps: true, of: (place: Place) => `oci-archive:${place.at('layout.tar')}:latest` },
  { form: 'dir', keeps: true, of: (place: Place) => `dir:${place.at('loose')}` },
  {
    form: 'docker-archive',
    keeps: false,
    of: (place: Place) => `docker-archive:${place.at('docker.tar')}:sample:latest`,
  },
]

describe.each(forms)('$form', ({ form, keeps, of }) => {
  test('gives back what was written: documents, layers, and the digest it answered', async () => {
    using place = makePlace()
    const image = await sampleImage()
    const written = await (await openSink(of(place))).write(image)
    await using source = await openSource(of(place))
    const back = await source.image()
    expect(back.digest).toBe(written.digest)
    if (keeps) expect(back.digest).toBe(image.digest)
    expect(Buffer.from(back.rawConfig).equals(image.rawConfig)).toBe(true)
    expect(await validateImage(back)).toEqual([])
    for (const [i, layer] of back.layers.entries()) {
      expect((await all(layer.uncompressed())).equals(await all(image.layers[i]!.uncompressed()))).toBe(true)
    }
    const listed = []
    for await (const one of source.list()) listed.push(one)
    expect(listed.map((one) => one.descriptor.digest)).toEqual([back.digest])
  })

  test('the same image gives the same bytes', async () => {
    using one = makePlace()
    using two = makePlace()
    for (const place of [one, two]) await copy(await sampleImage(), await openSink(of(place)))
    expect(hashes(one)).toEqual(hashes(two))
  })

  test('writing again changes nothing', async () => {
    using place = makePlace()
    await copy(await sampleImage(), await openSink(of(place)))
    const before = hashes(place)
    await copy(await sampleImage(), await openSink(of(place)))
    expect(hashes(place)).toEqual(before)
  })

  test('a layer that turns out wrong leaves what was there, and nothing else', async () => {
    using place = makePlace()
    const image = await sampleImage()
    const bad = withBadLayer(append(image, layerFrom({ '/more': 'more' })))
    const sink = await openSink(of(place), { temporaryDirectory: place.temporary })
    await expect(sink.write(bad)).rejects.toMatchObject({ code: expect.stringMatching(/^PLY_(DIGEST|SIZE)_MISMATCH$/) })
    expect(place.files()).toEqual([])
    await sink.write(image)
    const before = hashes(place)
    await expect(sink.write(bad)).rejects.toMatchObject({ code: expect.stringMatching(/^PLY_(DIGEST|SIZE)_MISMATCH$/) })
    expect(hashes(place)).toEqual(before)
    expect(readdirSync(place.temporary)).toEqual([])
  })

  test('stopping at any moment is quick and leaves nothing behind', async () => {
    const image = append(await sampleImage(), slowLayer())
    for (const wait of [0, 1, 5, 20, 60]) {
      using place = makePlace()
      const stop = new AbortController()
      const sink = await openSink(of(place), { temporaryDirectory: place.temporary })
      const writing = sink.write(image, undefined, { signal: stop.signal })
      await new Promise((resolve) => setTimeout(resolve, wait))
      const stopped = performance.now()
      stop.abort()
      await expect(writing).rejects.toMatchObject({ code: 'PLY_ABORTED' })
      expect(performance.now() - stopped).toBeLessThan(prompt)
      expect(place.files()).toEqual([])
      expect(readdirSync(place.temporary)).toEqual([])
    }
  })

  test('progress adds up to what was written', async () => {
    using place = makePlace()
    const image = await sampleImage()
    const last = new Map<string, number>()
    await copy(image, await openSink(of(place)), {
      onProgress: ({ what, done, total }) => {
        expect(done).toBeGreaterThanOrEqual(last.get(what) ?? 0)
        if (total !== undefined) expect(done).toBeLessThanOrEqual(total)
        last.set(what, done)
      },
    })
    for (const layer of image.layers) {
      expect(last.get(form === 'docker-archive' ? layer.diffId : layer.descriptor.digest)).toBeGreaterThan(0)
    }
  })

  test('a platform that it has not is refused, and what it has is named', async () => {
    using place = makePlace()
    await copy(configure(await sampleImage(), { platform: 'linux/arm64' }), await openSink(of(place)))
    await using source = await openSource(of(place))
    expect((await source.image()).config.architecture).toBe('arm64')
    expect((await source.image(undefined, { platform: 'linux/arm64/v8' })).config.architecture).toBe('arm64')
    await expect(source.image(undefined, { platform: 'linux/s390x' })).rejects.toMatchObject({
      code: 'PLY_PLATFORM_NOT_FOUND',
      message: expect.stringContaining('linux/arm64'),
    })
  })

  test('a scratch image without layers makes the round trip', async () => {
    using place = makePlace()
    const { scratch } = await import('../../src/image/append.ts')
    await copy(scratch, await openSink(of(place)))
    await using source = await openSource(of(place))
    expect((await source.image()).layers).toEqual([])
  })
})

test('oci → oci-archive → dir → oci keeps the digest and every blob', async () => {
  using place = makePlace()
  const steps = ['oci:a:one', 'oci-archive:b.tar:docker.io/library/two:2', 'dir:c', 'oci:d:three'].map((step) =>
    step.replace(':', `:${place.root}/`),
  )
  const image = await sampleImage()
  await copy(image, await openSink(steps[0]!))
  for (const [i, to] of steps.slice(1).entries()) {
    await using source = await openSource(steps[i]!)
    expect((await copy(source, await openSink(to))).digest).toBe(image.digest)
  }
  const blobs = (at: string) => readdirSync(place.at(at, 'blobs', 'sha256')).sort()
  expect(blobs('d')).toEqual(blobs('a'))
})

describe.each(['oci-archive', 'docker-archive'])('several images in one %s', (form) => {
  test('share their layers, and each is found by its name', async () => {
    using place = makePlace()
    const file = place.at('several.tar')
    const first = await sampleImage()
    const second = append(first, layerFrom({ '/second': '2' }))
    const sink = await openSink(`${form}:${file}`)
    await sink.write(first, 'app:1')
    const size = readFileSync(file).length
    await sink.write(second, 'app:2')
    await sink.write(first, 'other:1')
    expect(readFileSync(file).length).toBeLessThan(size + 40_000)

    await using source = await openSource(`${form}:${file}`)
    const names = []
    for await (const one of source.list()) names.push(one.name)
    expect(names.sort()).toEqual(['app:1', 'app:2', 'other:1'])
    expect((await source.image('app:2')).layers).toHaveLength(4)
    expect((await source.image('other:1')).config.rootfs).toEqual(first.config.rootfs)
    expect(await validateImage(await source.image('app:2'))).toEqual([])
    await expect(source.image()).rejects.toMatchObject({
      code: 'PLY_AMBIGUOUS',
      message: expect.stringContaining('app:2'),
    })
    await expect(source.image('app:3')).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })
    await using one = await openSource(`${form}:${file}:app:1`)
    expect((await one.image()).layers).toHaveLength(3)
  })

  test('a tag that is written again leads to the new image', async () => {
    using place = makePlace()
    const file = place.at('several.tar')
    const sink = await openSink(`${form}:${file}:app:latest`)
    const first = await sampleImage()
    await sink.write(first)
    await sink.write(append(first, layerFrom({ '/x': 'x' })))
    await using source = await openSource(`${form}:${file}:app:latest`)
    expect((await source.image()).layers).toHaveLength(4)
  })

  test('a new sink replaces the file; one that changed under the sink is not touched', async () => {
    using place = makePlace()
    const reference = `${form}:${place.at('one.tar')}`
    await (await openSink(reference)).write(await sampleImage(), 'old:1')
    const sink = await openSink(reference)
    await sink.write(await sampleImage(), 'new:1')
    {
      await using source = await openSource(reference)
      const names = []
      for await (const one of source.list()) names.push(one.name)
      expect(names).toEqual(['new:1'])
    }
    writeFileSync(place.at('one.tar'), 'somebody else')
    await expect(sink.write(await sampleImage(), 'x:2')).rejects.toMatchObject({ code: 'PLY_CHANGED' })
    expect(readFileSync(place.at('one.tar'), 'utf8')).toBe('somebody else')
  })

  test('- is standard input and output, and a compressed archive is read as well', async () => {
    using place = makePlace()
    const chunks: Buffer[] = []
    const output = { write: (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk)) }
    const options = { temporaryDirectory: place.temporary }
    const sink = await openSink(`${form}:-:app:1`, { ...options, output })
    await sink.write(await sampleImage())
    expect(readdirSync(place.temporary)).toEqual([])
    await expect(sink.write(await sampleImage())).rejects.toMatchObject({ code: 'PLY_USAGE' })
    for (const input of [[Buffer.concat(chunks)], [gzipSync(Buffer.concat(chunks))]]) {
      await using source = await openSource(`${form}:-`, { ...options, input: streamed(input) })
      expect(readdirSync(place.temporary)).toEqual([])
      expect(await validateImage(await source.image('app:1'))).toEqual([])
    }
    writeFileSync(place.at('z.tar.gz'), gzipSync(Buffer.concat(chunks)))
    await using source = await openSource(`${form}:${place.at('z.tar.gz')}`, options)
    expect(await validateImage(await source.image())).toEqual([])
  })
})

test('a path is recognised for what it holds', async () => {
  using place = makePlace()
  const image = await sampleImage()
  for (const { form, of } of forms) {
    await copy(image, await openSink(of(place)))
    const path = of(place).split(':')[1]!
    expect(await detectReference(path)).toBe(`${form}:${path}`)
  }
  writeFileSync(place.at('text'), 'hello')
  await expect(detectReference(place.at('text'))).rejects.toMatchObject({ code: 'PLY_BAD_ARCHIVE' })
  await expect(detectReference(place.root)).rejects.toMatchObject({ code: 'PLY_BAD_ARCHIVE' })
  await expect(detectReference(place.at('none'))).rejects.toMatchObject({ code: 'ENOENT' })
})

async function* streamed(chunks: readonly Uint8Array[]) {
  for (const chunk of chunks) for (let at = 0; at < chunk.length; at += 10_000) yield chunk.subarray(at, at + 10_000)
}

/** The image, but its last layer is not what it says. */
function withBadLayer(image: Image): Image {
  const last = image.layers.at(-1)!
  const other = layerFrom({ '/evil': 'evil' })
  // As a source would: the stream checks itself at its end.
  const wrong = async function* () {
    yield* other.compressed()
    const { PlyError } = await import('../../src/model/errors.ts')
    throw new PlyError('PLY_DIGEST_MISMATCH', { what: last.diffId, expected: last.diffId, actual: other.diffId })
  }
  return { ...image, layers: [...image.layers.slice(0, -1), { ...last, compressed: wrong, uncompressed: wrong }] }
}

/** A layer that never ends. */
function slowLayer() {
  const layer = layerFrom({ '/slow': 'slow' })
  async function* endless() {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 2))
      yield Buffer.alloc(1)
    }
  }
  return {
    ...layer,
    descriptor: { ...layer.descriptor, size: 1e9 },
    compressed: endless,
    uncompressed: endless,
  }
}

function hashes(place: Place): Record<string, string> {
  const files = place.files().map((file) => {
    try {
      return [
        file,
        createHash('sha256')
          .update(readFileSync(place.at(file)))
          .digest('hex'),
      ]
    } catch {
      return [file, 'directory']
    }
  })
  return Object.fromEntries(files)
}
