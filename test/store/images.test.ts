import { gzipSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import type { Image, Layer } from '../../src/image/image.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { digestOf } from '../../src/model/digest.ts'
import { type Descriptor, mediaTypes } from '../../src/model/documents.ts'
import { thisPlatform } from '../../src/model/platform.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { bytesIn } from '../support/collect.ts'
import { gzipLayer, sampleImage, withPlatform } from '../support/images.ts'
import { contentAt } from '../support/plain-tree.ts'
import { descriptors, everywhere, noise, type StorePlace } from './places.ts'

/** Puts an index of these manifests into the store, as another tool would, and answers its descriptor. */
function putIndex(place: StorePlace, manifests: readonly Descriptor[]): Descriptor {
  const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }))
  const digest = digestOf(raw)
  place.put(place.blob(digest), raw)
  return { mediaType: mediaTypes.ociIndex, digest, size: raw.length }
}

function nameInIndex(place: StorePlace, name: string, descriptor: Descriptor) {
  const index = place.json<{ manifests: unknown[] }>('index.json')
  index.manifests.push({ ...descriptor, annotations: { 'org.opencontainers.image.ref.name': name } })
  place.put(place.at('index.json'), JSON.stringify(index))
}

async function failing(layer: Layer, after: number, error: unknown): Promise<Layer> {
  const whole = await bytesIn(layer.compressed())
  async function* broken() {
    yield whole.subarray(0, after)
    throw error
  }
  return { ...layer, compressed: broken, uncompressed: broken }
}

everywhere('images', (make) => {
  test('are found by name, by digest, and by both', async () => {
    const place = await make()
    await using store = await place.open()
    const image = await sampleImage()
    await expect(store.image()).rejects.toMatchObject({ code: 'PLY_USAGE' })
    await store.write(image, 'a:1')
    for (const name of [
      undefined,
      'a:1',
      'docker.io/library/a:1',
      image.digest,
      `a:1@${image.digest}`,
      `a@${image.digest}`,
    ])
      expect((await store.image(name)).digest, name).toBe(image.digest)
    const none = `sha256:${'0'.repeat(64)}`
    for (const name of ['a:2', none, `a:1@${none}`])
      await expect(store.image(name), name).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })
    await expect(store.image('')).rejects.toMatchObject({ code: 'PLY_BAD_REFERENCE' })
    await store.write(image, 'b')
    await expect(store.image()).rejects.toMatchObject({ code: 'PLY_USAGE' })
    const [found] = await store.images()
    expect(found).toEqual({
      name: 'a:1',
      digest: image.digest,
      config: image.manifest.config.digest,
      created: '2024-01-03T00:00:00Z',
      platform: expect.stringContaining('linux/'),
      layers: 3,
      size: expect.any(Number),
    })
  })

  test('of several platforms are chosen from an index, and from an index in an index', async () => {
    const place = await make()
    await using store = await place.open()
    const platforms = { here: thisPlatform(), there: { os: 'linux', architecture: 's390x' } }
    const here = await sampleImage()
    const there = withPlatform(here, 'linux/s390x')
    for (const image of [here, there]) await store.write(image)
    const index = putIndex(place, [
      { ...there.descriptor, platform: platforms.there },
      { ...here.descriptor, platform: platforms.here },
      { ...pointerToNothing('arm'), platform: { os: 'linux', architecture: 'riscv64' } },
    ])
    nameInIndex(place, 'multi:1', index)
    nameInIndex(place, 'nested:1', putIndex(place, [index]))
    for (const name of ['multi:1', 'nested:1', index.digest]) {
      expect((await store.image(name)).digest).toBe(here.digest)
      expect((await store.image(name, { platform: 'linux/s390x' })).digest).toBe(there.digest)
      await expect(store.image(name, { platform: 'linux/mips64' })).rejects.toMatchObject({
        code: 'PLY_PLATFORM_NOT_FOUND',
      })
      await expect(store.image(name, { platform: 'linux/riscv64' })).rejects.toMatchObject({
        code: 'PLY_BLOB_NOT_FOUND',
      })
    }
    expect((await store.images()).map(({ name, problem }) => [name, problem])).toEqual([
      ['multi:1', undefined],
      ['nested:1', undefined],
    ])
    const collected = await store.collect()
    expect(collected).toMatchObject({ blobs: [], unreadable: [] })
    expect((await store.image('nested:1', { platform: 'linux/s390x' })).digest).toBe(there.digest)

    let deep = index
    for (let i = 0; i < 12; i++) deep = putIndex(place, [deep])
    nameInIndex(place, 'deep:1', deep)
    await expect(store.image('deep:1')).rejects.toMatchObject({ code: 'PLY_BAD_DOCUMENT' })
    expect((await store.images()).find(({ name }) => name === 'deep:1')?.problem).toContain('nested')
  })

  test('that are damaged or incomplete are listed with what is wrong', async () => {
    const place = await make()
    await using store = await place.open()
    const kinds = {
      config: (image: Image) => place.disk.fs.rmSync(place.blob(image.manifest.config.digest)),
      manifest: (image: Image) => place.disk.fs.rmSync(place.blob(image.digest)),
      flipped: (image: Image) => place.flip(place.blob(image.digest)),
      short: (image: Image) => place.put(place.blob(image.digest), '{}'),
      layer: (image: Image) => place.disk.fs.rmSync(place.blob(image.layers[3]!.descriptor.digest)),
      truncated: (image: Image) => place.put(place.blob(image.layers[3]!.descriptor.digest), 'x'),
    }
    for (const [name, damage] of Object.entries(kinds)) {
      const image = append(await sampleImage(), layerFrom({ '/name': name }))
      await store.write(image, name)
      damage(image)
    }
    await store.write(await sampleImage(), 'whole')
    const listed = await store.images()
    expect(Object.fromEntries(listed.map(({ name, problem }) => [name.split(':')[0], problem]))).toEqual({
      config: expect.stringContaining('no blob'),
      manifest: expect.stringContaining('no blob'),
      flipped: expect.stringContaining('expected'),
      short: expect.stringContaining('expected'),
      layer: expect.stringContaining('no blob'),
      truncated: expect.stringContaining('expected'),
      whole: undefined,
    })
    // Taking them in again heals all of it.
    for (const name of Object.keys(kinds))
      await store.write(append(await sampleImage(), layerFrom({ '/name': name })), name)
    expect((await store.images()).map(({ problem }) => problem)).toEqual(Array(7).fill(undefined))
  })
})

