import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import type { Store } from '../../src/store/store.ts'
import { openSink, openSource, recompressed } from '../../src/transport/index.ts'
import { bytesIn } from '../support/collect.ts'
import { gzipLayer } from '../support/images.ts'
import { makePlace, type Place } from '../support/places.ts'
import { prompt } from '../support/prompt.ts'
import { descriptors, everywhere, noise, type StorePlace } from './places.ts'

const size = 300_000

/** A store with an image of two layers, a compressed one and one whose blob is its tar. */
async function filled(make: () => Promise<StorePlace>) {
  const place = await make()
  const store = await place.open()
  const image = append(
    append(scratch, await gzipLayer({ '/packed': noise(size) })),
    layerFrom({ '/plain': noise(size) }),
  )
  await store.write(image, 'a')
  const [packed, plain] = image.layers
  const cache = (ending: string) => place.at('cache', 'layers', `${packed!.diffId.slice(7)}.${ending}`)
  return {
    place,
    store,
    image,
    tar: cache('tar'),
    index: cache('erofs'),
    blob: place.blob(packed!.descriptor.digest),
    plain: place.blob(plain!.diffId),
  }
}

const forms = {
  'docker-archive': (out: Place) => `docker-archive:${out.at('docker.tar')}:a:latest`,
  'oci-archive': (out: Place) => `oci-archive:${out.at('layout.tar')}:latest`,
  oci: (out: Place) => `oci:${out.at('layout')}:latest`,
  dir: (out: Place) => `dir:${out.at('loose')}`,
}
type Form = keyof typeof forms

async function write(store: Store, form: Form, out: Place): Promise<void> {
  const sink = await openSink(forms[form](out), { temporaryDirectory: out.temporary })
  await sink.write(await store.image('a'))
}

/** The bytes of a docker-archive of the image. */
async function archive(store: Store): Promise<Buffer> {
  using out = makePlace()
  await write(store, 'docker-archive', out)
  return readFileSync(out.at('docker.tar'))
}

/** The digest of the image with its layers compressed anew. */
async function packedAnew(store: Store): Promise<string> {
  using out = makePlace()
  try {
    await using other = await recompressed(await store.image('a'), {
      compression: 'gzip',
      temporaryDirectory: out.temporary,
    })
    return other.image.digest
  } finally {
    expect(readdirSync(out.temporary)).toEqual([])
  }
}

