import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import type { Layer } from '../../src/image/image.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { digestOf } from '../../src/model/digest.ts'
import { partsToWrite } from '../../src/model/zero-blocks.ts'
import { collect } from '../../src/stream/collect.ts'
import { fileSink } from '../../src/sys/file-sink.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { gzipLayer } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { placeAt } from './places.ts'

const mebibyte = 1 << 20

test('what is left out are whole blocks of zeros, wherever the chunks begin', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.nat(200_000)), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 5 }),
      (runs, steps) => {
        const content = Buffer.concat(runs.map(([zero, length]) => Buffer.alloc(length, zero ? 0 : 'x')))
        const made = Buffer.alloc(content.length)
        let written = 0
        for (let at = 0, step = 0; at < content.length; step++) {
          const chunk = content.subarray(at, at + steps[step % steps.length]!)
          for (const { start, end } of partsToWrite(chunk, at)) {
            chunk.copy(made, at + start, start, end)
            written += end - start
          }
          at += chunk.length
        }
        expect(made.equals(content)).toBe(true)
        const data = runs.reduce((sum, [zero, length]) => sum + (zero ? 0 : length), 0)
        expect(written).toBeGreaterThanOrEqual(data)
      },
    ),
    { numRuns: 200 },
  )
})

const full = { '/a': randomBytes(100_000), '/zeros': Buffer.alloc(24 * mebibyte), '/b': randomBytes(100_000) }
const layers: readonly (readonly [string, () => Promise<Layer>])[] = [
  ['a layer that travels as it is', async () => layerFrom(full)],
  ['a compressed layer', () => gzipLayer(full)],
]
for (const [what, make] of layers) {
  test(`${what} takes no room for its long runs of zeros, and comes out as it went in`, async () => {
    const place = placeAt(nodeDisk(), join(temporary(), 'store'))
    await using store = await place.open()
    const layer = await make()
    await store.write(append(scratch, layer), 'a')
    const plain = layer.descriptor.digest === layer.diffId
    const tar = plain ? place.blob(layer.diffId) : place.at('cache', 'layers', `${layer.diffId.slice(7)}.tar`)
    const { size, blocks } = statSync(tar)
    expect(size).toBeGreaterThan(24 * mebibyte)
    expect(blocks * 512).toBeLessThan(mebibyte)
    const [out] = (await store.image('a')).layers
    expect(digestOf(await collect(out!.uncompressed(), 1 << 30))).toBe(layer.diffId)
    expect((await store.accounting()).layers[0]!.stored).toBeLessThan(2 * mebibyte)
    expect((await store.fsck({ level: 'caches' })).findings).toEqual([])
  })
}

test('a file that ends in zeros is as long as what was written', async () => {
  const path = join(temporary(), 'file')
  nodeDisk().fs.writeFileSync(path, '')
  const sink = fileSink(path)
  sink.write(Buffer.alloc(1000, 'x'))
  for (let at = 0; at < 10; at++) sink.write(Buffer.alloc(mebibyte))
  await sink.close()
  await sink.close()
  expect(statSync(path).size).toBe(1000 + 10 * mebibyte)
  const place = placeAt(nodeDisk(), join(temporary(), 'store'))
  await using store = await place.open()
  const layer = layerFrom({ '/only': Buffer.alloc(3 * mebibyte) })
  await store.write(append(scratch, layer), 'a')
  expect(statSync(place.blob(layer.diffId)).size).toBe(layer.descriptor.size)
})
