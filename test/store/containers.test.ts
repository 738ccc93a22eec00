import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { composeImage } from '../../src/image/assemble.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { chainIds, digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { asSeen } from '../../src/store/containers/handing-over.ts'
import { root } from '../support/ability.ts'
import { bytesIn, valuesOf } from '../support/collect.ts'
import { gzipLayer, sampleImage } from '../support/images.ts'
import { contentAt, treeEntries } from '../support/plain-tree.ts'
import { descriptors, everywhere, type StorePlace } from './places.ts'

if (!root) console.warn("containers in overlayfs's own form are not tested: only root may write trusted.* xattrs")

const forms = (kind: string) => (kind === 'disk' && root ? (['portable', 'overlay'] as const) : (['portable'] as const))

everywhere('a container', (make, kind) => {
  for (const upperForm of forms(kind)) {
    test(`keeps what was written in it (${upperForm}), and leaves nothing when it is removed`, async () => {
      const place = await make()
      await using store = await place.open({ upperForm })
      await store.write(await sampleImage(), 'a')
      const container = await store.containers.create('work', 'a')
      const { upper } = container
      expect(place.json<{ form: string }>('uppers', upper, 'record.json').form).toBe(upperForm)
      container.fs.writeFileSync('/etc/motd', 'mine\n')
      container.fs.unlinkSync('/etc/issue')
      container.fs.mkdirSync('/new')
      container.fs.writeFileSync('/new/ä', 'x')
      const numbers = ['/etc/motd', '/bin/app', '/new'].map((path) => container.fs.statSync(path).ino)
      await container.close()
      await container.close()

      await using other = await place.open()
      await using again = await other.containers.open('work')
      expect(again.fs.readFileSync('/etc/motd', 'utf8')).toBe('mine\n')
      expect(again.fs.existsSync('/etc/issue')).toBe(false)
      expect(again.fs.readFileSync('/new/ä', 'utf8')).toBe('x')
      expect(['/etc/motd', '/bin/app', '/new'].map((path) => again.fs.statSync(path).ino)).toEqual(numbers)
      expect((await valuesOf(again.changes())).map((change) => `${change.kind} ${change.path}`)).toContain(
        'delete /etc/issue',
      )
      await again.close()
      await store.containers.remove('work')
      expect(place.names('containers')).toEqual([])
      expect(place.names('uppers')).toEqual([])
      expect(place.names('tmp')).toEqual([])
      expect(place.names('locks')).not.toContain(`upper-${upper}`)
      await expect(store.containers.open('work')).rejects.toMatchObject({ code: 'PLY_CONTAINER_NOT_FOUND' })
      await expect(store.containers.remove('work')).rejects.toMatchObject({ code: 'PLY_CONTAINER_NOT_FOUND' })
    })

    test(`stands after its image was removed and collected (${upperForm})`, async () => {
      const place = await make()
      await using store = await place.open({ upperForm })
      await store.write(await sampleImage(), 'a')
      await (await store.containers.create('work', 'a')).close()
      await store.untag('a')
      expect((await store.collect()).blobs).toEqual([])
      place.disk.fs.rmSync(place.at('cache'), { recursive: true })
      await using container = await store.containers.open('work')
      container.fs.writeFileSync('/x', 'x')
      expect(container.fs.readFileSync('/etc/motd', 'utf8')).toBe('changed\n')
      const image = await store.commit(container, 'b')
      await container.close()
      await store.containers.remove('work')
      expect((await store.collect()).blobs).not.toContain(image.digest)
      expect((await store.image('b')).digest).toBe(image.digest)
    })

    test(`is converted into the other form and back, and shows the same (${upperForm})`, async () => {
      const place = await make()
      await using store = await place.open({ upperForm })
      await store.write(await sampleImage(), 'a')
      const container = await store.containers.create('work', 'a')
      container.fs.writeFileSync('/etc/motd', 'mine\n')
      container.fs.unlinkSync('/etc/issue')
      container.fs.chmodSync('/bin/app', 0o700)
      container.fs.linkSync('/etc/motd', '/linked')
      const shown = treeEntries(container.tree)
      await expect(store.containers.convert('work', 'portable')).rejects.toMatchObject({ code: 'PLY_CONTAINER_BUSY' })
      await container.close()
      const other = forms(kind).find((form) => form !== upperForm) ?? upperForm
      for (const form of [other, upperForm]) {
        const { upper } = await store.containers.convert('work', form)
        expect(place.json<{ form: string }>('uppers', upper, 'record.json').form).toBe(form)
        expect(place.names('uppers')).toEqual([upper])
        await using again = await store.containers.open('work')
        expect(treeEntries(again.tree)).toEqual(shown)
      }
      await expect(store.containers.convert('work', 'zip' as 'portable')).rejects.toMatchObject({ code: 'PLY_USAGE' })
      await expect(store.containers.convert('none', 'portable')).rejects.toMatchObject({
        code: 'PLY_CONTAINER_NOT_FOUND',
      })
    })

    test(`with names of any bytes is measured and removed (${upperForm})`, async () => {
      const place = await make()
      await using store = await place.open({ upperForm })
      await store.write(await sampleImage(), 'a')
      const container = await store.containers.create('work', 'a')
      const made = container.tree.create(container.tree.root, '\xff\xfe', {
        kind: 'directory',
        mode: 0o700,
        uid: 0,
        gid: 0,
        mtime: 0n,
      })
      expect(made).toBeDefined()
      await container.close()
      expect((await store.usage()).uppers.bytes).toBeGreaterThan(0)
      await store.containers.remove('work')
      expect(place.names('uppers')).toEqual([])
      expect(place.names('tmp')).toEqual([])
    })
  }

  test('has a name that can be a file name, used once', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    const before = place.files()
    for (const name of ['', '.', '..', '.x', 'a/b', 'a b', 'ä', '-x', 'x'.repeat(129), 'a\n', 'a\0'])
      await expect(store.containers.create(name, 'a'), name).rejects.toMatchObject({ code: 'PLY_USAGE' })
    await expect(store.containers.create('x', 'nothing')).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })
    for (const name of ['', '../x', 'nothing', '%2e'])
      await expect(store.containers.open(name), name).rejects.toMatchObject({ code: 'PLY_CONTAINER_NOT_FOUND' })
    expect(place.files()).toEqual(before)
    await using _ = await store.containers.create('x'.repeat(128), 'a')
    await expect(store.containers.create('x'.repeat(128), 'a')).rejects.toMatchObject({ code: 'PLY_CONTAINER_EXISTS' })
    expect((await store.containers.list()).map(({ name }) => name)).toEqual(['x'.repeat(128)])
  })

  test('is made by one of many that try at once', async () => {
    const place = await make()
    const stores = await Promise.all([1, 2, 3, 4].map(() => place.open()))
    await stores[0]!.write(await sampleImage(), 'a')
    const tried = await Promise.allSettled(stores.map((store) => store.containers.create('work', 'a')))
    const made = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    expect(made).toHaveLength(1)
    for (const one of tried) if (one.status === 'rejected') expect(one.reason.code).toBe('PLY_CONTAINER_EXISTS')
    made[0]!.fs.writeFileSync('/x', 'x')
    await made[0]!.close()
    expect(place.names('uppers')).toHaveLength(1)
    expect(place.names('tmp')).toEqual([])
    expect(place.names('locks').filter((name) => name.startsWith('upper'))).toEqual([`upper-${made[0]!.upper}`])
  })

  test('is written by one at a time, and read meanwhile', async () => {
    const place = await make()
    await using store = await place.open()
    await using other = await place.open()
    await store.write(await sampleImage(), 'a')
    await using writer = await store.containers.create('work', 'a')
    const busy = { code: 'PLY_CONTAINER_BUSY' }
    await expect(store.containers.open('work')).rejects.toMatchObject(busy)
    await expect(other.containers.open('work')).rejects.toMatchObject(busy)
    await expect(other.containers.remove('work')).rejects.toMatchObject(busy)
    writer.fs.writeFileSync('/x', 'x')
    writer.tree.sync()
    await using reader = await other.containers.open('work', { readOnly: true })
    expect(reader.fs.readFileSync('/x', 'utf8')).toBe('x')
    expect(() => reader.fs.writeFileSync('/y', 'y')).toThrow(/EROFS/)
    writer.fs.writeFileSync('/later', 'z')
    await writer.close()
    await using next = await other.containers.open('work')
    expect(next.fs.readFileSync('/later', 'utf8')).toBe('z')
  })

  test('that is removed by several at once goes once, and never one that has its name by then', async () => {
    const place = await make()
    const stores = await Promise.all([1, 2, 3].map(() => place.open()))
    await stores[0]!.write(await sampleImage(), 'a')
    for (let i = 0; i < 10; i++) {
      await (await stores[0]!.containers.create('work', 'a')).close()
      const results = await Promise.allSettled([
        ...stores.map((store) => store.containers.remove('work')),
        stores[1]!.containers.open('work').then((container) => container.close()),
      ])
      for (const one of results)
        if (one.status === 'rejected') expect(one.reason.code).toMatch(/^PLY_CONTAINER_(NOT_FOUND|BUSY)$/)
      await stores[0]!.containers.remove('work').catch((error) => expect(error.code).toBe('PLY_CONTAINER_NOT_FOUND'))
      expect(place.names('containers')).toEqual([])
      expect(place.names('uppers')).toEqual([])
      expect(place.names('locks').filter((name) => name.startsWith('upper'))).toEqual([])
    }
  })

  test('whose making fails leaves nothing', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    ;(await store.containers.create('first', 'a')).close()
    const before = place.files()
    const open = descriptors()
    const { fs } = place.disk
    // The name is taken between the first look and the last step.
    const real = fs.renameSync
    const broken = {
      ...place.disk,
      fs: Object.create(fs, {
        renameSync: {
          value: (from: string, to: string) => {
            if (to.includes('/containers/')) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
            real.call(fs, from, to)
          },
        },
      }),
    }
    const { storeOn } = await import('../../src/store/open-store.ts')
    await using failing = await storeOn(broken, place.root)
    await expect(failing.containers.create('work', 'a')).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(place.files()).toEqual(before)
    if (kind === 'disk' && process.platform === 'linux') expect(descriptors()).toEqual(open)
  })
})

