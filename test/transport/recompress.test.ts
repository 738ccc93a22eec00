import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import type { Image } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { validateImage } from '../../src/image/validate.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { type Compression, compressed, compressionOf } from '../../src/stream/compression.ts'
import { nodeZstdEncoder } from '../../src/stream/zstd.ts'
import { libzstdEncoder } from '../../src/sys/libzstd-encoder.ts'
import { openSink, openSource, recompressed } from '../../src/transport/index.ts'
import { testIf } from '../support/ability.ts'
import { bytesIn } from '../support/collect.ts'
import { gzipLayer, sampleImage } from '../support/images.ts'
import { makePlace } from '../support/places.ts'

const zstdHere = nodeZstdEncoder.available() || libzstdEncoder.available()
const noZstd = 'neither this Node nor this machine has a zstd encoder'

const compressionsOf = (image: Image) =>
  Promise.all(image.layers.map(async (layer) => compressionOf(await bytesIn(layer.compressed()))))

/** The same image under Docker's media types. */
async function dockerImage(): Promise<Image> {
  const image = append(scratch, await gzipLayer({ '/a': 'one' }))
  const types: Record<string, string> = {
    [mediaTypes.ociManifest]: mediaTypes.dockerManifest,
    [mediaTypes.ociConfig]: mediaTypes.dockerConfig,
    [mediaTypes.ociLayerGzip]: mediaTypes.dockerLayerGzip,
  }
  const text = image.rawManifest.toString()
  const rawManifest = Buffer.from(Object.entries(types).reduce((all, [from, to]) => all.replaceAll(from, to), text))
  const { imageOf, readDocuments } = await import('../../src/image/assemble.ts')
  const descriptor = { mediaType: mediaTypes.dockerManifest, digest: digestOf(rawManifest), size: rawManifest.length }
  const documents = readDocuments({ descriptor, rawManifest, rawConfig: image.rawConfig })
  return imageOf(
    documents,
    image.layers.map((layer, i) => ({ ...layer, descriptor: documents.manifest.layers[i]! })),
  )
}