everywhere('an export', (make, kind) => {
  for (const at of [600, 100_000, size])
    test(`I-04: a cached tar that is damaged at ${at} is no export; the next one reads the blob`, async () => {
      const { place, store, image, tar } = await filled(make)
      const right = await archive(store)
      const anew = await packedAnew(store)
      using out = makePlace()
      await write(store, 'docker-archive', out)
      place.flip(tar, at)
      const damage = { code: 'PLY_DAMAGED', message: expect.stringContaining(image.layers[0]!.diffId) }
      await expect(write(store, 'docker-archive', out)).rejects.toMatchObject(damage)
      // What was there stays, and nothing else is left.
      expect(out.files()).toHaveLength(1)
      expect(readFileSync(out.at('docker.tar')).equals(right)).toBe(true)
      expect(readdirSync(out.temporary)).toEqual([])
      expect(place.disk.fs.existsSync(tar)).toBe(false)
      expect((await archive(store)).equals(right)).toBe(true)

      ;(await store.tree('a')).close()
      place.flip(tar, at)
      await expect(packedAnew(store)).rejects.toMatchObject(damage)
      expect(await packedAnew(store)).toBe(anew)
    })

  test('I-02, I-04: without the cached tar, or an index that fits to it, the blob is read, and nothing is built', async () => {
    const { place, store, tar, index } = await filled(make)
    const { fs } = place.disk
    const right = await archive(store)
    const anew = await packedAnew(store)
    const whole = {
      tar: Buffer.from(fs.readFileSync(tar) as Buffer),
      index: Buffer.from(fs.readFileSync(index) as Buffer),
    }
    const cases: Record<string, () => void> = {
      'no tar': () => fs.rmSync(tar),
      'no index': () => fs.rmSync(index),
      neither: () => fs.rmSync(place.at('cache'), { recursive: true }),
      'a tar cut short': () => place.put(tar, whole.tar.subarray(0, 100_000)),
      'a tar with more behind it': () => place.put(tar, Buffer.concat([whole.tar, Buffer.alloc(512)])),
      'an index cut short': () => place.put(index, whole.index.subarray(0, 1000)),
      'an index that is damaged at its end': () => place.flip(index, whole.index.length - 40),
      'the index of another layer': () => {
        const other = place.names('cache', 'layers').filter((name) => name.endsWith('.erofs') && !index.endsWith(name))
        place.put(index, fs.readFileSync(place.at('cache', 'layers', other[0]!)) as Buffer)
      },
    }
    for (const [name, damage] of Object.entries(cases)) {
      damage()
      const tars = () => place.files().filter((file) => /\.tar \d+$|^blobs|^tmp/.test(file))
      const before = tars()
      expect((await archive(store)).equals(right), name).toBe(true)
      expect(await packedAnew(store), name).toBe(anew)
      expect(tars(), name).toEqual(before)
      fs.mkdirSync(place.at('cache', 'layers'), { recursive: true })
      place.put(tar, whole.tar)
      place.put(index, whole.index)
      ;(await store.tree('a')).close()
    }
  })

  test('I-04: damage to a compressed blob is found where the blob goes out, and does no harm to what is made of the cached tar', async () => {
    const { place, store, image, blob } = await filled(make)
    const right = await archive(store)
    place.flip(blob)
    for (const form of ['oci', 'oci-archive', 'dir'] as const) {
      using out = makePlace()
      await expect(write(store, form, out)).rejects.toMatchObject({
        code: 'PLY_DIGEST_MISMATCH',
        message: expect.stringContaining(image.layers[0]!.descriptor.digest),
      })
      expect(out.files()).toEqual([])
    }
    expect((await archive(store)).equals(right)).toBe(true)
    place.disk.fs.rmSync(place.at('cache'), { recursive: true })
    await expect(archive(store)).rejects.toMatchObject({
      code: expect.stringMatching(/^PLY_(DIGEST_MISMATCH|BAD_COMPRESSION)$/),
    })
  })

  test('I-04: damage to a blob that is the tar itself is found by its digest, and the blob stays', async () => {
    const { place, store, image, plain } = await filled(make)
    const content = Buffer.from(place.disk.fs.readFileSync(plain) as Buffer)
    for (const damage of [() => place.flip(plain), () => place.put(plain, content.subarray(0, 100_000))]) {
      damage()
      for (const form of Object.keys(forms) as Form[]) {
        using out = makePlace()
        await expect(write(store, form, out), form).rejects.toMatchObject({
          code: expect.stringMatching(/^PLY_(DIGEST|SIZE)_MISMATCH$/),
          message: expect.stringContaining(image.layers[1]!.diffId),
        })
        expect(out.files()).toEqual([])
      }
      expect(place.disk.fs.existsSync(plain)).toBe(true)
    }
    place.disk.fs.rmSync(plain)
    await expect(archive(store)).rejects.toMatchObject({ code: 'PLY_BLOB_NOT_FOUND' })
  })

  test('of a store that is open for reading only removes no damaged tar, and says which one it is', async () => {
    const { place, tar } = await filled(make)
    place.flip(tar)
    const store = await place.open({ readOnly: true })
    await expect(archive(store)).rejects.toMatchObject({ code: 'PLY_DAMAGED', message: expect.stringContaining(tar) })
    expect(place.disk.fs.existsSync(tar)).toBe(true)
  })

  test('into another store takes the same image', async () => {
    const { store, image } = await filled(make)
    const other = await (await make()).open()
    expect((await other.write(await store.image('a'), 'b')).digest).toBe(image.digest)
    for (const [i, layer] of (await other.image('b')).layers.entries())
      expect((await bytesIn(layer.compressed())).equals(await bytesIn(image.layers[i]!.compressed()))).toBe(true)
  })

  test('a layer made of another one’s parts does not go out with the other one’s tar', async () => {
    const { store } = await filled(make)
    const [packed] = (await store.image('a')).layers
    const fresh = await gzipLayer({ '/other': noise(1000) })
    const image = append(scratch, { ...packed!, ...fresh })
    for (const form of Object.keys(forms) as Form[]) {
      using out = makePlace()
      await (await openSink(forms[form](out))).write(image)
      await using source = await openSource(forms[form](out))
      const [layer] = (await source.image()).layers
      expect(layer!.diffId).toBe(fresh.diffId)
      expect((await bytesIn(layer!.uncompressed())).equals(await bytesIn(fresh.uncompressed()))).toBe(true)
    }
  })

  if (kind === 'disk')
    test('that is aborted answers within 100 ms and leaves nothing behind', async () => {
      const place = await make()
      const store = await place.open()
      const large = Buffer.alloc(96 << 20, 'pattern')
      await store.write(append(append(scratch, await gzipLayer({ '/a': large })), layerFrom({ '/b': large })), 'a')
      for (const form of Object.keys(forms) as Form[])
        for (const after of [1, 40, 97]) {
          using out = makePlace()
          const stop = new AbortController()
          let stopped = 0
          let told = 0
          const onProgress = () => {
            if (++told !== after) return
            stopped = performance.now()
            stop.abort()
          }
          const sink = await openSink(forms[form](out), { temporaryDirectory: out.temporary })
          const writing = sink.write(await store.image('a'), undefined, { signal: stop.signal, onProgress })
          await expect(writing, `${form} ${after}`).rejects.toMatchObject({ code: 'PLY_ABORTED' })
          expect(performance.now() - stopped).toBeLessThan(prompt)
          expect(out.files()).toEqual([])
        }
    })

  if (kind === 'disk' && process.platform === 'linux')
    test('leaves no descriptor open, however it ends', async () => {
      const { place, store, tar, index, blob, plain } = await filled(make)
      await archive(store)
      const before = descriptors()
      for (const path of [tar, index, blob, plain]) {
        const bytes = Buffer.from(place.disk.fs.readFileSync(path) as Buffer)
        for (const content of [Buffer.alloc(0), bytes.subarray(0, 1000), Buffer.alloc(bytes.length, 7)]) {
          place.put(path, content)
          for (const form of Object.keys(forms) as Form[]) {
            using out = makePlace()
            await write(store, form, out).catch(() => {})
          }
          await packedAnew(store).catch(() => {})
        }
        place.put(path, bytes)
      }
      expect(descriptors()).toEqual(before)
    })
})