function pointerToNothing(text: string): Descriptor {
  return { mediaType: mediaTypes.ociManifest, digest: digestOf(Buffer.from(text)), size: text.length }
}

everywhere('an import', (make, kind) => {
  test('of an image that has a layer twice, and of one layer under two compressions', async () => {
    const place = await make()
    await using store = await place.open()
    const files = { '/a': 'one', '/b': Buffer.alloc(100_000, 'b') }
    const plain = layerFrom(files)
    const packed = await gzipLayer(files)
    expect(packed.diffId).toBe(plain.diffId)
    const tar = await bytesIn(plain.uncompressed())
    const blob = gzipSync(tar, { level: 1 })
    const other: Layer = {
      ...packed,
      descriptor: { ...packed.descriptor, digest: digestOf(blob), size: blob.length },
      compressed: () => streamOf(memoryBytes(blob)),
    }
    let image = scratch
    for (const layer of [plain, layerFrom({ '/a': 'two' }), packed, plain, other, packed]) image = append(image, layer)
    await store.write(image, 'a')
    const tree = await store.tree('a')
    expect(contentAt(tree, 'a')).toBe('one')
    tree.close()
    const found = await store.image('a')
    for (const layer of found.layers) {
      expect(digestOf(await bytesIn(layer.compressed()))).toBe(layer.descriptor.digest)
      expect(digestOf(await bytesIn(layer.uncompressed()))).toBe(layer.diffId)
    }
    await using container = await store.containers.create('c', 'a')
    expect(container.fs.readFileSync('/a', 'utf8')).toBe('one')
    expect(place.names('tmp')).toEqual([])
  })

  test('reads no layer that is here already, and builds its caches anew where they are gone', async () => {
    const place = await make()
    await using store = await place.open()
    const image = await sampleImage()
    await store.write(image, 'a')
    const files = place.files().filter((name) => name.startsWith('cache/layers'))
    const caches = place
      .names('cache', 'layers')
      .map((name) => place.disk.fs.readFileSync(place.at('cache', 'layers', name)))
    const unread = (layer: Layer): Layer => ({
      ...layer,
      compressed() {
        throw new Error('it was read again')
      },
    })
    const again = { ...image, layers: image.layers.map(unread) }
    await store.write(again, 'b')
    place.disk.fs.rmSync(place.at('cache'), { recursive: true })
    await store.write(again, 'c')
    expect(place.files().filter((name) => name.startsWith('cache/layers'))).toEqual(files)
    place.disk.fs.rmSync(place.at('cache'), { recursive: true })
    ;(await store.tree('c')).close()
    const rebuilt = place
      .names('cache', 'layers')
      .map((name) => place.disk.fs.readFileSync(place.at('cache', 'layers', name)))
    expect(rebuilt.map((one, i) => Buffer.compare(one as Buffer, caches[i] as Buffer))).toEqual(caches.map(() => 0))
    // The tar alone: then it comes from the blob; the index alone: then from the tar.
    for (const ending of ['.tar', '.erofs']) {
      const gone = place.names('cache', 'layers').filter((name) => name.endsWith(ending))
      for (const name of gone) place.disk.fs.rmSync(place.at('cache', 'layers', name))
      ;(await store.tree('c')).close()
      expect(place.files().filter((name) => name.startsWith('cache/layers'))).toEqual(files)
    }
  })

  test('that fails anywhere leaves nothing behind', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'there')
    const before = place.files()
    const open = descriptors()
    const good = append(await sampleImage({ '/big': noise(500_000) }), await gzipLayer({ '/more': noise(200_000) }))
    const last = good.layers.at(-1)!
    const change = (layer: Partial<Layer>) => ({
      ...good,
      layers: [...good.layers.slice(0, -1), { ...last, ...layer }],
    })
    const other = await gzipLayer({ '/other': noise(200_000) })
    const short = (await bytesIn(last.compressed())).subarray(0, -100)
    const cases: Record<string, [Image, string]> = {
      'a source that throws': [
        { ...good, layers: [...good.layers.slice(0, -1), await failing(last, 100_000, new Error('gone'))] },
        '',
      ],
      'a source that throws at once': [
        { ...good, layers: [...good.layers.slice(0, -1), await failing(last, 0, new Error('gone'))] },
        '',
      ],
      'another blob': [change({ compressed: other.compressed }), '_MISMATCH'],
      'a blob cut off': [change({ compressed: () => streamOf(memoryBytes(short)) }), 'PLY_'],
      'another diffID': [change({ diffId: other.diffId }), 'PLY_BAD_DOCUMENT'],
      'another size': [
        change({ descriptor: { ...last.descriptor, size: last.descriptor.size + 1 } }),
        'PLY_SIZE_MISMATCH',
      ],
      'a smaller size': [change({ descriptor: { ...last.descriptor, size: 10 } }), 'PLY_SIZE_MISMATCH'],
      'a layer too few': [{ ...good, layers: good.layers.slice(0, -1) }, 'PLY_BAD_DOCUMENT'],
      'layers of another image': [{ ...good, layers: good.layers.toReversed() }, 'PLY_BAD_DOCUMENT'],
      'another manifest': [
        { ...good, rawManifest: Buffer.concat([good.rawManifest, Buffer.from(' ')]) },
        'PLY_DIGEST_MISMATCH',
      ],
      'another config': [{ ...good, rawConfig: Buffer.from('{}') }, 'PLY_DIGEST_MISMATCH'],
      'another size of the manifest': [{ ...good, descriptor: { ...good.descriptor, size: 1 } }, 'PLY_SIZE_MISMATCH'],
    }
    for (const [name, [image, code]] of Object.entries(cases)) {
      const error = await store.write(image, 'new').then(
        () => undefined,
        (reason) => reason,
      )
      expect(error, name).toBeInstanceOf(Error)
      expect(String(error.code ?? ''), name).toContain(code)
      expect(place.files(), name).toEqual(before)
    }
    await expect(store.write(good, 'NOT a name')).rejects.toMatchObject({ code: 'PLY_BAD_REFERENCE' })
    expect(place.files()).toEqual(before)
    // What is being written when it fails is closed once the disk has answered.
    if (kind === 'disk' && process.platform === 'linux') await vi.waitFor(() => expect(descriptors()).toEqual(open))
    await store.write(good, 'new')
  })

  test('that is aborted at any moment leaves nothing behind, or the image', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'there')
    const before = place.files()
    const image = append(await sampleImage({ '/big': noise(1_000_000) }), await gzipLayer({ '/more': noise(300_000) }))
    let reports = 0
    await expect(store.write(image, 'new', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'PLY_ABORTED',
    })
    for (let stop = 0; ; stop++) {
      const controller = new AbortController()
      reports = 0
      const onProgress = () => {
        if (reports++ === stop) controller.abort()
      }
      const error = await store.write(image, 'new', { signal: controller.signal, onProgress }).catch((reason) => reason)
      if (error?.code !== 'PLY_ABORTED') break
      expect(place.files(), `after report ${stop}`).toEqual(before)
    }
    expect(reports).toBeGreaterThan(2)
    expect((await store.image('new')).digest).toBe(image.digest)
  })
})
