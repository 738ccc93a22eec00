import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { append } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { digestOf } from '../../src/model/digest.ts'
import { type Descriptor, mediaTypes } from '../../src/model/documents.ts'
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
    const waiting = new Promise<void>((resolve) => (go = resolve))
    async function* compressed() {
      await waiting
      yield* slow.compressed()
    }
    const writing = other.write(append(image, { ...slow, compressed }), 'b')
    await new Promise((resolve) => setTimeout(resolve, 20))
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
