import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { chainIds, digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { layerAlone } from '../../src/trace/index.ts'
import { gzipLayer } from '../support/images.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { archive } from '../tar/raw.ts'
import { forms } from '../tar/sparse-forms.ts'
import { everywhere, noise, type StorePlace } from './places.ts'

const depth = 12

/** `deep`, which is folded when it is opened: every second layer compressed, one with a sparse file; `flat`, of a few layers that are not. */
async function furnished(make: () => Promise<StorePlace>) {
  const place = await make()
  const store = await place.open({ upperForm: 'portable' })
  const sparse = archive(forms['1.0']({ name: 'sparse', size: 300_000, runs: [[200_000, Buffer.from('far')]] }))
  const descriptor = { mediaType: mediaTypes.ociLayer, digest: digestOf(sparse), size: sparse.length }
  let deep = append(
    scratch,
    layerFromBlob(descriptor, descriptor.digest, () => streamOf(memoryBytes(sparse))),
  )
  while (deep.layers.length < depth) {
    const number = deep.layers.length
    const files = { [`/own-${number}`]: noise(100_000), '/etc/shared': `${number}` }
    deep = append(deep, number % 2 === 0 ? layerFrom(files) : await gzipLayer(files))
  }
  const flat = append(append(scratch, await gzipLayer({ '/a': noise(90_000) })), layerFrom({ '/b': noise(90_000) }))
  await store.write(deep, 'deep')
  await store.write(flat, 'flat')
  for (const name of ['deep', 'flat']) (await store.tree(name)).close()
  const caches = () => [...place.names('cache', 'layers'), ...place.names('cache', 'trees')]
  /** The files of caches that are of an image. */
  const of = ({ layers }: typeof deep) => {
    const digests = [...layers.map(({ diffId }) => diffId), ...chainIds(layers.map(({ diffId }) => diffId))]
    return caches().filter((name) => digests.some((digest) => digest.endsWith(name.slice(0, 64))))
  }
  return { place, store, deep, flat, caches, of }
}

everywhere('what is open while a collection takes caches', (make, kind) => {
  for (const name of ['deep', 'flat'] as const)
    test(`is read to its end, and the rest goes: ${name === 'deep' ? 'a folded tree' : 'layers that are not folded'}`, async () => {
      const { place, store, caches, of, ...images } = await furnished(make)
      const tree = await store.tree(name)
      const whole = of(images[name])
      expect(whole.length).toBeGreaterThan(2)
      const dry = await store.collect({ caches: 0, dryRun: true })
      const real = await store.collect({ caches: 0 })
      expect(real).toEqual(dry)
      expect(real.files.length).toBeGreaterThan(0)
      expect(real.open.length).toBeGreaterThan(0)
      expect(caches()).toEqual(whole)
      const read = treeEntries(tree)
      expect(treeEntries(tree)).toEqual(read)
      tree.close()
      expect((await store.collect({ caches: 0 })).open).toEqual([])
      expect(caches()).toEqual([])
      using again = closing(await store.tree(name))
      expect(treeEntries(again.tree)).toEqual(read)
      expect(place.names('tmp')).toEqual([])
    })

  test('is read to its end when nothing needs the image any more', async () => {
    const { place, store, deep, of } = await furnished(make)
    const whole = await read(store, 'deep')
    const tree = await store.tree('deep')
    const layers = await store.layers('flat')
    await store.untag('deep')
    await store.untag('flat')
    await store.collect()
    expect(of(deep).length).toBeGreaterThan(depth)
    for (const thing of [...of(deep), deep.layers[0]!.descriptor.digest]) {
      const whys = (await store.explain(thing.replace(/\..*/, ''))).map(({ chains }) => chains[0]?.[0]?.holder)
      expect(new Set(whys), thing).toEqual(new Set(['whoever has it open']))
    }
    expect(treeEntries(tree)).toEqual(whole)
    expect(treeEntries(layerAlone(layers, 0)).map(({ path }) => path)).toEqual(['', 'a'])
    expect(treeEntries(layerAlone(layers, 1)).map(({ path }) => path)).toEqual(['', 'b'])
    tree.close()
    layers.close()
    await store.collect()
    expect([...place.names('cache', 'layers'), ...place.names('cache', 'trees')]).toEqual([])
    expect(place.names('blobs', 'sha256')).toEqual([])
  })

  test('is a container that somebody else has removed: what it stands on is read to its end', async () => {
    const { place, store } = await furnished(make)
    await (await store.containers.create('c', 'deep')).close()
    await store.untag('deep')
    await using other = await place.open({ readOnly: true })
    await using container = await other.containers.open('c', { readOnly: true })
    await store.containers.remove('c')
    await store.collect({ caches: 0 })
    for (let number = 1; number < depth; number++)
      expect(container.fs.readFileSync(`/own-${number}`)).toHaveLength(100_000)
  })

  test('is a container: what it stands on stays whatever the budget, open or not', async () => {
    const { store, deep, caches, of } = await furnished(make)
    await using container = await store.containers.create('c', 'deep')
    const whole = of(deep)
    await store.collect({ caches: 0 })
    expect(caches()).toEqual(whole)
    for (let number = 1; number < depth; number++)
      expect(container.fs.readFileSync(`/own-${number}`)).toHaveLength(100_000)
    await container.close()
    expect(await store.collect({ caches: 0 })).toMatchObject({ files: [], open: [] })
    expect(caches()).toEqual(whole)
  })

  test('says EIO where somebody removed a cache by hand, not that the file is not there; opening it again builds it', async () => {
    const { place, store, deep } = await furnished(make)
    const whole = await read(store, 'deep')
    const hexOf = (number: number) => deep.layers[number]!.diffId.slice(7)
    for (const gone of [
      place.at('cache', 'layers', `${hexOf(1)}.tar`),
      place.at('cache', 'layers', `${hexOf(1)}.erofs`),
      place.at('cache', 'layers', `${hexOf(2)}.erofs`),
    ]) {
      const tree = await store.tree('deep')
      place.disk.fs.rmSync(gone)
      const own = tree.lookup(tree.root, gone.includes(hexOf(1)) ? 'own-1' : 'own-2')!
      expect(() => tree.open(own)).toThrow(expect.objectContaining({ code: 'EIO', path: gone }))
      tree.close()
      expect(await read(store, 'deep')).toEqual(whole)
    }
  })

  if (kind === 'memory') return

  test('is seen by the stores below, when it is theirs', async () => {
    const { place, caches, store } = await furnished(make)
    const { storeOn } = await import('../../src/store/open-store.ts')
    await using above = await storeOn(place.disk, join(place.root, '..', 'above'), { below: [place.root] })
    const before = caches()
    const [deep, flat] = [await above.tree('deep'), await above.tree('flat')]
    await store.collect({ caches: 0 })
    expect(caches()).toEqual(before)
    for (const tree of [deep, flat]) {
      expect(treeEntries(tree).length).toBeGreaterThan(1)
      tree.close()
    }
  })

  test('is let go by a process that dies', async () => {
    const { store, place, caches, deep } = await furnished(make)
    const index = place.at(
      'cache',
      'trees',
      `${chainIds(deep.layers.map(({ diffId }) => diffId))
        .at(-1)!
        .slice(7)}.erofs`,
    )
    const child = spawn('flock', ['--shared', index, 'sh', '-c', 'echo held; exec sleep 100'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    await once(child.stdout, 'data')
    expect((await store.collect({ caches: 0 })).open.length).toBeGreaterThan(depth)
    expect(existsSync(index)).toBe(true)
    process.kill(-child.pid!, 'SIGKILL')
    await once(child, 'close')
    expect((await store.collect({ caches: 0 })).open).toEqual([])
    expect(caches()).toEqual([])
  })
})

async function read(store: { tree(name: string): Promise<Tree> }, name: string) {
  using open = closing(await store.tree(name))
  return treeEntries(open.tree)
}

const closing = (tree: Tree) => ({ tree, [Symbol.dispose]: () => tree.close() })