everywhere('a commit', (make, kind) => {
  for (const upperForm of forms(kind))
    test(`adds one layer, and says who made it when (${upperForm})`, async () => {
      const place = await make()
      await using store = await place.open({ upperForm })
      const base = await sampleImage()
      await store.write(base, 'a')
      await using container = await store.containers.create('work', 'a')
      container.fs.writeFileSync('/etc/motd', 'mine\n')
      container.fs.writeFileSync('/new', 'x')
      container.fs.unlinkSync('/etc/issue')
      const options = { message: 'why', author: 'me', epoch: 1_700_000_000 }
      const image = await store.commit(container, 'b', options)
      expect((await store.image('a')).digest).toBe(base.digest)
      expect(image.layers.slice(0, 3).map(({ descriptor }) => descriptor)).toEqual(
        base.layers.map(({ descriptor }) => descriptor),
      )
      expect(image.layers[3]!.descriptor).toMatchObject({
        mediaType: mediaTypes.ociLayer,
        digest: image.layers[3]!.diffId,
      })
      expect(image.config.created).toBe('2023-11-14T22:13:20Z')
      expect(image.config.config).toEqual(base.config.config)
      expect(image.config.history?.at(-1)).toEqual({
        created: '2023-11-14T22:13:20Z',
        created_by: 'ply commit',
        author: 'me',
        comment: 'why',
      })
      expect(image.config.history).toHaveLength(base.config.history!.length + 1)
      expect(digestOf(await bytesIn(image.layers[3]!.compressed()))).toBe(image.layers[3]!.diffId)
      // The same container gives the same image; the container is as it was.
      expect((await store.commit(container, 'c', options)).digest).toBe(image.digest)
      const tree = await store.tree('b')
      // M-07: layers keep whole seconds.
      const without = (all: ReturnType<typeof treeEntries>) =>
        all
          .filter(({ kind: type }) => type !== 'directory')
          .map((one) => ({ ...one, mtime: one.mtime / 1_000_000_000n }))
      expect(without(treeEntries(tree))).toEqual(without(treeEntries(container.tree)))
      tree.close()
      expect(place.names('tmp')).toEqual([])
    })

  test('takes its time from SOURCE_DATE_EPOCH', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    await using container = await store.containers.create('work', 'a')
    container.fs.writeFileSync('/new', 'x')
    container.fs.utimesSync('/new', 1, 1)
    process.env.SOURCE_DATE_EPOCH = '1000000000'
    try {
      const image = await store.commit(container, 'b')
      expect(image.config.created).toBe('2001-09-09T01:46:40Z')
      expect((await store.commit(container, 'c')).digest).toBe(image.digest)
    } finally {
      delete process.env.SOURCE_DATE_EPOCH
    }
  })

  test('of nothing has no new layer, but a step in the history, as docker does it', async () => {
    const place = await make()
    await using store = await place.open()
    const base = await sampleImage()
    await store.write(base, 'a')
    await using container = await store.containers.create('work', 'a')
    container.fs.writeFileSync('/x', '')
    container.fs.unlinkSync('/x')
    container.fs.utimesSync('/', 0, 0)
    const changed = await valuesOf(container.changes())
    const image = await store.commit(container, 'b', { epoch: 5, message: 'nothing' })
    expect(image.layers).toHaveLength(3 + (changed.length > 0 ? 1 : 0))
    await using fresh = await store.containers.create('fresh', 'a')
    const same = await store.commit(fresh, 'c', { epoch: 5, message: 'nothing' })
    expect(same.layers.map(({ diffId }) => diffId)).toEqual(base.layers.map(({ diffId }) => diffId))
    expect(same.config.history?.at(-1)).toEqual({
      created: '1970-01-01T00:00:05Z',
      created_by: 'ply commit',
      comment: 'nothing',
      empty_layer: true,
    })
    expect(same.digest).not.toBe(base.digest)
    await using on = await store.containers.create('on', 'c')
    expect(on.fs.readFileSync('/etc/motd', 'utf8')).toBe('changed\n')
  })

  test("keeps Docker's media types", async () => {
    const place = await make()
    await using store = await place.open()
    const layer = await gzipLayer({ '/a': 'a' })
    const typed = { ...layer, descriptor: { ...layer.descriptor, mediaType: mediaTypes.dockerLayerGzip } }
    const docker = composeImage({
      manifest: {
        schemaVersion: 2,
        mediaType: mediaTypes.dockerManifest,
        config: { mediaType: mediaTypes.dockerConfig },
      },
      config: { os: 'linux', architecture: 'amd64' },
      layers: [typed],
    })
    await store.write(docker, 'a')
    await using container = await store.containers.create('work', 'a')
    container.fs.writeFileSync('/b', 'b')
    const image = await store.commit(container, 'b')
    expect(image.descriptor.mediaType).toBe(mediaTypes.dockerManifest)
    expect(image.manifest.mediaType).toBe(mediaTypes.dockerManifest)
    expect(image.manifest.config.mediaType).toBe(mediaTypes.dockerConfig)
    expect(image.layers.map(({ descriptor }) => descriptor.mediaType)).toEqual([
      mediaTypes.dockerLayerGzip,
      mediaTypes.dockerLayer,
    ])
    await using again = await store.containers.create('again', 'b')
    expect((await store.commit(again)).descriptor.mediaType).toBe(mediaTypes.dockerManifest)
  })

  test('reads no content of the image below', async () => {
    const place = await make()
    await using store = await place.open()
    const image = await sampleImage()
    await store.write(image, 'a')
    await using container = await store.containers.create('work', 'a')
    for (let i = 0; i < 10; i++) container.fs.writeFileSync(`/new-${i}`, `${i}`)
    container.fs.unlinkSync('/data/blob')
    for (const { descriptor, diffId } of image.layers) {
      place.put(place.blob(descriptor.digest), Buffer.alloc(descriptor.size))
      const tar = place.at('cache', 'layers', `${diffId.slice(7)}.tar`)
      if (place.disk.fs.existsSync(tar)) place.put(tar, Buffer.alloc(place.disk.fs.statSync(tar)!.size))
    }
    const made = await store.commit(container, 'b')
    expect(made.layers).toHaveLength(4)
  })

  test('that fails or is aborted leaves nothing, and one without a name goes with the next collection', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    await using container = await store.containers.create('work', 'a')
    container.fs.writeFileSync('/big', Buffer.alloc(1_000_000, 1))
    container.tree.sync()
    const before = place.files()
    await expect(store.commit(container, 'NOT a name')).rejects.toMatchObject({ code: 'PLY_BAD_REFERENCE' })
    await expect(store.commit(container, 'b', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'PLY_ABORTED',
    })
    const gone = place.json<object>('uppers', container.upper, 'record.json')
    expect(gone).toBeDefined()
    const broken = {
      manifest: container.manifest,
      tree: container.tree,
      base: container.base,
      changes: () => {
        throw new Error('broken')
      },
      async [Symbol.asyncDispose]() {},
    }
    await expect(store.commit({ [asSeen]: async () => broken } as never, 'b')).rejects.toThrow('broken')
    expect(place.files()).toEqual(before)
    const image = await store.commit(container)
    expect(await store.image(image.digest)).toMatchObject({ digest: image.digest })
    const collected = await store.collect()
    expect([...collected.blobs].sort()).toEqual(
      [image.digest, image.manifest.config.digest, image.layers[3]!.diffId].sort(),
    )
    expect(place.files()).toEqual(before)
  })
})

