import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import type { Image, Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import type { LayerReport, WriteOptions } from '../../src/image/layer-report.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import type { Store } from '../../src/store/store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { dir, file, gone, link, named, opaque, symlink } from '../layer/parts.ts'
import { bytesIn } from '../support/collect.ts'
import { contentAt } from '../support/plain-tree.ts'
import { archive } from '../tar/raw.ts'
import { everywhere } from './places.ts'

/** A layer of these very bytes. */
function layerOfTar(tar: Buffer, blob = tar, mediaType: string = mediaTypes.ociLayer): Layer {
  const descriptor = { mediaType, digest: digestOf(blob), size: blob.length }
  return layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(blob)))
}

const layerOfParts = (...parts: Buffer[]) => layerOfTar(archive(...parts))
const imageOfLayers = (...layers: Layer[]): Image => layers.reduce((image, layer) => append(image, layer), scratch)

async function written(store: Store, image: Image, options: WriteOptions = {}): Promise<LayerReport[]> {
  const reports: LayerReport[] = []
  await store.write(image, 'a', { ...options, onReport: (report) => reports.push(report) })
  return reports
}

const rulesOf = (reports: readonly LayerReport[]) =>
  reports.map(({ warnings }) => warnings.map(({ rule, entry }) => `${rule} ${entry}`))

