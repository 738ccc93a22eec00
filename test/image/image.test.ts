import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { imageOf, readDocuments } from '../../src/image/assemble.ts'
import { configure } from '../../src/image/configure.ts'
import { describeImage } from '../../src/image/describe.ts'
import { historyOf } from '../../src/image/history.ts'
import type { Image } from '../../src/image/image.ts'
import { type BlobReader, imageFromBlobs, verifiedBlobs } from '../../src/image/image-from-blobs.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { validateImage } from '../../src/image/validate.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { canonicalJson } from '../../src/model/json.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { collect } from '../../src/stream/collect.ts'
import { scanTar } from '../../src/tar/index.ts'
import { gzipLayer, sampleImage } from '../support/images.ts'

const all = (stream: AsyncIterable<Uint8Array>) => collect(stream, 1 << 30)

describe('layers from plain objects', () => {
  test('parents come first, in the order of layer-semantics E-04, with the attributes asked for', async () => {
    const layer = layerFrom({
      '/b/x': 'x',
      '/b.c': 'y',
      a: { content: Buffer.from([0xff]), mode: 0o4755, uid: 70_000, mtime: 5_000_000_000n },
      '/b/ä': { symlink: '../é' },
      '/b': { directory: true, mode: 0o700 },
      '/deep/er/dir/': { directory: true },
    })
    const tar = memoryBytes(await all(layer.uncompressed()))
    const members = [...scanTar(tar)].map((m) => [m.name, m.type, m.mode, m.uid, m.size, m.linkName])
    expect(members).toEqual([
      ['a', '0', 0o4755, 70_000, 1, ''],
      ['b/', '5', 0o700, 0, 0, ''],
      ['b/x', '0', 0o644, 0, 1, ''],
      ['b/\xc3\xa4', '2', 0o777, 0, 0, '../\xc3\xa9'],
      ['b.c', '0', 0o644, 0, 1, ''],
      ['deep/', '5', 0o755, 0, 0, ''],
      ['deep/er/', '5', 0o755, 0, 0, ''],
      ['deep/er/dir/', '5', 0o755, 0, 0, ''],
    ])
    expect(layer.diffId).toBe(digestOf(await all(layer.compressed())))
  })

  test('E-13: the order in which files are named does not matter', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}(\/[a-z.]{1,3}x){0,3}$/), { maxLength: 12 })
    fc.assert(
      fc.property(names, (paths) => {
        const specs = paths
          .filter((p) => !paths.some((q) => q !== p && (q.startsWith(`${p}/`) || p.startsWith(`${q}/`))))
          .map((p) => [p, p] as const)
        expect(layerFrom(Object.fromEntries([...specs].reverse())).diffId).toBe(
          layerFrom(Object.fromEntries(specs)).diffId,
        )
      }),
    )
  })

  test.each([['/../x'], ['/'], ['/a/.wh.b'], ['']])('%j is no place for a file', (path) => {
    expect(() => layerFrom({ [path]: '' })).toThrow(expect.objectContaining({ code: 'PLY_UNREPRESENTABLE' }))
  })

  test('one place cannot be two things', () => {
    expect(() => layerFrom({ '/a': '', './a': '' })).toThrow(/same file/)
    expect(() => layerFrom({ '/a': '', '/a/b': '' })).toThrow(/not a directory/)
  })
})

