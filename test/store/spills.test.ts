import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { diskBlobStore } from '../../src/blob/disk-blob-store.ts'
import { diff, packTree } from '../../src/diff/index.ts'
import { append, scratch } from '../../src/image/append.ts'
import type { Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { packLayer } from '../../src/layer/pack.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { Acceptances } from '../../src/store/intake/acceptances.ts'
import { Layers } from '../../src/store/layers/layers.ts'
import { layoutOf } from '../../src/store/layout.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { bytesIn, valuesOf } from '../support/collect.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { archive, member } from '../tar/raw.ts'
import { expanded, forms, type SparseSpec, shapes } from '../tar/sparse-forms.ts'
import { everywhere, type StorePlace } from './places.ts'

const mebibyte = 1 << 20
const specs = shapes(5000).map((spec, i): SparseSpec => ({ ...spec, name: `f${i}` }))
const large: SparseSpec = { name: 'large', size: 9 * mebibyte, runs: [[8 * mebibyte, Buffer.from('far')]] }
const sparseTar = archive(...[...specs, large].map((spec) => forms['1.0'](spec)), member({ name: 'z' }, 'plain'))
const fullTar = archive(
  ...[...specs, large].map((spec) => member({ name: spec.name }, expanded(spec))),
  member({ name: 'z' }, 'plain'),
)

function layerOfTar(tar: Buffer, compressed: boolean): Layer {
  const blob = compressed ? gzipSync(tar) : tar
  const mediaType = compressed ? mediaTypes.ociLayerGzip : mediaTypes.ociLayer
  const descriptor = { mediaType, digest: digestOf(blob), size: blob.length }
  return layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(blob)))
}

function layersAt({ disk, root }: StorePlace, writable = true): Layers {
  const layout = layoutOf(root)
  const blobs = diskBlobStore({ disk, root, tmp: layout.tmp })
  return new Layers({ disk, layout, blobs, zstd: undefined, acceptances: new Acceptances(disk, layout), writable })
}

const at = (tree: Tree, name: string) => tree.lookup(tree.root, name)!

function readFile(tree: Tree, name: string): Buffer {
  const content = tree.open(at(tree, name))
  const whole = Buffer.alloc(content.size, 0xee)
  expect(content.read(whole, 0)).toBe(whole.length)
  content.close()
  return whole
}

