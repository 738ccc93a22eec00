import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { digestOf } from '../../src/model/digest.ts'
import { type Descriptor, mediaTypes } from '../../src/model/documents.ts'
import { layoutOf } from '../../src/store/layout.ts'
import { MountRecords } from '../../src/store/mounts/mount-records.ts'
import { gzipLayer, sampleImage } from '../support/images.ts'
import { hasTool } from '../support/tools.ts'
import { everywhere, noise, type StorePlace } from './places.ts'

function putBlob(place: StorePlace, content: string | Uint8Array, mediaType: string): Descriptor {
  const raw = Buffer.from(content as string)
  const digest = digestOf(raw)
  place.put(place.blob(digest), raw)
  // Another tool wrote it, but not just now.
  place.disk.fs.utimesSync(place.blob(digest), 1e9, 1e9)
  return { mediaType, digest, size: raw.length }
}

function addToIndex(place: StorePlace, entry: object) {
  const index = place.json<{ manifests: object[] }>('index.json')
  index.manifests.push(entry)
  place.put(place.at('index.json'), JSON.stringify(index))
}

everywhere('a collection', (make) => {
  test('removes what nothing needs, and only that; a dry run says what and removes nothing', async () => {
    const place = await make()
    await using store = await place.open()
    const kept = await sampleImage()
    await store.write(kept, 'kept')
    ;(await store.containers.create('c', 'kept')).close()
    await store.collect()
    const before = place.files()
    const extra = append(kept, await gzipLayer({ '/extra': noise(100_000) }))
    await store.write(extra, 'extra')
    const other = await store.containers.create('d', 'extra')
    other.fs.writeFileSync('/x', 'x')
    await other.close()
    await store.containers.remove('d')
    await store.untag('extra')
    place.put(place.at('tmp', 'blob-0011'), noise(1000))
    place.disk.fs.mkdirSync(place.at('tmp', 'upper-22', 'upper'), { recursive: true })
    place.put(place.at('tmp', 'upper-22', 'upper', 'x'), noise(500))
    place.disk.fs.mkdirSync(place.at('uppers', 'dead'))
    place.put(place.at('uppers', 'dead', 'record.json'), '{}')
    place.put(place.at('locks', 'upper-dead'), '')
    place.put(place.at('cache', 'layers', `${'0'.repeat(64)}.erofs`), 'x')
    const full = place.files()

    const dry = await store.collect({ dryRun: true })
    expect(place.files()).toEqual(full)
    const real = await store.collect()
    expect(real).toEqual(dry)
    expect([...real.blobs].sort()).toEqual(
      [extra.digest, extra.manifest.config.digest, extra.layers[3]!.descriptor.digest].sort(),
    )
    const hex = extra.layers[3]!.diffId.slice(7)
    expect(real.files).toEqual(
      expect.arrayContaining([
        `cache/layers/${hex}.tar`,
        `cache/layers/${hex}.erofs`,
        `cache/layers/${'0'.repeat(64)}.erofs`,
        'tmp/blob-0011',
        'tmp/upper-22',
        'uppers/dead',
      ]),
    )
    expect(real.unreadable).toEqual([])
    const sizes = new Map(
      full.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
    )
    const left = new Set(place.files())
    const gone = full
      .filter((line) => !left.has(line) && !line.startsWith('index.json'))
      .map((line) => sizes.get(line.slice(0, line.lastIndexOf(' ')))!)
    expect(real.freed).toBe(gone.reduce((sum, size) => sum + size, 0))
    expect(place.files()).toEqual(before)
    expect(place.names('locks')).not.toContain('upper-dead')
    expect(place.names('locks')).not.toContain(`layer-${hex}`)
    await (await store.containers.open('c')).close()
  })

  test('keeps what an unnamed entry, an artifact, or an index with missing platforms needs', async () => {
    const place = await make()
    await using store = await place.open()
    const image = await sampleImage()
    await store.write(image)
    const blob = putBlob(place, noise(1000), 'application/octet-stream')
    const config = putBlob(place, '{}', 'application/vnd.oci.empty.v1+json')
    const artifact = putBlob(
      place,
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        artifactType: 'application/x',
        config,
        layers: [blob],
      }),
      mediaTypes.ociManifest,
    )
    const missing = { mediaType: mediaTypes.ociManifest, digest: digestOf(Buffer.from('missing')), size: 7 }
    const index = putBlob(
      place,
      JSON.stringify({ schemaVersion: 2, manifests: [image.descriptor, missing, artifact] }),
      mediaTypes.ociIndex,
    )
    addToIndex(place, index)
    const before = place.files()
    expect(await store.collect()).toMatchObject({ blobs: [], unreadable: [] })
    expect(place.files().filter((name) => name.startsWith('blobs'))).toEqual(
      before.filter((name) => name.startsWith('blobs')),
    )
    expect(place.files().filter((name) => name.startsWith('cache/layers'))).toEqual(
      before.filter((name) => name.startsWith('cache/layers')),
    )
  })

  test('removes no blob while a manifest that is needed cannot be read, and says which', async () => {
    const place = await make()
    await using store = await place.open()
    const image = await sampleImage()
    await store.write(image, 'a')
    const stray = putBlob(place, 'stray', 'x')
    const odd = [
      putBlob(place, 'not json', mediaTypes.ociManifest),
      putBlob(place, '[]', mediaTypes.ociManifest),
      putBlob(place, '{"schemaVersion":1}', mediaTypes.ociManifest),
      putBlob(place, '{"schemaVersion":2,"manifests":[{}]}', mediaTypes.ociIndex),
      putBlob(
        place,
        JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.artifact.manifest.v1+json', blobs: [] }),
        'x',
      ),
      putBlob(place, Buffer.alloc(5 << 20, ' '), mediaTypes.ociManifest),
    ]
    for (const one of odd) {
      const index = place.text('index.json')
      addToIndex(place, one)
      const { unreadable, blobs } = await store.collect()
      expect(unreadable, one.digest).toEqual([one.digest])
      expect(blobs).toEqual([])
      place.put(place.at('index.json'), index)
    }
    place.flip(place.blob(image.digest))
    expect(await store.collect()).toMatchObject({ unreadable: [image.digest], blobs: [] })
    await store.write(image, 'a')
    expect((await store.collect()).blobs).toContain(stray.digest)
  })

  test('is refused while somebody writes; names may be set before it and after it', async () => {
    const place = await make()
    await using store = await place.open()
    await using other = await place.open()
    const image = await sampleImage()
    await store.write(image, 'a')
    const slow = layerFrom({ '/slow': 'x' })
    let go = () => {}
    let begin = () => {}
    const waiting = new Promise<void>((resolve) => (go = resolve))
    const begun = new Promise<void>((resolve) => (begin = resolve))
    async function* compressed() {
      begin()
      await waiting
      yield* slow.compressed()
    }
    const writing = other.write(append(image, { ...slow, compressed }), 'b')
    await begun
    await expect(store.collect()).rejects.toMatchObject({ code: 'PLY_STORE_BUSY' })
    go()
    await writing
    for (let i = 0; i < 10; i++) {
      const results = await Promise.allSettled([
        store.collect(),
        other.tag('a', `t${i}`),
        other.untag(i === 0 ? 'b' : `t${i - 1}`),
        other.tree('a').then((tree) => tree.close()),
      ])
      for (const one of results) if (one.status === 'rejected') expect(one.reason.code).toBe('PLY_STORE_BUSY')
      expect(results.slice(1).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
    }
    expect((await store.images()).map(({ name, problem }) => [name, problem])).toEqual([
      ['a:latest', undefined],
      ['t9:latest', undefined],
    ])
  })
})

