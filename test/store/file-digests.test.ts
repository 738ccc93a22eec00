import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { diff } from '../../src/diff/index.ts'
import { directoryTree } from '../../src/extract/index.ts'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { type FileIdentity, fileFormat, fileKey, recordSize } from '../../src/layer/content-sums.ts'
import { digestOf } from '../../src/model/digest.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { SumsFile } from '../../src/store/layers/sums-file.ts'
import { openTree } from '../../src/store/trees/open-tree.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { temporary } from '../support/temporary.ts'
import { everywhere, placeAt } from './places.ts'

const text = (content: string) => digestOf(Buffer.from(content))

/** A minute after the files were written: nothing may change them without their time showing it. */
beforeEach(() => {
  const now = Date.now
  vi.spyOn(Date, 'now').mockImplementation(() => now() + 60_000)
})
afterEach(() => {
  vi.restoreAllMocks()
})

function directory(files: Readonly<Record<string, string>>): string {
  const base = join(temporary(), 'root')
  mkdirSync(base)
  for (const [name, content] of Object.entries(files)) writeFileSync(join(base, name), content)
  return base
}

const identity = (i: number): FileIdentity => ({
  device: 1n,
  number: BigInt(i),
  changed: BigInt(i * 1000),
  size: 100 + i,
})

everywhere('digests of files outside the store', (make) => {
  test('E-02: are known to the next one who opens the store', async () => {
    const place = await make()
    const base = directory({ a: 'one' })
    const store = await place.open()
    const tree = await openTree(`rootfs:${base}`, { store })
    const ino = tree.lookup(tree.root, 'a')!
    expect(tree.digests!.known(ino)).toBeUndefined()
    expect(await tree.digests!.of(ino)).toBe(text('one'))
    tree.close()
    const again = await openTree(`rootfs:${base}`, { store: await place.open() })
    expect(again.digests!.known(again.lookup(again.root, 'a')!)).toBe(text('one'))
    again.close()
    expect((await store.usage()).fileDigests).toMatchObject({ files: 1 })
    await store.collect()
    expect(place.names('cache')).toContain('files.sums')
  })

  test('E-02: a second diff of an image with a directory reads no content of either', async () => {
    const place = await make()
    const files = { a: 'one', b: 'two', c: 'x'.repeat(700_000) }
    const base = directory({ ...files, b: 'six' })
    const store = await place.open()
    const names = Object.fromEntries(Object.entries(files).map(([name, content]) => [`/${name}`, content]))
    await store.write(append(scratch, layerFrom(names)), 'image')
    const compare = async (store: Awaited<ReturnType<typeof place.open>>) => {
      const opened: string[] = []
      const watched = (tree: Tree, side: string): Tree =>
        new Proxy(tree, {
          get(target, name) {
            if (name === 'open') opened.push(side)
            const value = target[name as keyof Tree] as unknown
            return typeof value === 'function' ? value.bind(target) : value
          },
        })
      const image = await store.tree('image')
      const disk = await openTree(`rootfs:${base}`, { store })
      const contents: string[] = []
      for await (const change of diff(watched(image, 'image'), watched(disk, 'disk'))) {
        if (change.kind === 'modify' && change.changed.includes('content')) contents.push(change.path)
      }
      image.close()
      disk.close()
      return { contents, opened }
    }
    expect(await compare(store)).toMatchObject({ contents: ['/b'], opened: { length: 6 } })
    // What differs is found after a few bytes: nothing was learnt of it.
    expect(await compare(await place.open())).toEqual({ contents: ['/b'], opened: ['image', 'disk'] })
    const tree = directoryTree(base, { digests: store.fileDigests })
    await tree.digests!.complete()
    tree.close()
    const image = await store.tree('image')
    await image.digests!.complete()
    image.close()
    expect(await compare(await place.open())).toEqual({ contents: ['/b'], opened: [] })
  })

  test('are not kept by a store that is open for reading only', async () => {
    const place = await make()
    await place.open()
    const base = directory({ a: 'one' })
    const tree = await openTree(`rootfs:${base}`, { store: await place.open({ readOnly: true }) })
    expect(await tree.digests!.of(tree.lookup(tree.root, 'a')!)).toBe(text('one'))
    expect(tree.digests!.pays(tree.lookup(tree.root, 'a')!)).toBe(false)
    tree.close()
    expect(place.names('cache')).not.toContain('files.sums')
  })

  test('take no more room than they may: the oldest go', async () => {
    const place = await make()
    await place.open()
    const path = place.at('cache', 'files.sums')
    const options = { disk: place.disk, path, tmp: place.at('tmp'), format: fileFormat, writable: true }
    const most = recordSize(fileFormat) * 5000
    const file = new SumsFile({ ...options, most })
    const key = Buffer.alloc(fileFormat.keySize)
    for (let i = 0; i < 20_000; i++) {
      file.set(fileKey(key, identity(i)), text(`${i}`))
      if (i % 1000 === 0)
        expect(place.disk.fs.existsSync(path) ? place.disk.fs.statSync(path)!.size : 0).toBeLessThanOrEqual(most)
    }
    file.flush()
    const read = new SumsFile(options)
    const known = (i: number) => read.get(fileKey(key, identity(i)))
    for (let i = 18_000; i < 20_000; i++) expect(known(i)).toBe(text(`${i}`))
    for (let i = 0; i < 10_000; i++) expect(known(i)).toBeUndefined()
    expect(place.names('tmp')).toEqual([])
  })
})

test('a file of digests that cannot be read is as good as none', async () => {
  const place = placeAt(nodeDisk(), join(temporary(), 'store'))
  await place.open()
  mkdirSync(place.at('cache', 'files.sums'))
  const base = directory({ a: 'one' })
  const tree = await openTree(`rootfs:${base}`, { store: await place.open() })
  expect(await tree.digests!.of(tree.lookup(tree.root, 'a')!)).toBe(text('one'))
  tree.close()
  expect(statSync(place.at('cache', 'files.sums')).isDirectory()).toBe(true)
})