describe('append and configure', () => {
  test('the example of the manual gives a valid image of one layer', async () => {
    const hello = configure(append(scratch, layerFrom({ '/hello.js': 'console.log("hi")\n' })), {
      entrypoint: ['node', '/hello.js'],
    })
    expect(await validateImage(hello)).toEqual([])
    expect(hello.layers).toHaveLength(1)
    expect(hello.config.config).toEqual({ Entrypoint: ['node', '/hello.js'] })
    expect(hello.config.rootfs.diff_ids).toEqual([hello.layers[0]!.diffId])
  })

  test('the image they are given stays as it was', async () => {
    const image = await sampleImage()
    const before = [image.digest, Buffer.from(image.rawConfig).toString(), image.layers.length]
    configure(append(image, layerFrom({ '/x': 'x' })), { env: { PATH: null }, labels: { a: 'b' } })
    expect([image.digest, Buffer.from(image.rawConfig).toString(), image.layers.length]).toEqual(before)
    expect(await validateImage(image)).toEqual([])
  })

  test('unknown fields survive', async () => {
    const image = await sampleImage()
    const odd = reread(image, {
      config: { ...image.config, 'x-new': { deep: [1] }, docker_version: '9' },
      manifest: { ...image.manifest, 'x-m': true },
    })
    const next = configure(append(odd, layerFrom({ '/x': 'x' })), { user: 'me' })
    expect(next.config).toMatchObject({ 'x-new': { deep: [1] }, docker_version: '9' })
    expect(next.manifest).toMatchObject({ 'x-m': true })
    expect(next.config.config).toMatchObject({ User: 'me', Entrypoint: ['/bin/app'] })
  })

  test('variables and labels are merged, null takes away, order is kept', async () => {
    const image = configure(scratch, { env: { A: '1', B: '2', C: '3' }, labels: { x: '1', y: '2' } })
    const next = configure(image, {
      env: { B: 'two=2', A: null, D: '4' },
      labels: { x: null, z: '3' },
      cmd: ['a'],
      exposedPorts: ['80/tcp'],
    })
    expect(next.config.config).toEqual({
      Env: ['B=two=2', 'C=3', 'D=4'],
      Labels: { y: '2', z: '3' },
      Cmd: ['a'],
      ExposedPorts: { '80/tcp': {} },
    })
    expect(
      configure(next, {
        env: { B: null, C: null, D: null },
        labels: { y: null, z: null },
        cmd: null,
        exposedPorts: null,
      }).digest,
    ).toBe(scratch.digest)
    expect(() => configure(scratch, { env: { 'A=B': 'x' } })).toThrow(expect.objectContaining({ code: 'PLY_USAGE' }))
  })

  test('nothing to change gives the same image', async () => {
    const image = await sampleImage()
    expect(configure(image, {}).digest).toBe(image.digest)
  })

  test('a platform replaces the variant too', () => {
    const arm = configure(scratch, { platform: 'linux/arm/v6' })
    expect(arm.config).toMatchObject({ os: 'linux', architecture: 'arm', variant: 'v6' })
    expect(configure(arm, { platform: 'linux/amd64' }).config.variant).toBeUndefined()
  })

  test('an image of Docker’s types stays one, unless the layer is zstd', async () => {
    const image = await sampleImage()
    const manifest = {
      ...image.manifest,
      mediaType: mediaTypes.dockerManifest,
      config: { ...image.manifest.config, mediaType: mediaTypes.dockerConfig },
      layers: image.manifest.layers.map((layer) => ({ ...layer, mediaType: mediaTypes.dockerLayerGzip })),
    }
    const docker = reread(image, { manifest })
    const plain = append(docker, layerFrom({ '/x': 'x' }))
    expect(plain.descriptor.mediaType).toBe(mediaTypes.dockerManifest)
    expect(plain.manifest.layers.at(-1)!.mediaType).toBe(mediaTypes.dockerLayer)
    const zipped = await gzipLayer({ '/y': 'y' })
    const zstd = append(docker, { ...zipped, descriptor: { ...zipped.descriptor, mediaType: mediaTypes.ociLayerZstd } })
    expect(zstd.descriptor.mediaType).toBe(mediaTypes.ociManifest)
    expect(zstd.manifest.config.mediaType).toBe(mediaTypes.ociConfig)
    expect(zstd.manifest.layers.map((layer) => layer.mediaType)).toEqual([
      mediaTypes.ociLayerGzip,
      mediaTypes.ociLayerGzip,
      mediaTypes.ociLayerGzip,
      mediaTypes.ociLayerZstd,
    ])
  })
})

describe('history', () => {
  test('each layer stands beside the step that made it', async () => {
    const image = configure(await sampleImage(), { history: { created_by: 'ENV x' } })
    expect(historyOf(image).map(({ step, layer }) => [step.created_by, layer?.diffId])).toEqual([
      ['base', image.layers[0]!.diffId],
      ['more', image.layers[1]!.diffId],
      [undefined, image.layers[2]!.diffId],
      ['ENV x', undefined],
    ])
  })

  test('layers that no step describes are not lost, and a new one gets its own step', async () => {
    const { history: _, ...config } = (await sampleImage()).config
    const bare = reread(await sampleImage(), { config })
    expect(historyOf(bare).map(({ layer }) => layer?.diffId)).toEqual(bare.layers.map((layer) => layer.diffId))
    const next = append(bare, layerFrom({ '/x': 'x' }), { created_by: 'mine' })
    expect(historyOf(next).at(-1)).toEqual({ step: { created_by: 'mine' }, layer: next.layers.at(-1) })
    expect(await validateImage(next)).toEqual([])
  })
})

test('a description is plain JSON that adds up', async () => {
  const image = await sampleImage()
  const description = describeImage(image)
  expect(JSON.parse(JSON.stringify(description))).toEqual(description)
  expect(description).toMatchObject({ digest: image.digest, id: image.manifest.config.digest })
  expect(description.size).toBe(
    image.rawManifest.length + image.rawConfig.length + description.layers.reduce((n, l) => n + l.size, 0),
  )
  expect(description.history.map((step) => step.layer)).toEqual(image.layers.map((layer) => layer.descriptor.digest))
})