everywhere('a collection', (make, kind) => {
  test('keeps to a budget of caches, the least recently used first, and what containers stand on stays', async () => {
    const place = await make()
    await using store = await place.open()
    const names = ['old', 'new', 'held']
    for (const [i, name] of names.entries()) {
      await store.write(append(scratch, await gzipLayer({ [`/${name}`]: noise(200_000) })), name)
      ;(await store.tree(name)).close()
      const { layers } = await store.image(name)
      for (const end of ['tar', 'erofs']) {
        const path = place.at('cache', 'layers', `${layers[0]!.diffId.slice(7)}.${end}`)
        place.disk.fs.utimesSync(path, 1e9 + i, 1e9 + i)
      }
    }
    await (await store.containers.create('c', 'held')).close()
    const cached = async (name: string) => {
      const { layers } = await store.image(name)
      return place.names('cache', 'layers').includes(`${layers[0]!.diffId.slice(7)}.tar`)
    }
    const all = place.names('cache', 'layers').length
    expect((await store.collect({ caches: 1e9 })).files).toEqual([])
    const dry = await store.collect({ caches: 500_000, dryRun: true })
    expect(place.names('cache', 'layers')).toHaveLength(all)
    expect(await store.collect({ caches: 500_000 })).toEqual(dry)
    expect([await cached('old'), await cached('new'), await cached('held')]).toEqual([false, true, true])
    await store.collect({ caches: 0 })
    expect([await cached('old'), await cached('new'), await cached('held')]).toEqual([false, false, true])
    for (const name of names) (await store.tree(name)).close()
    expect(await cached('old')).toBe(true)
    await store.containers.remove('c')
    for (const name of names) await store.untag(name)
    await store.collect()
    expect(place.names('cache', 'layers')).toEqual([])
    expect(place.names('blobs', 'sha256')).toEqual([])
  })

  // Nothing mounts what is in memory.
  const onDisk = kind === 'disk' ? test : () => {}
  onDisk('keeps the caches of an image that is mounted, whatever the budget', async () => {
    const place = await make()
    await using store = await place.open()
    const { digest } = await store.write(append(scratch, await gzipLayer({ '/file': noise(100_000) })), 'a')
    ;(await store.tree('a')).close()
    const target = place.at('..', 'target')
    place.disk.fs.mkdirSync(target)
    const mounts = new MountRecords(place.disk, layoutOf(place.root))
    const about = { chainId: null, upper: null, via: 'extract', readOnly: true, bootId: '', mount: null } as const
    const { ino } = place.disk.fs.lstatSync(target)
    const subject = { kind: 'image', name: 'a' } as const
    mounts.publish({ id: 'a1', subject, manifest: digest, target, directory: ino, created: '', ...about })
    expect((await store.collect({ caches: 0 })).files).toEqual([])
    place.disk.fs.rmSync(target, { recursive: true })
    expect((await store.collect({ caches: 0 })).files).not.toEqual([])
  })

  test('keeps uppers that snapshots stand on, and those below them', async () => {
    const place = await make()
    await using store = await place.open({ upperForm: 'portable' })
    await store.write(await sampleImage(), 'a')
    const container = await store.containers.create('c', 'a')
    container.fs.writeFileSync('/one', '1')
    await container.close()
    await store.containers.snapshot('c', 'first')
    await store.containers.snapshot('c', 'second')
    await store.containers.clone('c@first', 'twin')
    place.disk.fs.mkdirSync(place.at('uppers', 'dead'))
    const uppers = place.names('uppers').filter((name) => name !== 'dead')
    expect(uppers.length).toBeGreaterThanOrEqual(4)
    await store.untag('a')
    expect(await store.collect()).toMatchObject({ blobs: [], files: ['uppers/dead'] })
    expect(place.names('uppers')).toEqual(uppers)
  })

  test('leaves what another tool has just written, until it is old', async () => {
    const place = await make()
    await using store = await place.open()
    const blob = Buffer.from('the layer of an image whose manifest is still to come')
    const digest = digestOf(blob)
    place.put(place.blob(digest), blob)
    expect(await store.collect()).toMatchObject({ blobs: [], kept: [digest] })
    expect(await store.collect({ grace: 0 })).toMatchObject({ blobs: [digest], kept: [] })
  })

  test('says why something lives: each way from it to what somebody named', async () => {
    const place = await make()
    await using store = await place.open({ upperForm: 'portable' })
    const image = await sampleImage()
    await store.write(image, 'a')
    await (await store.containers.create('c', 'a')).close()
    const stray = putBlob(place, 'stray', 'x')
    const { descriptor, diffId } = image.layers[1]!
    const found = await store.explain(descriptor.digest)
    const blob = found.find(({ thing }) => thing === descriptor.digest)!
    const upper = (await store.containers.list())[0]!.upper
    expect(blob.chains).toContainEqual([
      { holder: image.digest, as: 'layer 1' },
      { holder: 'name a:latest', as: 'image' },
    ])
    expect(blob.chains.map((chain) => chain.at(-1)!.holder)).toContain('container c')
    expect((await store.explain(diffId.slice(0, 19))).map(({ thing }) => thing)).toContain(
      `cache/layers/${diffId.slice(7)}.erofs`,
    )
    expect(await store.explain(upper)).toEqual([
      { thing: `upper ${upper}`, chains: [[{ holder: 'container c', as: 'upper' }]] },
    ])
    expect(await store.explain(`uppers/${upper}`)).toHaveLength(1)
    expect(await store.explain(stray.digest)).toEqual([{ thing: stray.digest, chains: [] }])
    expect(await store.explain('a')).toEqual([{ thing: 'name a:latest', chains: [[{ holder: 'you', as: 'name' }]] }])
    await store.containers.snapshot('c', 'kept')
    expect((await store.explain('c@kept'))[0]!.chains).toEqual([[{ holder: 'you', as: 'snapshot' }]])
    await expect(store.explain('nothing')).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })

  test('goes on beside records that cannot be read, and keeps what they may have kept alive', async () => {
    const place = await make()
    await using store = await place.open()
    const image = await sampleImage()
    await store.write(image, 'kept')
    const other = append(scratch, layerFrom({ '/other': 'x' }))
    await store.write(other, 'other')
    await store.write(append(scratch, layerFrom({ '/gone': 'x' })))
    // The digest in it can still be read, and index.json has it too: what it kept alive is known.
    place.put(place.at('names', 'kept%3alatest'), place.text('names', 'kept%3alatest').replace('{', '<'))
    const known = await store.collect()
    expect(known).toMatchObject({ records: ['names/kept%3alatest'], unreadable: [], blobs: { length: 3 } })
    expect((await store.images()).map(({ name }) => name)).toEqual(['other:latest'])
    await store.untag('other')
    place.put(place.at('names', 'unknown'), 'nothing')
    place.put(place.at('tmp', 'litter'), 'x')
    const unknown = await store.collect()
    expect(unknown).toMatchObject({ blobs: [], records: { length: 2 } })
    expect(unknown.files).toContain('tmp/litter')
    place.disk.fs.rmSync(place.at('names', 'unknown'))
    expect((await store.collect()).blobs).toContain(other.digest)
    expect(place.names('blobs', 'sha256')).toContain(image.digest.slice(7))
  })
})

everywhere('usage', (make, kind) => {
  test('adds up to what is there', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    await using container = await store.containers.create('c', 'a')
    container.fs.writeFileSync('/x', noise(50_000))
    container.tree.sync()
    const { blobs, layerCaches, treeCaches, uppers, total } = await store.usage()
    for (const part of [blobs, layerCaches, treeCaches, uppers]) {
      expect(part.files).toBeGreaterThan(0)
      expect(part.bytes).toBeGreaterThan(0)
    }
    const parts = [blobs, layerCaches, treeCaches, uppers]
    expect(parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(total.bytes)
    expect(parts.reduce((sum, { files }) => sum + files, 0)).toBeLessThanOrEqual(total.files)
    if (kind !== 'disk' || !hasTool('du')) return
    const du = (path: string) =>
      Number(execFileSync('du', ['-s', '--block-size=1', path], { encoding: 'utf8' }).split('\t')[0])
    expect(total.bytes).toBe(du(place.root))
    expect(blobs.bytes).toBe(du(place.at('blobs')))
    expect(uppers.bytes).toBe(du(place.at('uppers')))
  })
})
