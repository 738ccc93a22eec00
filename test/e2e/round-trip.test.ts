import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { copy, openSink, openSource, openStore } from 'plyfs'
import { describe, expect } from 'vitest'
import { dump } from './differences.ts'
import { deep, image, realTest, run } from './tools.ts'
import { workspace } from './workspace.ts'

describe('an image that goes through a store', () => {
  for (const form of ['oci', 'oci-zstd']) {
    realTest(`comes out of ${form} with the same manifest digest and the same blobs`, async () => {
      await using work = workspace()
      const from = join(image(), form)
      const to = join(work.path, 'out')
      await using store = await openStore(join(work.path, 'store'))
      await copy(await openSource(`oci:${from}:latest`), store, { as: 'real' })
      await using sink = await openSink(`oci:${to}:latest`)
      const written = await sink.write(await store.image('real'), 'latest')
      const info = JSON.parse(readFileSync(join(image(), 'info.json'), 'utf8'))
      expect(written.digest).toBe(form === 'oci' ? info.manifest_gzip : info.manifest_zstd)
      const blobs = (layout: string) => readdirSync(join(layout, 'blobs', 'sha256')).sort()
      expect(blobs(to)).toEqual(blobs(from))
      for (const blob of blobs(to)) run('cmp', join(from, 'blobs', 'sha256', blob), join(to, 'blobs', 'sha256', blob))
    })
  }

  realTest('leaves the store readable for other tools as the OCI layout that it is', async () => {
    await using work = workspace()
    const store = join(work.path, 'store')
    {
      await using open = await openStore(store)
      await copy(await openSource(`oci:${join(image(), 'oci')}:latest`), open, { as: 'real:1' })
    }
    const info = JSON.parse(readFileSync(join(image(), 'info.json'), 'utf8'))
    expect(JSON.parse(run('skopeo', 'inspect', `oci:${store}:real:1`)).Digest).toBe(info.manifest_gzip)
    expect(run('umoci', 'ls', '--layout', store).trim()).toBe('real:1')
    run('skopeo', 'copy', `oci:${join(image(), 'oci-zstd')}:latest`, `oci:${store}:foreign:2`)
    await using again = await openStore(store)
    expect((await again.images()).map(({ name }) => name)).toEqual(['foreign:2', 'real:1'])
    await again.tag('foreign:2', 'foreign:3')
    expect(run('umoci', 'ls', '--layout', store).trim().split('\n').sort()).toEqual([
      'foreign:2',
      'foreign:3',
      'real:1',
    ])
  })
})

realTest('120 layers add up to exactly the expected tree', async () => {
  await using work = workspace()
  await using store = await openStore(join(work.path, 'store'))
  await copy(await openSource(`oci:${join(deep(), 'oci')}:latest`), store, { as: 'deep' })
  const tree = await store.tree('deep')
  const found = Object.fromEntries(
    [...dump(tree).values()]
      .filter(({ kind }) => kind === 'file')
      .map(({ path, size, content }) => [path, `${size} ${content}`]),
  )
  tree.close()
  const expected = JSON.parse(readFileSync(join(deep(), 'expected.json'), 'utf8')) as Record<
    string,
    { size: number; sha256: string }
  >
  expect(found).toEqual(
    Object.fromEntries(Object.entries(expected).map(([path, { size, sha256 }]) => [path, `${size} ${sha256}`])),
  )
})
