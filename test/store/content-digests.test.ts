import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { diff } from '../../src/diff/index.ts'
import { Index } from '../../src/erofs/index.ts'
import { append, scratch } from '../../src/image/append.ts'
import type { Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { type FileSpec, layerFrom } from '../../src/image/layer-from.ts'
import { layerView } from '../../src/layer/index.ts'
import { type Digest, digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { contentDigest } from '../../src/stack/content-digests.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { LayerDigests } from '../../src/store/layers/content-digests.ts'
import { layoutOf } from '../../src/store/layout.ts'
import { openStore, storeOn } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import type { Disk } from '../../src/sys/disk.ts'
import { fileBytes } from '../../src/sys/file-bytes.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { becomeNobody, becomeRoot } from '../support/ability.ts'
import { gzipLayer } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { archive, member } from '../tar/raw.ts'
import { expanded, forms, shapes } from '../tar/sparse-forms.ts'
import { everywhere, noise, placeAt, type StorePlace } from './places.ts'
import { build } from './processes.ts'

const text = (content: string) => digestOf(Buffer.from(content))

function at(tree: Tree, path: string): number {
  return path.split('/').reduce((directory, name) => tree.lookup(directory, name)!, tree.root)
}

const lower: Record<string, FileSpec> = {
  '/a': 'one',
  '/same': 'one',
  '/empty': '',
  '/d/large': Buffer.alloc(700_000, 'x'),
  '/gone': 'gone',
}

async function filled(place: StorePlace): Promise<{ store: Store; hex: string[] }> {
  const store = await place.open()
  const image = append(append(scratch, await gzipLayer(lower)), layerFrom({ '/b': 'two', '/gone': 'here' }))
  await store.write(image, 'a')
  return { store, hex: image.layers.map(({ diffId }) => diffId.slice(7)) }
}

/** Every file's digest as the tree knows it, by path. */
function known(tree: Tree): Record<string, Digest | undefined> {
  const found: Record<string, Digest | undefined> = {}
  const visit = (directory: number, prefix: string) => {
    for (const { name, ino, kind } of tree.list(directory)) {
      if (kind === 'directory') visit(ino, `${prefix}${name}/`)
      else if (kind === 'file') found[prefix + name] = tree.digests!.known(ino)
    }
  }
  visit(tree.root, '')
  return found
}

const all = {
  a: text('one'),
  b: text('two'),
  'd/large': digestOf(Buffer.alloc(700_000, 'x')),
  empty: text(''),
  gone: text('here'),
  same: text('one'),
}

everywhere('digests of contents', (make) => {
  test('E-02: contents of two layers are compared, then hashed while they are compared again, and then not read any more', async () => {
    const place = await make()
    const store = await place.open()
    for (const [name, more] of Object.entries({ a: 'one', b: 'two' }))
      await store.write(append(scratch, layerFrom({ '/large': Buffer.alloc(700_000, 'x'), '/more': more })), name)
    const compared = async (options: { readonly readOnly?: boolean } = {}) => {
      await using store = await place.open(options)
      const opened: string[] = []
      const watched = (tree: Tree): Tree =>
        new Proxy(tree, {
          get(target, name) {
            const value = target[name as keyof Tree] as unknown
            if (typeof value !== 'function') return value
            if (name !== 'open') return value.bind(target)
            return (ino: number) => {
              if (tree.stat(ino).size > 3) opened.push('large')
              return tree.open(ino)
            }
          },
        })
      const [a, b] = [await store.tree('a'), await store.tree('b')]
      const changed: string[] = []
      for await (const { path } of diff(watched(a), watched(b))) changed.push(path)
      const digest = known(b).large
      a.close()
      b.close()
      expect(changed).toEqual(['/more'])
      return { opened: opened.length, digest }
    }
    const nothing = { opened: 2, digest: undefined }
    // Who may write nothing remembers nothing.
    for (let times = 0; times < 2; times++) expect(await compared({ readOnly: true })).toEqual(nothing)
    expect(await compared()).toEqual(nothing)
    expect((await store.fsck()).findings).toEqual([])
    const digest = digestOf(Buffer.alloc(700_000, 'x'))
    expect(await compared()).toEqual({ opened: 2, digest })
    expect(await compared({ readOnly: true })).toEqual({ opened: 0, digest })
  })

  test('E-02: what a container has written is compared with its image as often as one likes, and hashed for nobody', async () => {
    const place = await make()
    const { store } = await filled(place)
    await using container = await store.containers.create('work', 'a')
    container.fs.writeFileSync('/a', 'two')
    container.fs.writeFileSync('/same', 'one')
    for (let times = 0; times < 3; times++) {
      const changed: string[] = []
      for await (const { path } of container.changes()) changed.push(path)
      expect(changed).toContain('/a')
    }
    expect(place.names('cache/layers').filter((name) => name.endsWith('.sums'))).toEqual([])
  })

  test('are computed when first asked for, and then known to whoever opens the layer', async () => {
    const place = await make()
    const { store, hex } = await filled(place)
    const sums = hex.map((one) => place.at('cache', 'layers', `${one}.sums`))
    const tree = await store.tree('a')
    expect(known(tree)).toEqual({
      ...Object.fromEntries(Object.keys(all).map((name) => [name, undefined])),
      empty: all.empty,
    })
    expect(await contentDigest(tree, at(tree, 'd/large'))).toBe(all['d/large'])
    expect(await contentDigest(tree, at(tree, 'b'))).toBe(all.b)
    expect(await contentDigest(tree, at(tree, 'empty'))).toBe(all.empty)
    tree.close()
    expect(sums.map((path) => place.disk.fs.statSync(path)!.size)).toEqual([56, 56])

    const again = await (await place.open()).tree('a')
    expect(known(again)).toMatchObject({ 'd/large': all['d/large'], b: all.b, a: undefined })
    again.close()
  })

  test('of all files come in one go, the same as when each is asked for', async () => {
    const place = await make()
    const { store } = await filled(place)
    const tree = await store.tree('a')
    await tree.digests!.complete()
    expect(known(tree)).toEqual(all)
    tree.close()
    for (const tree of [await store.tree('a'), await (await place.open()).tree('a')]) {
      expect(known(tree)).toEqual(all)
      await tree.digests!.complete()
      for (const [path, digest] of Object.entries(all)) expect(await contentDigest(tree, at(tree, path))).toBe(digest)
      tree.close()
    }
  })

  test('are the same in a folded tree and under a container, and what a container wrote is read anew', async () => {
    const place = await make()
    await filled(place)
    // The form that copies no content for a change of mode.
    const store = await place.open({ upperForm: 'portable' })
    const first = await store.tree('a')
    await first.digests!.complete()
    first.close()
    await using container = await store.containers.create('c', 'a')
    const { tree, fs } = container
    expect(known(tree)).toEqual(all)
    fs.chmodSync('/a', 0o600)
    expect(tree.digests!.known(at(tree, 'a'))).toBe(all.a)
    fs.writeFileSync('/a', 'three')
    expect(tree.digests!.known(at(tree, 'a'))).toBeUndefined()
    expect(await contentDigest(tree, at(tree, 'a'))).toBe(text('three'))
    fs.writeFileSync('/a', 'seven')
    expect(await contentDigest(tree, at(tree, 'a'))).toBe(text('seven'))
    tree.digests!.learn(at(tree, 'a'), text('wrong'), 0)
    expect(tree.digests!.known(at(tree, 'a'))).toBeUndefined()
  })

  test('go with their layer in a collection, count among the layer caches, and come back when they are deleted', async () => {
    const place = await make()
    const { store, hex } = await filled(place)
    const complete = async () => {
      const tree = await store.tree('a')
      await tree.digests!.complete()
      tree.close()
    }
    await complete()
    const names = hex.map((one) => `${one}.sums`)
    const path = place.at('cache', 'layers', names[0]!)
    const content = Buffer.from(place.disk.fs.readFileSync(path) as Uint8Array)
    const before = (await store.usage()).layerCaches
    place.disk.fs.rmSync(path)
    const after = (await store.usage()).layerCaches
    expect(after.files).toBe(before.files - 1)
    expect(after.bytes).toBeLessThan(before.bytes)
    await complete()
    expect(Buffer.from(place.disk.fs.readFileSync(path) as Uint8Array)).toEqual(content)
    await store.collect()
    expect(place.names('cache', 'layers')).toEqual(expect.arrayContaining(names))
    await store.untag('a')
    const { files } = await store.collect()
    expect(files).toEqual(expect.arrayContaining(names.map((name) => `cache/layers/${name}`)))
    expect(place.names('cache', 'layers')).toEqual([])
  })

  test('are believed in no other layer, and not once they are damaged', async () => {
    const place = await make()
    const { store, hex } = await filled(place)
    const tree = await store.tree('a')
    await tree.digests!.complete()
    tree.close()
    const [base, top] = hex.map((one) => place.at('cache', 'layers', `${one}.sums`))
    place.put(top!, Buffer.from(place.disk.fs.readFileSync(base!) as Uint8Array))
    place.flip(base!, 30)
    const again = await (await place.open()).tree('a')
    const damaged = known(again)
    expect([damaged.b, damaged.gone]).toEqual([undefined, undefined])
    expect(Object.values(damaged).filter((digest) => digest !== undefined)).toHaveLength(3)
    await again.digests!.complete()
    expect(known(again)).toEqual(all)
    again.close()
  })

  test('are not taken of a damaged tar', async () => {
    const place = await make()
    const { store, hex } = await filled(place)
    const path = place.at('cache', 'layers', `${hex[0]}.tar`)
    place.flip(path, 300_000)
    const tree = await store.tree('a')
    await expect(contentDigest(tree, at(tree, 'd/large'))).rejects.toMatchObject({ code: 'PLY_DAMAGED' })
    expect(tree.digests!.known(at(tree, 'd/large'))).toBeUndefined()
    tree.close()
    const healed = await store.tree('a')
    expect(await contentDigest(healed, at(healed, 'd/large'))).toBe(all['d/large'])
    healed.close()
  })

  test('are computed and not kept by a store that is open for reading only', async () => {
    const place = await make()
    await filled(place)
    ;(await (await place.open()).tree('a')).close()
    const before = place.files()
    const tree = await (await place.open({ readOnly: true })).tree('a')
    await tree.digests!.complete()
    expect(known(tree)).toEqual(all)
    tree.close()
    expect(place.files()).toEqual(before)
  })

  test('of thousands of files are the same in one pass and one by one', async () => {
    const files: Record<string, FileSpec> = {}
    for (let i = 0; i < 3000; i++) files[`/${(i * 7919) % 3000}/f${i}`] = `${i}`.repeat(1 + (i % 40))
    const store = await (await make()).open()
    const single = await store.write(append(scratch, layerFrom(files)), 'many').then(() => store.tree('many'))
    const expected: Record<string, Digest> = {}
    for (const path of Object.keys(files)) {
      const ino = at(single, path.slice(1))
      expected[path.slice(1)] = await single.digests!.of(ino)
      expect(expected[path.slice(1)]).toBe(text(files[path] as string))
    }
    single.close()
    const other = await (await make()).open()
    await other.write(append(scratch, layerFrom(files)), 'many')
    const tree = await other.tree('many')
    await tree.digests!.complete()
    expect(known(tree)).toEqual(expected)
    tree.close()
  })

  test('stop when asked to, and keep what they have', async () => {
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`/f${i}`, noise(1 << 20)]))
    const store = await (await make()).open()
    await store.write(append(scratch, layerFrom(files)), 'many')
    const tree = await store.tree('many')
    const stop = new AbortController()
    const working = tree.digests!.complete({ signal: stop.signal, onProgress: () => stop.abort() })
    await expect(working).rejects.toMatchObject({ code: 'PLY_ABORTED' })
    const found = Object.values(known(tree)).filter((digest) => digest !== undefined)
    expect(found.length).toBeGreaterThan(0)
    expect(found.length).toBeLessThan(40)
    await expect(contentDigest(tree, at(tree, 'f39'), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'PLY_ABORTED',
    })
    tree.close()
  })
})