everywhere('an import', (make) => {
  test('reports each layer of the image, base first, with what was found and counted', async () => {
    await using store = await (await make()).open()
    const tar = archive(file('a', 'one'), file('a', 'two'), dir('d'), dir('d'), gone('x'), gone('x'))
    const blob = gzipSync(tar)
    const clean = layerFrom({ '/f': 'x' })
    const image = imageOfLayers(clean, layerOfTar(tar, blob, mediaTypes.ociLayerZstd), clean)
    const reports = await written(store, image)
    expect(reports).toMatchObject([
      { layer: 0, diffId: clean.diffId, compression: 'none', known: false, entries: 1, warningCount: 0 },
      {
        layer: 1,
        digest: digestOf(blob),
        diffId: digestOf(tar),
        size: blob.length,
        tarSize: tar.length,
        compression: 'gzip',
        known: false,
        entries: 6,
        warningCount: 4,
        warningsByRule: { 'N-12': 2, 'W-18': 1, 'Z-01': 1 },
      },
      { layer: 2, diffId: clean.diffId, known: true, entries: 0, warningCount: 0 },
    ])
    expect(rulesOf(reports)[1]).toEqual(['Z-01 the whole archive', 'N-12 a', 'N-12 d', 'W-18 .wh.x'])
  })

  test('keeps the first thousand warnings of a layer, and counts all of them by rule', async () => {
    await using store = await (await make()).open()
    const parts = Array.from({ length: 1500 }, (_, i) => [file(`f${i}`), file(`f${i}`)]).flat()
    const [report] = await written(store, imageOfLayers(layerOfParts(...parts)))
    expect(report).toMatchObject({ warningCount: 1500, warningsByRule: { 'N-12': 1500 } })
    expect(report!.warnings).toHaveLength(1000)
  })

  test('does not read again what is here, and says so; with strict it does', async () => {
    const place = await make()
    await using store = await place.open()
    const image = imageOfLayers(layerOfParts(file('a', 'one'), file('a', 'two')))
    expect(await written(store, image)).toMatchObject([{ known: false, warningCount: 1 }])
    expect(await written(store, image)).toMatchObject([{ known: true, warningCount: 0, compression: 'none' }])
    const before = place.files()
    await expect(written(store, image, { strict: true })).rejects.toMatchObject({
      code: 'PLY_BAD_LAYER',
      details: { rule: 'N-12', entry: 'a', option: 'strict' },
    })
    expect(place.files()).toEqual(before)
    const clean = imageOfLayers(layerFrom({ '/f': 'x' }))
    await written(store, clean)
    expect(await written(store, clean, { strict: true })).toMatchObject([{ known: false, entries: 1 }])
  })

  const base = layerOfParts(dir('t'), file('t/x', 'x'), symlink('l', 't'), dir('d'), symlink('d/m', '../t'))

  test('N-13: an implied directory in place of a symlink below is a warning, and an error with strict', async () => {
    const place = await make()
    await using store = await place.open()
    const between = layerFrom({ '/other': '1' })
    const above = layerOfParts(file('l/y', 'y'), file('d/m/sub/z', 'z'), file('new/dir/f'))
    const image = imageOfLayers(base, between, above)
    await expect(written(store, image, { strict: true })).rejects.toMatchObject({
      code: 'PLY_BAD_LAYER',
      details: { rule: 'N-13', option: 'strict' },
    })
    expect(place.names('blobs', 'sha256')).toEqual([])
    expect(place.names('tmp')).toEqual([])
    const reports = await written(store, image)
    expect(rulesOf(reports)).toEqual([[], [], ['N-13 l', 'N-13 d/m']])
    expect(reports[2]).toMatchObject({ layer: 2, warningCount: 2, warningsByRule: { 'N-13': 2 } })
    const tree = await store.tree('a')
    expect(contentAt(tree, 'l/y')).toBe('y')
    expect(contentAt(tree, 't/y')).toBeUndefined()
    tree.close()
  })

  test('N-13: is not said where no symlink is replaced by an implied directory', async () => {
    await using store = await (await make()).open()
    const quiet: readonly (readonly Buffer[])[] = [
      [dir('l'), file('l/y')],
      [gone('l'), file('l/y')],
      [file('d/n/y'), file('t/y')],
      [gone('l/y')],
      [opaque('d'), file('d/m/y')],
      [opaque(''), file('l/y')],
      [symlink('l', 't'), file('l/y')],
    ]
    for (const parts of quiet) {
      const reports = await written(store, imageOfLayers(base, layerOfParts(...parts)))
      expect(rulesOf(reports)[1], parts.map((part) => part.toString('latin1', 0, 20)).join()).toEqual([])
    }
    // Between them the symlink has gone already.
    const removed = imageOfLayers(base, layerOfParts(gone('l')), layerOfParts(file('l/y')))
    expect(rulesOf(await written(store, removed))).toEqual([[], [], []])
  })

  test('H-06: a hardlink to what no layer below has is refused before anything is published', async () => {
    const place = await make()
    await using store = await place.open()
    const fine = imageOfLayers(base, layerOfParts(link('e/b', 't/x'), gone('t/x')))
    expect(rulesOf(await written(store, fine))).toEqual([[], []])
    const before = place.files()
    const cases: readonly [Image, string, string][] = [
      [imageOfLayers(layerOfParts(link('e/b', 't/x'))), 'H-06', 'e/b'],
      [imageOfLayers(base, layerOfParts(link('e/b', 't/nothing'))), 'H-06', 'e/b'],
      // Symlinks below are not followed.
      [imageOfLayers(base, layerOfParts(link('b', 'l/x'))), 'H-06', 'b'],
      [imageOfLayers(base, layerOfParts(gone('t')), layerOfParts(link('b', 't/x'))), 'H-06', 'b'],
      [imageOfLayers(base, layerOfParts(link('b', 'd'))), 'H-03', 'b'],
      // A layer that is here already, over other layers than before.
      [imageOfLayers(layerFrom({ '/other': '1' }), fine.layers[1]!), 'H-06', 'e/b'],
    ]
    for (const [image, rule, entry] of cases) {
      await expect(store.write(image, 'bad'), rule).rejects.toMatchObject({
        code: 'PLY_BAD_LAYER',
        details: { rule, entry },
      })
      expect(place.files()).toEqual(before)
    }
  })

  test('with lenient takes what it would refuse, and can read it again when its caches are gone', async () => {
    const place = await make()
    await using store = await place.open()
    const tar = archive(file('a', 'x'), file('a/b', 'y'))
    const blob = Buffer.concat([gzipSync(tar), Buffer.from('left over')])
    const image = imageOfLayers(layerOfTar(tar, blob, mediaTypes.ociLayerGzip))
    await expect(written(store, image)).rejects.toMatchObject({ details: { rule: 'Z-02', option: 'lenient' } })
    const reports = await written(store, image, { lenient: true })
    expect(rulesOf(reports)).toEqual([['N-14 a/b', 'Z-02 the whole archive']])
    await store.tag('a', 'b')

    for (const directory of ['layers', 'trees']) {
      for (const name of place.names('cache', directory)) place.disk.fs.rmSync(place.at('cache', directory, name))
    }
    expect((await store.collect()).files).toEqual([])
    const tree = await store.tree('a')
    expect(contentAt(tree, 'a/b')).toBe('y')
    tree.close()
    const [layer] = (await store.image('a')).layers
    expect(digestOf(await bytesIn(layer!.uncompressed()))).toBe(digestOf(tar))
    expect(digestOf(await bytesIn(layer!.compressed()))).toBe(digestOf(blob))

    await store.untag('a')
    await store.untag('b')
    expect((await store.collect()).files).toContain(`accepted/${digestOf(tar).slice(7)}.json`)
    expect(place.names('accepted')).toEqual([])
  })

  test('section 17: takes what its budget allows, and can read it again when its caches are gone', async () => {
    const place = await make()
    await using store = await place.open()
    const deep = layerOfParts(named(`${'d/'.repeat(1500)}f`, file('-', 'deep')))
    const image = imageOfLayers(deep)
    await expect(written(store, image)).rejects.toMatchObject({
      code: 'PLY_BUDGET',
      details: { limit: 1024, option: 'limits.depth' },
    })
    await expect(written(store, image, { limits: { depth: 100 } })).rejects.toMatchObject({ details: { limit: 100 } })
    await written(store, image, { limits: { depth: 2000, entries: 5 } })
    expect(place.json('accepted', `${deep.diffId.slice(7)}.json`)).toMatchObject({ limits: { depth: 2000 } })
    for (const name of place.names('cache', 'layers')) place.disk.fs.rmSync(place.at('cache', 'layers', name))
    const tree = await store.tree('a')
    expect(contentAt(tree, `${'d/'.repeat(1500)}f`)).toBe('deep')
    tree.close()
  })

  test('section 17: a commit that needs more than its budget says so, and can be read again when it got it', async () => {
    const place = await make()
    await using store = await place.open({ upperForm: 'portable' })
    await store.write(imageOfLayers(base), 'a')
    await using container = await store.containers.create('c', 'a')
    const deep = '/d'.repeat(1030)
    await container.fs.promises.mkdir(deep, { recursive: true })
    await container.fs.promises.writeFile(`${deep}/f`, 'deep')
    await expect(store.commit(container, 'b')).rejects.toMatchObject({ details: { option: 'limits.depth' } })
    await store.commit(container, 'b', { limits: { depth: 1100 } })
    for (const name of place.names('cache', 'layers')) place.disk.fs.rmSync(place.at('cache', 'layers', name))
    const tree = await store.tree('b')
    expect(contentAt(tree, `${deep}/f`)).toBe('deep')
    tree.close()
  })

  test('of a commit reports the layer that was made', async () => {
    await using store = await (await make()).open()
    await store.write(imageOfLayers(base), 'a')
    await using container = await store.containers.create('c', 'a')
    await container.fs.promises.writeFile('/new', 'content')
    const reports: LayerReport[] = []
    const image = await store.commit(container, 'b', { onReport: (report) => reports.push(report) })
    expect(reports).toMatchObject([
      { layer: 1, digest: image.layers[1]!.diffId, known: false, warningCount: 0, entries: 1 },
    ])
  })
})
