import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { chainIds } from '../../src/model/digest.ts'
import { codeOf } from '../../src/model/errors.ts'
import type { Store } from '../../src/store/store.ts'
import { bytesIn } from '../support/collect.ts'
import { gzipLayer } from '../support/images.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { descriptors, everywhere, noise, type StorePlace } from './places.ts'

const size = 300_000

async function filled(make: () => Promise<StorePlace>) {
  const place = await make()
  const store = await place.open()
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`/dir/file-${i}-${'n'.repeat(40)}`, `${i}`]))
  const image = append(
    append(scratch, await gzipLayer({ '/packed': noise(size), ...many })),
    layerFrom({ '/plain': noise(size) }),
  )
  await store.write(image, 'a')
  const hex = image.layers.map(({ diffId }) => diffId.slice(7))
  const caches = {
    tar: place.at('cache', 'layers', `${hex[0]}.tar`),
    index: place.at('cache', 'layers', `${hex[0]}.erofs`),
    tree: place.at(
      'cache',
      'trees',
      `${chainIds(image.layers.map(({ diffId }) => diffId))
        .at(-1)!
        .slice(7)}.erofs`,
    ),
  }
  return { place, store, image, caches, blob: place.blob(image.layers[1]!.diffId) }
}

/** Reads everything, and answers what was there. */
async function readAll(store: Store) {
  const tree = await store.tree('a')
  try {
    return treeEntries(tree)
  } finally {
    tree.close()
  }
}

async function failure(attempt: Promise<unknown>): Promise<{ code?: string; message: string }> {
  return attempt.then(
    () => {
      throw new Error('it did not fail')
    },
    (error) => error,
  )
}

