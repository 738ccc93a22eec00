import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { chainIds } from '../../src/model/digest.ts'
import type { Store } from '../../src/store/store.ts'
import { gzipLayer } from '../support/images.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { descriptors, everywhere, noise, type StorePlace } from './places.ts'

const depth = 12

/** An image of many layers, every second one compressed, that is folded. */
async function folded(make: () => Promise<StorePlace>) {
  const place = await make()
  const store = await place.open()
  let image = scratch
  for (let i = 0; i < depth; i++) {
    const files = { [`/own-${i}`]: noise(100_000), [`/from-${i}/name`]: `${i}` }
    image = append(image, i % 2 === 0 ? await gzipLayer(files) : layerFrom(files))
  }
  await store.write(image, 'deep')
  await (await store.containers.create('c', 'deep')).close()
  const diffIds = image.layers.map(({ diffId }) => diffId)
  const cache = (number: number, kind: 'tar' | 'erofs') =>
    place.at('cache', 'layers', `${diffIds[number]!.slice(7)}.${kind}`)
  const treeOf = (layers: number) =>
    place.at('cache', 'trees', `${chainIds(diffIds.slice(0, layers)).at(-1)!.slice(7)}.erofs`)
  return { place, store, image, cache, treeOf }
}

async function readAll(store: Store) {
  const tree = await store.tree('deep')
  try {
    return treeEntries(tree)
  } finally {
    tree.close()
  }
}

everywhere('opening a folded tree', (make, kind) => {
  test('looks for what its layers need, and builds what is gone, one file at a time or all at once', async () => {
    const { place, store, cache } = await folded(make)
    const whole = await readAll(store)
    const files = place.files()
    for (const gone of [
      [cache(0, 'erofs')],
      [cache(3, 'erofs')],
      [cache(2, 'tar')],
      [cache(4, 'tar'), cache(4, 'erofs')],
    ]) {
      for (const path of gone) place.disk.fs.rmSync(path)
      const tree = await store.tree('deep')
      expect(place.files()).toEqual(files)
      tree.close()
      expect(await readAll(store)).toEqual(whole)
    }
    place.disk.fs.rmSync(place.at('cache', 'layers'), { recursive: true })
    expect(await readAll(store)).toEqual(whole)
    expect(place.files()).toEqual(files)
  })

  test('of a store open for reading only needs all of it, or says so', async () => {
    const { place, store, cache } = await folded(make)
    const whole = await readAll(store)
    const reader = await place.open({ readOnly: true })
    expect(await readAll(reader)).toEqual(whole)
    place.disk.fs.rmSync(cache(5, 'erofs'))
    await expect(readAll(reader)).rejects.toMatchObject({ code: 'PLY_STORE_READ_ONLY' })
    await readAll(store)
    expect(await readAll(reader)).toEqual(whole)
  })

  test('tells which blob is gone', async () => {
    const { place, store, image } = await folded(make)
    const { diffId } = image.layers[1]!
    place.disk.fs.rmSync(place.blob(diffId))
    await expect(store.tree('deep')).rejects.toMatchObject({
      code: 'PLY_BLOB_NOT_FOUND',
      details: { digest: diffId },
    })
  })

  test('believes a tar of another size no more than a damaged one: reading tells, the next opening heals', async () => {
    const { place, store, image, cache } = await folded(make)
    const whole = await readAll(store)
    const tar = Buffer.from(place.disk.fs.readFileSync(cache(6, 'tar')) as Buffer)
    for (const content of [tar.subarray(0, 5000), Buffer.concat([tar, Buffer.alloc(512)]), Buffer.alloc(0)]) {
      place.put(cache(6, 'tar'), content)
      await expect(readAll(store)).rejects.toMatchObject({
        code: 'PLY_DAMAGED',
        message: expect.stringMatching(`the cached tar of layer ${image.layers[6]!.diffId}.*open it again`),
      })
      expect(await readAll(store)).toEqual(whole)
    }
    const blob = place.blob(image.layers[7]!.diffId)
    place.put(blob, (place.disk.fs.readFileSync(blob) as Buffer).subarray(0, 5000))
    await expect(readAll(store)).rejects.toMatchObject({
      code: 'PLY_DAMAGED',
      message: expect.stringContaining(`the blob of layer ${image.layers[7]!.diffId}`),
    })
    expect(place.disk.fs.existsSync(blob)).toBe(true)
  })

  test('believes no index of something else under its name', async () => {
    const { place, store, cache, treeOf } = await folded(make)
    const whole = await readAll(store)
    const tree = Buffer.from(place.disk.fs.readFileSync(treeOf(depth)) as Buffer)
    place.put(treeOf(depth), place.disk.fs.readFileSync(cache(1, 'erofs')) as Buffer)
    expect(await readAll(store)).toEqual(whole)
    expect(Buffer.compare(place.disk.fs.readFileSync(treeOf(depth)) as Buffer, tree)).toBe(0)
    const index = Buffer.from(place.disk.fs.readFileSync(cache(0, 'erofs')) as Buffer)
    place.put(cache(0, 'erofs'), place.disk.fs.readFileSync(cache(1, 'erofs')) as Buffer)
    await expect(readAll(store)).rejects.toMatchObject({ code: 'PLY_BAD_INDEX' })
    expect(await readAll(store)).toEqual(whole)
    expect(Buffer.compare(place.disk.fs.readFileSync(cache(0, 'erofs')) as Buffer, index)).toBe(0)
  })

  if (kind === 'disk' && process.platform === 'linux')
    test('opens its own index and no other file before content is read', async () => {
      const { store, cache, treeOf } = await folded(make)
      const before = descriptors()
      const tree = await store.tree('deep')
      const opened = () => descriptors().filter((path) => !before.includes(path))
      for (const { ino } of tree.list(tree.root)) tree.stat(ino)
      expect(opened()).toEqual([treeOf(depth)])
      tree.open(tree.lookup(tree.root, 'own-2')!).close()
      expect(opened()).toEqual([cache(2, 'tar'), treeOf(depth)].sort())
      tree.close()
      expect(descriptors()).toEqual(before)
    })
})