everywhere('digests of sparse files', (make) => {
  const named = shapes(5000).map((spec, i) => ({ ...spec, name: `f${i}` }))
  const plain = member({ name: 'plain' }, 'plain')
  const full = archive(...named.map((spec) => member({ name: spec.name }, expanded(spec))), plain)
  const expected: Record<string, Digest> = { plain: text('plain') }
  for (const spec of named) expected[spec.name] = digestOf(expanded(spec))

  test.each([...Object.entries(forms), ['full', undefined] as const])(
    'S-04: a sparse copy of a content has the digest of a full one: %s',
    async (name, form) => {
      const place = await make()
      const store = await place.open()
      const tar = form === undefined ? full : archive(...named.map((spec) => form(spec)), plain)
      await store.write(append(scratch, layerOfTar(tar)), 'image')
      const tree = await store.tree('image')
      expect(await contentDigest(tree, at(tree, 'f0'))).toBe(expected.f0)
      await tree.digests!.complete()
      expect(known(tree), name).toEqual(expected)
      tree.close()
      // In a folded tree the places are the same ones.
      await using container = await (await place.open()).containers.create('c', 'image')
      const { f3: hole, ...kept } = expected
      expect(known(container.tree)).toEqual({ ...kept, f3: form === undefined ? hole : undefined })
      expect(await contentDigest(container.tree, at(container.tree, 'f3'))).toBe(hole)
    },
  )

  test('of a layer cover what a layer above hides', async () => {
    const place = await make()
    const { store, hex } = await filled(place)
    ;(await store.tree('a')).close()
    const layout = layoutOf(place.root)
    const layer = `sha256:${hex[0]}` as Digest
    const view = layerView(Index.open(fileBytes(place.disk, layout.indexOf(layer))), () =>
      fileBytes(place.disk, layout.tarOf(layer)),
    )
    const digests = new LayerDigests({ disk: place.disk, layout, writable: true })
    await digests.complete(view)
    const memory = digests.memory()
    const ino = (view.lookup(view.root.ino, 'gone') as { ino: number }).ino
    expect(memory.known(view.place(ino)!, 4)).toBe(text('gone'))
    expect(memory.known(view.place(ino)!, 5)).toBeUndefined()
    memory.close()
    view.close()
  })
})