everywhere('damage', (make, kind) => {
  test('to a cached tar is told with its layer when it is read, and healed by the next opening', async () => {
    const { place, store, image, caches } = await filled(make)
    const whole = await readAll(store)
    const bytes = Buffer.from(place.disk.fs.readFileSync(caches.tar) as Buffer)
    for (const at of [600, 100_000, 250_000]) {
      place.flip(caches.tar, at)
      const error = await failure(readAll(store))
      expect(error.code).toBe('PLY_DAMAGED')
      expect(error.message).toContain(image.layers[0]!.diffId)
      expect(error.message).toContain('open it again')
      expect(await readAll(store)).toEqual(whole)
      expect(Buffer.compare(place.disk.fs.readFileSync(caches.tar) as Buffer, bytes)).toBe(0)
    }
    // One that is too short or too long is noticed without being read.
    for (const content of [bytes.subarray(0, 1000), Buffer.concat([bytes, Buffer.alloc(512)]), Buffer.alloc(0)]) {
      place.put(caches.tar, content)
      expect(await readAll(store)).toEqual(whole)
    }
  })

  test('to a cached index or tree at any place is healed at once or by the next opening', async () => {
    const { place, store, caches } = await filled(make)
    await (await store.containers.create('c', 'a')).close()
    const whole = await readAll(store)
    const wholeOrTold = async () => {
      const found = await readAll(store).catch((error) => error)
      if (!(found instanceof Error)) return expect(found).toEqual(whole)
      expect(codeOf(found)).toBe('PLY_BAD_INDEX')
      expect(found.message).toMatch(/sha256:.*open it again/)
    }
    for (const path of [caches.index, caches.tree]) {
      const bytes = Buffer.from(place.disk.fs.readFileSync(path) as Buffer)
      expect(bytes.length).toBeGreaterThan(200_000)
      for (const part of [0.001, 0.2, 0.5, 0.7, 0.95, 0.9999]) {
        place.flip(path, Math.floor(bytes.length * part))
        await wholeOrTold()
        expect(await readAll(store)).toEqual(whole)
        // Whatever was not looked at is still there as it was damaged.
        place.disk.fs.rmSync(path, { force: true })
        await using _ = await store.containers.open('c')
        expect(Buffer.compare(place.disk.fs.readFileSync(path) as Buffer, bytes)).toBe(0)
      }
      for (const content of [bytes.subarray(0, 1000), Buffer.alloc(0), Buffer.from('something else')]) {
        place.put(path, content)
        await wholeOrTold()
        expect(await readAll(store)).toEqual(whole)
        await using _ = await store.containers.open('c')
        expect(Buffer.compare(place.disk.fs.readFileSync(path) as Buffer, bytes)).toBe(0)
      }
    }
  })

  test('to all caches at once heals in two openings at most, while folding too', async () => {
    const { place, store, caches } = await filled(make)
    const whole = await readAll(store)
    place.flip(caches.index)
    await using container = await store.containers.create('c', 'a')
    expect(container.fs.readdirSync('/dir')).toHaveLength(3000)
    await container.close()
    for (const path of Object.values(caches)) place.flip(path)
    for (let i = 0; i < 3; i++)
      await readAll(store).catch((error) => expect(codeOf(error)).toMatch(/PLY_(BAD_INDEX|DAMAGED)/))
    expect(await readAll(store)).toEqual(whole)
  })

  test('to an uncompressed blob is found by page checksums, and no export hands it out', async () => {
    const { place, store, image, blob } = await filled(make)
    const whole = await readAll(store)
    const bytes = Buffer.from(place.disk.fs.readFileSync(blob) as Buffer)
    place.flip(blob)
    const error = await failure(readAll(store))
    expect(error.code).toBe('PLY_DAMAGED')
    expect(error.message).toMatch(/the blob of layer sha256:.*import them again/)
    expect(error.message).toContain(image.layers[1]!.diffId)
    expect(place.disk.fs.existsSync(blob)).toBe(true)
    const { layers } = await store.image('a')
    expect((await failure(bytesIn(layers[1]!.compressed()))).code).toBe('PLY_DIGEST_MISMATCH')
    expect((await failure(bytesIn(layers[1]!.uncompressed()))).code).toBe('PLY_DIGEST_MISMATCH')
    // Nothing is built from it.
    place.disk.fs.rmSync(place.at('cache'), { recursive: true })
    expect((await failure(store.tree('a'))).code).toBe('PLY_DIGEST_MISMATCH')
    place.disk.fs.rmSync(blob)
    expect((await failure(store.tree('a'))).code).toBe('PLY_BLOB_NOT_FOUND')
    place.put(blob, bytes)
    expect(await readAll(store)).toEqual(whole)
  })

  test('to a compressed blob is found when it is exported or its caches are built', async () => {
    const { place, store, image } = await filled(make)
    const path = place.blob(image.layers[0]!.descriptor.digest)
    place.flip(path)
    await readAll(store)
    const { layers } = await store.image('a')
    expect((await failure(bytesIn(layers[0]!.compressed()))).code).toBe('PLY_DIGEST_MISMATCH')
    const before = place.files().filter((name) => !name.startsWith('cache'))
    place.disk.fs.rmSync(place.at('cache'), { recursive: true })
    expect((await failure(store.tree('a'))).code).toMatch(/PLY_(DIGEST_MISMATCH|BAD_COMPRESSION)/)
    expect(place.files().filter((name) => !name.startsWith('cache'))).toEqual(before)
  })

  test('to any blob, of whatever size, is healed by importing the image again', async () => {
    const { place, store, image } = await filled(make)
    const whole = await readAll(store)
    const blobs = [
      image.digest,
      image.manifest.config.digest,
      ...image.layers.map(({ descriptor }) => descriptor.digest),
    ]
    for (const digest of blobs) {
      const path = place.blob(digest)
      const bytes = Buffer.from(place.disk.fs.readFileSync(path) as Buffer)
      const damages = [
        () => place.flip(path, Math.floor(Math.random() * bytes.length)),
        () => place.put(path, Buffer.alloc(bytes.length)),
        () => place.put(path, bytes.subarray(0, bytes.length >> 1)),
        () => place.put(path, Buffer.alloc(0)),
        () => place.disk.fs.rmSync(path),
      ]
      for (const damage of damages) {
        damage()
        await store.write(image, 'a')
        expect(Buffer.compare(place.disk.fs.readFileSync(path) as Buffer, bytes)).toBe(0)
        expect(await readAll(store)).toEqual(whole)
      }
    }
    // What is whole is left as it is.
    const before = blobs.map((digest) => place.disk.fs.statSync(place.blob(digest)).ino)
    await store.write(image, 'a')
    expect(blobs.map((digest) => place.disk.fs.statSync(place.blob(digest)).ino)).toEqual(before)
    for (const digest of blobs) place.flip(place.blob(digest))
    await store.write(image, 'b')
    expect(await readAll(store)).toEqual(whole)
    expect(place.names('tmp')).toEqual([])
  })

  if (kind === 'disk' && process.platform === 'linux')
    test('leaves no descriptor open', async () => {
      const { place, store, caches, blob } = await filled(make)
      await (await store.containers.create('c', 'a')).close()
      await readAll(store)
      const before = descriptors()
      for (const path of [...Object.values(caches), blob]) {
        const bytes = Buffer.from(place.disk.fs.readFileSync(path) as Buffer)
        for (const content of [Buffer.alloc(0), bytes.subarray(0, 1000), Buffer.alloc(bytes.length, 7)]) {
          place.put(path, content)
          for (let i = 0; i < 2; i++) {
            await readAll(store).catch(() => {})
            await store.containers.open('c').then(
              (container) => container.close(),
              () => {},
            )
          }
        }
        place.put(path, bytes)
      }
      await store.tree('nothing').catch(() => {})
      await store.containers.open('nothing').catch(() => {})
      await store.containers.create('c', 'a').catch(() => {})
      expect(descriptors()).toEqual(before)
    })
})