describe('images from blobs', () => {
  test('bytes and digests are kept', async () => {
    const image = await sampleImage()
    const copy = await imageFromBlobs(image.descriptor, await blobsOf(image))
    expect(Buffer.from(copy.rawManifest).equals(image.rawManifest)).toBe(true)
    expect(await validateImage(copy)).toEqual([])
    for (const [i, layer] of copy.layers.entries()) {
      expect((await all(layer.uncompressed())).equals(await all(image.layers[i]!.uncompressed()))).toBe(true)
    }
  })

  test('a wrong byte anywhere is found, and the blob named', async () => {
    const image = await sampleImage()
    for (const { digest } of [image.descriptor, image.manifest.config, ...image.manifest.layers]) {
      const read = await blobsOf(image, digest, (bytes) => {
        bytes[bytes.length >> 1]! ^= 1
      })
      const work = async () => {
        const copy = await imageFromBlobs(image.descriptor, read)
        for (const layer of copy.layers) await all(layer.uncompressed())
      }
      await expect(work()).rejects.toMatchObject({
        code: 'PLY_DIGEST_MISMATCH',
        message: expect.stringContaining(digest),
      })
    }
  })

  test('a layer that is not the diffID’s is found although its blob is right', async () => {
    const image = await sampleImage()
    const [first, ...rest] = image.config.rootfs.diff_ids
    const lying = reread(image, {
      config: { ...image.config, rootfs: { type: 'layers', diff_ids: [digestOf(Buffer.from('other')), ...rest] } },
    })
    expect(first).not.toBe(lying.config.rootfs.diff_ids[0])
    const copy = await imageFromBlobs(lying.descriptor, await blobsOf(lying))
    await expect(all(copy.layers[0]!.uncompressed())).rejects.toMatchObject({ code: 'PLY_DIGEST_MISMATCH' })
    expect(await validateImage(copy)).toMatchObject([{ where: 'layer 0', code: 'PLY_DIGEST_MISMATCH' }])
  })

  test('a config with more layers than the manifest is refused', async () => {
    const image = await sampleImage()
    const config = canonicalJson({
      ...image.config,
      rootfs: { type: 'layers', diff_ids: [...image.config.rootfs.diff_ids, digestOf(Buffer.alloc(1))] },
    })
    const rawManifest = canonicalJson({
      ...image.manifest,
      config: { ...image.manifest.config, digest: digestOf(config), size: config.length },
    })
    const descriptor = { ...image.descriptor, digest: digestOf(rawManifest), size: rawManifest.length }
    const read: BlobReader = ({ digest }) => streamOf(memoryBytes(digest === descriptor.digest ? rawManifest : config))
    await expect(imageFromBlobs(descriptor, read)).rejects.toMatchObject({
      code: 'PLY_BAD_DOCUMENT',
      message: expect.stringMatching(/3 layers, its config has 4/),
    })
  })

  test('a manifest that claims to be huge is not read into memory', async () => {
    const image = await sampleImage()
    async function* endless() {
      for (;;) yield Buffer.alloc(1 << 20)
    }
    await expect(imageFromBlobs({ ...image.descriptor, size: 1e15 }, () => endless())).rejects.toMatchObject({
      code: 'PLY_TOO_LARGE',
    })
  })

  test('an aborted read ends with PLY_ABORTED', async () => {
    const image = await sampleImage()
    const copy = await imageFromBlobs(image.descriptor, await blobsOf(image))
    const stop = new AbortController()
    const reading = copy.layers[0]!.uncompressed({ signal: stop.signal })[Symbol.asyncIterator]()
    await reading.next()
    stop.abort()
    await expect(reading.next()).rejects.toMatchObject({ code: 'PLY_ABORTED' })
  })
})

/** The image with other documents and the same layers. */
function reread(image: Image, change: { readonly manifest?: object; readonly config?: object }): Image {
  const rawConfig = canonicalJson(change.config ?? image.config)
  const manifest = (change.manifest ?? image.manifest) as Image['manifest']
  const rawManifest = canonicalJson({
    ...manifest,
    config: { ...manifest.config, digest: digestOf(rawConfig), size: rawConfig.length },
  })
  const mediaType = manifest.mediaType ?? mediaTypes.ociManifest
  return imageOf(
    readDocuments({
      descriptor: { mediaType, digest: digestOf(rawManifest), size: rawManifest.length },
      rawManifest,
      rawConfig,
    }),
    image.layers.map((layer, i) => ({ ...layer, descriptor: manifest.layers[i]! })),
  )
}

/** The image's blobs in memory, one of them changed if asked. */
async function blobsOf(
  image: Image,
  changed?: string,
  change: (bytes: Buffer) => void = () => {},
): Promise<BlobReader> {
  const blobs = new Map<string, Buffer>([
    [image.digest, Buffer.from(image.rawManifest)],
    [image.manifest.config.digest, Buffer.from(image.rawConfig)],
  ])
  for (const layer of image.layers) blobs.set(layer.descriptor.digest, await all(layer.compressed()))
  if (changed !== undefined) change(blobs.get(changed)!)
  return verifiedBlobs(({ digest }) => streamOf(memoryBytes(blobs.get(digest)!)))
}