function layerOfTar(tar: Buffer): Layer {
  const descriptor = { mediaType: mediaTypes.ociLayer, digest: digestOf(tar), size: tar.length }
  return layerFromBlob(descriptor, digestOf(tar), () => streamOf(memoryBytes(tar)))
}

describe('digests on a disk that does not take them', () => {
  for (const code of ['ENOSPC', 'EROFS', 'EACCES', 'EDQUOT']) {
    test(`are answered all the same: ${code}`, async () => {
      const place = placeAt(nodeDisk(), join(temporary(), 'store'))
      await filled(place)
      let tries = 0
      const refusing: Disk = {
        ...place.disk,
        fs: {
          ...place.disk.fs,
          openSync: ((path: string, flags: string, ...rest: number[]) => {
            if (flags !== 'a') return place.disk.fs.openSync(path, flags, ...rest)
            tries++
            throw Object.assign(new Error(code), { code })
          }) as Disk['fs']['openSync'],
        },
      }
      const tree = await (await storeOn(refusing, place.root)).tree('a')
      await tree.digests!.complete()
      expect(known(tree)).toEqual(all)
      tree.close()
      expect(tries).toBe(2)
    })
  }

  test('are answered to an ordinary user in a store that is somebody else’s', async () => {
    const base = temporary()
    chmodSync(base, 0o755)
    const place = placeAt(nodeDisk(), join(base, 'store'))
    await filled(place)
    ;(await (await place.open()).tree('a')).close()
    execFileSync('chmod', ['-R', 'a+rX,a-w', place.root])
    const before = place.names('cache', 'layers')
    becomeNobody()
    try {
      for (const options of [{ readOnly: true }, {}]) {
        const tree = await (await openStore(place.root, { anyOwner: true, ...options })).tree('a')
        await tree.digests!.complete()
        expect(known(tree)).toEqual(all)
        tree.close()
      }
    } finally {
      becomeRoot()
      execFileSync('chmod', ['-R', 'u+w', place.root])
    }
    expect(place.names('cache', 'layers')).toEqual(before)
  })
})