everywhere('sparse layers in a store', (make, kind) => {
  test.each([true, false])(
    'S-04, S-05: are read, folded, compared and exported as full ones (compressed: %s)',
    async (compressed) => {
      const place = await make()
      await using store = await place.open()
      const layer = layerOfTar(sparseTar, compressed)
      const image = append(append(scratch, layer), layerFrom({ '/new': 'new' }))
      await store.write(image, 'sparse')
      await store.write(append(append(scratch, layerOfTar(fullTar, compressed)), layerFrom({ '/new': 'new' })), 'full')
      // A container folds the stack.
      for (const name of ['sparse', 'full']) await (await store.containers.create(`c-${name}`, name)).close()
      const [tree, full] = [await store.tree('sparse'), await store.tree('full')]
      for (const spec of [...specs, large]) {
        expect(readFile(tree, spec.name).equals(expanded(spec)), spec.name).toBe(true)
      }
      expect(await valuesOf(diff(tree, full))).toEqual([])
      expect(treeEntries(tree)).toEqual(treeEntries(full))
      const packed = await bytesIn(packLayer(packTree(tree)))
      expect(packed.equals(await bytesIn(packLayer(packTree(full))))).toBe(true)
      tree.close()
      full.close()
      // Nothing that only mounts need was made.
      expect(place.names('cache', 'layers').filter((name) => name.endsWith('.spill'))).toEqual([])
      const stored = await store.image('sparse')
      expect(digestOf(await bytesIn(stored.layers[0]!.compressed()))).toBe(layer.descriptor.digest)
      expect((await bytesIn(stored.layers[0]!.uncompressed())).equals(sparseTar)).toBe(true)
    },
  )

  test('S-06: a sparse file is copied up, changed and committed', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(append(scratch, layerOfTar(sparseTar, true)), 'a')
    const work = await store.containers.create('work', 'a')
    const before = expanded(specs[2]!)
    const handle = work.fs.openSync('/f2', 'r+')
    work.fs.writeSync(handle, Buffer.from('!'), 0, 1, 6000)
    work.fs.closeSync(handle)
    before.write('!', 6000)
    expect((work.fs.readFileSync('/f2') as Buffer).equals(before)).toBe(true)
    await store.commit(work, 'b')
    await work.close()
    const tree = await store.tree('b')
    expect(readFile(tree, 'f2').equals(before)).toBe(true)
    expect(readFile(tree, 'f3')).toEqual(expanded(specs[3]!))
    tree.close()
  })

  test('S-05: a spill file is built when a mount wants it, with its holes, and again when it is not what it should be', async () => {
    const place = await make()
    await using store = await place.open()
    const sparse = layerOfTar(sparseTar, true)
    const plain = layerFrom({ '/x': 'x' })
    await store.write(append(append(scratch, sparse), plain), 'a')
    const layers = layersAt(place)
    expect(await layers.spill(plain)).toBeUndefined()
    const path = (await layers.spill(sparse))!
    expect(path).toBe(place.at('cache', 'layers', `${sparse.diffId.slice(7)}.spill`))
    const view = layers.view(sparse)
    const { size } = view.devices[1]!
    const read = () => Buffer.from(place.disk.fs.readFileSync(path) as Uint8Array)
    const content = read()
    expect(content.length).toBe(size)
    for (const spec of [...specs, large]) {
      const verdict = view.lookup(view.root.ino, spec.name)
      const lies = verdict.says === 'entry' ? view.place(verdict.ino) : undefined
      if (!lies?.spill) continue
      expect(content.subarray(lies.offset, lies.offset + spec.size).equals(expanded(spec)), spec.name).toBe(true)
    }
    view.close()
    if (kind === 'disk') {
      const stat = place.disk.fs.statSync(path)!
      expect(stat.blocks * 512).toBeLessThan(2 * mebibyte)
      expect(stat.mode & 0o777).toBe(0o444)
      // Holes are not counted as used, nor as freed.
      expect((await store.usage()).layerCaches.bytes).toBeLessThan(4 * mebibyte)
    }
    expect(place.names('tmp')).toEqual([])

    const made = place.disk.fs.statSync(path)!.ino
    await layers.spill(sparse)
    expect(place.disk.fs.statSync(path)!.ino).toBe(made)
    for (const damage of [() => place.disk.fs.rmSync(path), () => place.put(path, content.subarray(0, size - 1))]) {
      damage()
      await expect(layersAt(place, false).spill(sparse)).rejects.toMatchObject({ code: 'PLY_STORE_READ_ONLY' })
      expect(await layers.spill(sparse)).toBe(path)
      expect(read().equals(content)).toBe(true)
    }

    await store.collect()
    expect(place.names('cache', 'layers')).toContain(`${sparse.diffId.slice(7)}.spill`)
    await store.untag('a')
    const { files, freed } = await store.collect()
    expect(files).toContain(`cache/layers/${sparse.diffId.slice(7)}.spill`)
    expect(place.names('cache', 'layers')).toEqual([])
    if (kind === 'disk') expect(freed).toBeLessThan(4 * mebibyte)
  })

  test('all caches of a sparse layer come back byte for byte, and damage to its tar is noticed through the spill', async () => {
    const place = await make()
    await using store = await place.open()
    const sparse = layerOfTar(sparseTar, true)
    await store.write(append(scratch, sparse), 'a')
    const layers = layersAt(place)
    const hex = sparse.diffId.slice(7)
    await layers.spill(sparse)
    const files = ['tar', 'erofs', 'spill'].map((end) => place.at('cache', 'layers', `${hex}.${end}`))
    const contents = () => files.map((path) => digestOf(place.disk.fs.readFileSync(path) as Uint8Array))
    const before = contents()
    for (const path of files) place.disk.fs.rmSync(path)
    await layers.spill(sparse)
    expect(contents()).toEqual(before)

    place.disk.fs.rmSync(files[2]!)
    place.flip(files[0]!, sparseTar.indexOf('far'))
    await expect(layers.spill(sparse)).rejects.toMatchObject({ code: 'PLY_DAMAGED' })
    expect(place.names('tmp')).toEqual([])
    await layers.spill(sparse)
    expect(contents()).toEqual(before)
  })

  test('an aborted spill leaves nothing behind', async () => {
    const place = await make()
    await using store = await place.open()
    const sparse = layerOfTar(sparseTar, false)
    await store.write(append(scratch, sparse), 'a')
    await expect(layersAt(place).spill(sparse, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'PLY_ABORTED',
    })
    expect(place.names('tmp')).toEqual([])
    expect(place.names('cache', 'layers').filter((name) => name.endsWith('.spill'))).toEqual([])
  })
})