describe('an image in another compression', () => {
  const cases: readonly [Compression, string][] = [
    ['gzip', mediaTypes.ociLayerGzip],
    ['zstd', mediaTypes.ociLayerZstd],
    ['none', mediaTypes.ociLayer],
  ]
  for (const [compression, mediaType] of cases) {
    testIf(compression !== 'zstd' || zstdHere, noZstd)(
      `I-05: ${compression}: config and diffIDs stay, the manifest names the new blobs, and what changed is told`,
      async () => {
        using place = makePlace()
        const image = await sampleImage()
        await using other = await recompressed(image, { compression, temporaryDirectory: place.temporary })
        expect(readdirSync(place.temporary)).toEqual([])
        expect(await validateImage(other.image)).toEqual([])
        expect(Buffer.from(other.image.rawConfig)).toEqual(Buffer.from(image.rawConfig))
        expect(other.image.layers.map(({ diffId }) => diffId)).toEqual(image.layers.map(({ diffId }) => diffId))
        expect(other.image.manifest.layers.map((layer) => layer.mediaType)).toEqual(image.layers.map(() => mediaType))
        expect(await compressionsOf(other.image)).toEqual(image.layers.map(() => compression))
        for (const change of other.changed) {
          const before = image.layers[change.layer]!
          const after = other.image.layers[change.layer]!
          expect(change.from).toMatchObject({ digest: before.descriptor.digest, size: before.descriptor.size })
          expect(change.to).toEqual({ digest: after.descriptor.digest, size: after.descriptor.size, compression })
          expect(change.reason).toContain(`recompressed ${change.from.compression} → ${compression}`)
          if (compression === 'none') expect(change.settings).toBeUndefined()
          else expect(change.settings!.engine).toMatch(/^(zlib|zstd) \d/)
        }
        const told = new Set(other.changed.map(({ layer }) => layer))
        for (const [i, layer] of image.layers.entries()) {
          const same = layer.descriptor.digest === other.image.layers[i]!.descriptor.digest
          expect(told.has(i)).toBe(!same)
        }
        // Once more is the same, and then nothing changes.
        await using again = await recompressed(other.image, { compression })
        expect(again.changed).toEqual([])
        expect(again.image).toBe(other.image)
      },
    )
  }

  test('E-13: depends on the tar and on nothing else: who compressed it before does not show', async () => {
    const files = { '/a': 'one', '/b': Buffer.alloc(3_000_000, 'pattern ') }
    const plain = append(scratch, layerFrom(files))
    const packed = append(scratch, await gzipLayer(files))
    await using one = await recompressed(plain, { compression: 'gzip' })
    await using two = await recompressed(packed, { compression: 'gzip' })
    expect(one.image.digest).toBe(two.image.digest)
    expect(two.changed).toMatchObject([{ layer: 0, reason: 'recompressed gzip → gzip, with our settings' }])
    await using best = await recompressed(packed, { compression: 'gzip', level: 9 })
    expect(best.changed[0]!.settings).toMatchObject({ level: 9 })
    expect(best.image.digest).not.toBe(two.image.digest)
  })

  test('keeps Docker’s media types where they have a word for it, and takes OCI’s where they have not', async () => {
    const image = await dockerImage()
    await using plain = await recompressed(image, { compression: 'none' })
    expect(plain.image.manifest).toMatchObject({
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig },
      layers: [{ mediaType: mediaTypes.dockerLayer }],
    })
    expect(plain.image.descriptor.mediaType).toBe(mediaTypes.dockerManifest)
    if (!zstdHere) return console.log(noZstd)
    await using packed = await recompressed(image, { compression: 'zstd' })
    expect(packed.image.manifest).toMatchObject({
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: image.manifest.config.digest },
      layers: [{ mediaType: mediaTypes.ociLayerZstd }],
    })
    expect(await validateImage(packed.image)).toEqual([])
  })

  test('Q-06: layers that are fetched from their own addresses keep their bytes', async () => {
    const layer = await gzipLayer({ '/a': 'one' })
    const urls = ['https://example.org/layer']
    const image = append(scratch, { ...layer, descriptor: { ...layer.descriptor, urls } })
    await using other = await recompressed(image, { compression: 'none' })
    expect(other.image).toBe(image)
    expect(other.changed).toEqual([])
  })

  test('annotations stay, but for those that speak of places in the old bytes', async () => {
    const layer = await gzipLayer({ '/a': 'one' })
    const annotations = { 'containerd.io/snapshot/stargz/toc.digest': 'x', 'org.example.kept': 'yes' }
    const image = append(scratch, { ...layer, descriptor: { ...layer.descriptor, annotations } })
    await using other = await recompressed(image, { compression: 'none' })
    expect(other.image.manifest.layers[0]!.annotations).toEqual({ 'org.example.kept': 'yes' })
  })

  test('I-01, I-05: an image that is written without it keeps its bytes', async () => {
    using place = makePlace()
    const image = await sampleImage()
    mkdirSync(place.at('out'))
    await (await openSink(`oci:${place.at('out')}:a`)).write(image)
    await using source = await openSource(`oci:${place.at('out')}:a`)
    const back = await source.image()
    expect(back.digest).toBe(image.digest)
    for (const { descriptor } of image.layers) {
      const blob = readFileSync(join(place.at('out'), 'blobs/sha256', descriptor.digest.slice(7)))
      expect(digestOf(blob)).toBe(descriptor.digest)
    }
  })

  test('a level that there is not is a usage error, and a layer that is not what it says is found', async () => {
    using place = makePlace()
    const image = await sampleImage()
    for (const [compression, level] of [
      ['gzip', 0],
      ['gzip', 10],
      ['zstd', 23],
      ['zstd', 1.5],
      ['none', 1],
    ] as const)
      await expect(recompressed(image, { compression, level })).rejects.toMatchObject({ code: 'PLY_USAGE' })
    const layer = layerFrom({ '/a': 'one' })
    const wrong = append(scratch, { ...layer, uncompressed: () => streamOf(memoryBytes(Buffer.from('other'))) })
    const { temporary } = place
    await expect(recompressed(wrong, { compression: 'gzip', temporaryDirectory: temporary })).rejects.toMatchObject({
      code: 'PLY_DIGEST_MISMATCH',
    })
    expect(readdirSync(temporary)).toEqual([])
  })
})

describe('E-13: compressed bytes', () => {
  // More than 128 KiB of it repeats across blocks.
  const content = Buffer.concat(
    Array.from({ length: 60 }, (_, i) => Buffer.from(`${'lorem ipsum '.repeat(9000)}${i * 7919}\n`)),
  )
  const source = (size: number) => streamOf(memoryBytes(content), size)

  test('are the same for 1, 2 and 4 workers, and however the bytes come', async () => {
    const one = await bytesIn(compressed(source(1 << 18), 'gzip', { workers: 1 }))
    for (const workers of [2, 4])
      for (const size of [1000, 1 << 20, 1 << 26])
        expect((await bytesIn(compressed(source(size), 'gzip', { workers }))).equals(one), `${workers}`).toBe(true)
    expect((await bytesIn(compressed(source(1 << 18), 'gzip'))).equals(one)).toBe(true)
  })

  testIf(libzstdEncoder.available(), 'this machine has no libzstd')(
    'of zstd are the same however the bytes come, and are what was given',
    async () => {
      const options = { zstdEncoders: [libzstdEncoder] }
      const one = await bytesIn(compressed(source(1 << 18), 'zstd', options))
      for (const size of [1000, 1 << 20, 1 << 26])
        expect((await bytesIn(compressed(source(size), 'zstd', options))).equals(one)).toBe(true)
      for (const level of [1, 19]) {
        const blob = await bytesIn(libzstdEncoder.encode(source(100_000), level) as AsyncIterable<Uint8Array>)
        const layer = layerFromBlob(
          { mediaType: mediaTypes.ociLayerZstd, digest: digestOf(blob), size: blob.length },
          digestOf(content),
          () => streamOf(memoryBytes(blob)),
        )
        expect((await bytesIn(layer.uncompressed())).equals(content)).toBe(true)
      }
      expect(
        (await bytesIn(compressed(streamOf(memoryBytes(Buffer.alloc(0))), 'zstd', options))).length,
      ).toBeGreaterThan(0)
    },
  )
})