test('processes that work on one layer at once append whole records and spoil nothing', async () => {
  using built = build()
  const place = placeAt(nodeDisk(), join(temporary(), 'store'))
  const files = Object.fromEntries(Array.from({ length: 6000 }, (_, i) => [`/${i % 50}/f${i}`, `content ${i}`]))
  const image = append(scratch, layerFrom(files))
  await (await place.open()).write(image, 'many')
  ;(await (await place.open()).tree('many')).close()
  const program = `
    const store = await ply.openStore(argv[0])
    const until = Number(argv[1])
    const mine = Number(argv[2])
    const tree = await store.tree('many')
    while (Date.now() < until);
    // Everybody hashes a half of the files, in an order of their own.
    for (let n = 0; n < 3000; n++) {
      const i = (n * [7, 11, 13, 17][mine] + mine * 1500) % 6000
      const directory = tree.lookup(tree.root, String(i % 50))
      await tree.digests.of(tree.lookup(directory, 'f' + i))
    }
    tree.close()`
  const start = String(Date.now() + 1000)
  const running = [0, 1, 2, 3].map((mine) => built.run(program, place.root, start, String(mine)))
  expect(await Promise.all(running.map(({ end }) => end))).toEqual(['0', '0', '0', '0'])
  const sums = place.at('cache', 'layers', `${image.layers[0]!.diffId.slice(7)}.sums`)
  expect(statSync(sums).size % 56).toBe(0)
  for (let position = 0; position < statSync(sums).size; position += 56 * 500) {
    expect(readFileSync(sums).toString('latin1', position, position + 4)).toBe('PLC1')
  }
  const tree = await (await place.open()).tree('many')
  let missing = 0
  for (const [path, digest] of Object.entries(known(tree))) {
    if (digest === undefined) missing++
    else expect(digest).toBe(text(files[`/${path}`]!))
  }
  expect(missing).toBeLessThan(3000)
  tree.close()
})
