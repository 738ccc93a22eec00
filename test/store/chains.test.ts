import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { configure } from '../../src/image/configure.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { chainIds, hexOf } from '../../src/model/digest.ts'
import { gzipLayer } from '../support/images.ts'
import { contentAt } from '../support/plain-tree.ts'
import { everywhere } from './places.ts'

const bottom = { '/etc/a': 'below', '/etc/b': 'below' }
const top = { '/etc/b': 'above' }

everywhere('caches of layers and trees', (make) => {
  test('A-04: a folded tree is known by the chain of its layers, whatever image has them and however they are compressed', async () => {
    const place = await make()
    await using store = await place.open()
    const plain = append(append(scratch, layerFrom(bottom)), layerFrom(top))
    const packed = append(append(scratch, await gzipLayer(bottom)), await gzipLayer(top))
    const over = append(append(scratch, layerFrom({ '/etc/a': 'other' })), layerFrom(top))
    const images = { plain, packed, over, named: configure(plain, { entrypoint: ['/etc/a'] }) }
    for (const [name, image] of Object.entries(images)) {
      await store.write(image, name)
      // A container stands on the folded tree.
      await using _ = await store.containers.create(name, name)
    }
    const chains = [plain, over].map(({ layers }) => chainIds(layers.map(({ diffId }) => diffId)).at(-1)!)
    const trees = place.names('cache', 'trees').filter((name) => name.endsWith('.erofs'))
    expect(trees).toEqual(chains.map((chainId) => `${hexOf(chainId)}.erofs`).sort())
    for (const name of Object.keys(images)) {
      const tree = await store.tree(name)
      expect(['etc/a', 'etc/b'].map((path) => contentAt(tree, path))).toEqual([
        name === 'over' ? 'other' : 'below',
        'above',
      ])
      tree.close()
    }
  })

  test('I-02: the tar comes back from the blob, and the index from the tar without it', async () => {
    const place = await make()
    await using store = await place.open()
    const layer = await gzipLayer(bottom)
    await store.write(append(scratch, layer), 'a')
    const tar = place.at('cache', 'layers', `${hexOf(layer.diffId)}.tar`)
    const index = place.at('cache', 'layers', `${hexOf(layer.diffId)}.erofs`)
    const { fs } = place.disk
    const before = [tar, index].map((path) => Buffer.from(fs.readFileSync(path) as Uint8Array))
    const read = async () => {
      const tree = await store.tree('a')
      expect(contentAt(tree, 'etc/a')).toBe('below')
      tree.close()
      return [tar, index].map((path) => Buffer.from(fs.readFileSync(path) as Uint8Array))
    }
    fs.rmSync(tar)
    expect(await read()).toEqual(before)
    fs.rmSync(index)
    fs.rmSync(place.blob(layer.descriptor.digest))
    expect(await read()).toEqual(before)
  })
})
