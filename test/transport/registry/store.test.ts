import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { copy, openSource, openStore } from 'plyfs'
import { expect, test } from 'vitest'
import { append, scratch } from '../../../src/image/append.ts'
import { layerFrom } from '../../../src/image/layer-from.ts'
import { temporary } from '../../support/temporary.ts'
import { ownRegistry } from './own-registry.ts'
import { noisyImage, seed, settings } from './setting.ts'

test('many pulls of overlapping images into one store fetch each layer once', async () => {
  const registry = await ownRegistry()
  const base = noisyImage(1 << 19)
  const middle = append(base, layerFrom({ '/middle': randomBytes(100_000) }), { created_by: 'middle' })
  const images = [base, middle, append(middle, layerFrom({ '/a': randomBytes(100_000) }), { created_by: 'a' })]
  images.push(append(scratch, layerFrom({ '/alone': randomBytes(100_000) }), { created_by: 'alone' }))
  for (const [i, image] of images.entries()) await seed(registry, image, 'app', `v${i}`)
  const root = join(temporary(), 'store')
  await (await openStore(root))[Symbol.asyncDispose]()
  const pulls = Array.from({ length: 12 }, async (_, i) => {
    await using store = await openStore(root)
    const tag = `v${i % images.length}`
    await using source = await openSource(`docker://${registry.host}/app:${tag}`, { registry: settings() })
    const { digest } = await copy(source, store, { as: `app:${tag}` })
    expect(digest).toBe(images[i % images.length]!.digest)
  })
  await Promise.all(pulls)
  for (const layer of new Set(images.flatMap(({ layers }) => layers.map(({ descriptor }) => descriptor.digest))))
    expect(registry.count('GET', new RegExp(`blobs/${layer}`)), layer).toBe(1)
})

test('a second image on the same base brings only what is new', async () => {
  const registry = await ownRegistry()
  const base = noisyImage(1 << 19)
  const more = append(base, layerFrom({ '/more': randomBytes(100_000) }), { created_by: 'more' })
  await seed(registry, base, 'app', '1')
  await seed(registry, more, 'app', '2')
  await using store = await openStore(join(temporary(), 'store'))
  for (const tag of ['1', '2']) {
    registry.seen.length = 0
    await using source = await openSource(`docker://${registry.host}/app:${tag}`, { registry: settings() })
    await copy(source, store, { as: `app:${tag}` })
  }
  const fetched = registry.seen.filter(({ path }) => path.includes('/blobs/')).map(({ path }) => path.split('/').at(-1))
  expect(fetched.sort()).toEqual([more.manifest.config.digest, more.layers.at(-1)!.descriptor.digest].sort())
})

test('a store heals a damaged layer from the registry that it came from', async () => {
  const registry = await ownRegistry()
  const image = noisyImage(1 << 18)
  await seed(registry, image, 'app', '1')
  const root = join(temporary(), 'store')
  const reference = `docker://${registry.host}/app:1`
  await using store = await openStore(root)
  await using source = await openSource(reference, { registry: settings() })
  await copy(source, store, { as: 'app', source: reference })
  const { chmodSync, writeFileSync } = await import('node:fs')
  const blob = join(root, 'blobs/sha256', image.layers[0]!.descriptor.digest.slice(7))
  chmodSync(blob, 0o600)
  writeFileSync(blob, randomBytes(image.layers[0]!.descriptor.size))
  const report = await store.fsck({ level: 'digests', repair: true })
  expect(report.findings.length).toBeGreaterThan(0)
  expect((await store.fsck({ level: 'digests' })).findings).toEqual([])
})