everywhere('trees', (make) => {
  const layers = Array.from({ length: 12 }, (_, i) => layerFrom({ [`/d/${i}`]: `${i}`, '/top': `${i}` }))
  const imageOf = (count: number) => layers.slice(0, count).reduce((image, layer) => append(image, layer), scratch)
  const treesIn = (place: StorePlace) => place.names('cache', 'trees')

  test('of up to eight unfolded layers are read as they are; more are folded; a prefix is used', async () => {
    const place = await make()
    await using store = await place.open()
    for (const count of [0, 2, 8, 9, 12]) await store.write(imageOf(count), `n${count}`)
    const chain = chainIds(layers.map(({ diffId }) => diffId)).map((id) => `${id.slice(7)}.erofs`)
    const empty = await store.tree('n0')
    expect([...empty.list(empty.root)]).toEqual([])
    empty.close()
    ;(await store.tree('n8')).close()
    expect(treesIn(place)).toEqual([])
    const tree = await store.tree('n9')
    expect(contentAt(tree, 'top')).toBe('8')
    expect([...tree.list(tree.lookup(tree.root, 'd')!)]).toHaveLength(9)
    tree.close()
    expect(treesIn(place)).toEqual([chain[8]])
    const more = await store.tree('n12')
    expect(contentAt(more, 'top')).toBe('11')
    more.close()
    expect(treesIn(place)).toEqual([chain[8]])
    // A container stands on one folded index, made from the prefix; at once it would be the same, byte for byte.
    await (await store.containers.create('c', 'n12')).close()
    expect(treesIn(place)).toEqual([chain[8], chain[11]].sort())
    const incremental = Buffer.from(place.disk.fs.readFileSync(place.at('cache', 'trees', chain[11]!)) as Buffer)
    for (const name of treesIn(place)) place.disk.fs.rmSync(place.at('cache', 'trees', name))
    await (await store.containers.open('c')).close()
    const whole = place.disk.fs.readFileSync(place.at('cache', 'trees', chain[11]!)) as Buffer
    expect(Buffer.compare(whole, incremental)).toBe(0)
  })

  test('without layers carry a container', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(scratch, 'empty')
    const container = await store.containers.create('c', 'empty')
    container.fs.writeFileSync('/first', 'x')
    const image = await store.commit(container, 'one')
    await container.close()
    expect(image.layers).toHaveLength(1)
    await using again = await store.containers.open('c')
    expect(again.fs.readFileSync('/first', 'utf8')).toBe('x')
  })

  test('opened by many at once are folded once and right', async () => {
    const place = await make()
    const stores = await Promise.all([1, 2, 3, 4].map(() => place.open()))
    await stores[0]!.write(imageOf(12), 'a')
    place.disk.fs.rmSync(place.at('cache'), { recursive: true })
    const trees = await Promise.all(stores.map((store) => store.tree('a')))
    for (const tree of trees) expect(contentAt(tree, 'top')).toBe('11')
    for (const tree of trees) tree.close()
    expect(place.names('tmp')).toEqual([])
  })
})
