import { join } from 'node:path'
import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { healedRecord } from '../../src/store/collection/salvage.ts'
import { fsckLevels } from '../../src/store/fsck/findings.ts'
import { rememberable } from '../../src/store/fsck/sources.ts'
import { recordText } from '../../src/store/records.ts'
import { openSink } from '../../src/transport/index.ts'
import { gzipLayer, sampleImage } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { everywhere, noise } from './places.ts'

everywhere('a check', (make, kind) => {
  test('finds nothing in a store that is whole, at any level, and writes nothing', async () => {
    const place = await make()
    await using store = await place.open({ upperForm: 'portable' })
    await store.write(await sampleImage(), 'a')
    await store.tag('a', 'b')
    await using container = await store.containers.create('c', 'a')
    container.fs.writeFileSync('/x', 'x')
    await store.containers.snapshot('d', 's').catch(() => {})
    const before = place.files()
    await using reader = await place.open({ readOnly: true })
    for (const level of fsckLevels)
      for (const one of [store, reader]) {
        const { findings, left, checked } = await one.fsck({ level })
        expect(findings).toEqual([])
        expect(left).toEqual({ damage: 0, drift: 0, cosmetics: 0 })
        expect(checked).toMatchObject({ images: 1, containers: 1 })
      }
    expect(place.files()).toEqual(before)
    await expect(reader.fsck({ repair: true })).rejects.toMatchObject({ code: 'PLY_STORE_READ_ONLY' })
  })

  test('names the images, containers and paths that a damaged layer belongs to', async () => {
    const place = await make()
    await using store = await place.open()
    const files = { '/good': noise(100_000), '/dir/bad': noise(200_000), '/late': noise(100_000) }
    const image = append(append(scratch, layerFrom(files)), await gzipLayer({ '/etc/motd': 'x' }))
    await store.write(image, 'a')
    await store.tag('a', 'b')
    await (await store.containers.create('c', 'a')).close()
    const [plain, zipped] = image.layers.map(({ descriptor }) => descriptor.digest)
    const tree = await store.tree('a')
    const content = tree.open(tree.lookup(tree.lookup(tree.root, 'dir')!, 'bad')!)
    const start = Buffer.from(place.disk.fs.readFileSync(place.blob(plain!)) as Buffer).indexOf(readAll(content))
    content.close()
    tree.close()
    place.flip(place.blob(plain!), start + 100_000)
    place.flip(place.blob(zipped!))
    expect((await store.fsck({ level: 'sizes' })).findings).toEqual([])
    const { findings, left } = await store.fsck({ level: 'digests' })
    expect(left).toEqual({ damage: 2, drift: 0, cosmetics: 0 })
    const affects = expect.arrayContaining(['container c', 'name a:latest', 'name b:latest'])
    expect(findings.find(({ file }) => file.endsWith(plain!.slice(7)))).toMatchObject({
      ...{ kind: 'damage', code: 'bad-blob', affects, paths: { layer: plain, paths: ['/dir/bad'], count: 1 } },
    })
    const other = findings.find(({ file }) => file.endsWith(zipped!.slice(7)))!
    expect(other).toMatchObject({ kind: 'damage', code: 'bad-blob', affects })
    expect(other.problem).toContain('still in the cache')
    expect(other.paths).toBeUndefined()
  })

  test('without a source puts aside what is of no use, and leaves the good files of a damaged tar', async () => {
    const place = await make()
    await using store = await place.open()
    const image = append(
      append(scratch, layerFrom({ '/bad': noise(200_000), '/good': 'good' })),
      await gzipLayer({ '/z': 'z' }),
    )
    await store.write(image, 'a')
    const [plain, zipped] = image.layers.map(({ descriptor }) => descriptor.digest)
    place.flip(place.blob(plain!))
    place.flip(place.blob(zipped!))
    const { findings, left } = await store.fsck({ repair: true })
    expect(left.damage).toBe(2)
    const of = (digest: string) => findings.find(({ file }) => file.endsWith(digest.slice(7)))!
    expect(of(plain!).remedy).toBeUndefined()
    expect(of(zipped!).remedy).toBe('quarantined')
    expect(of(plain!).obstacles).toEqual(['no source was named, and none is remembered'])
    expect(place.names('quarantine', 'blobs', 'sha256')).toEqual([zipped!.slice(7)])
    const tree = await store.tree('a')
    const content = tree.open(tree.lookup(tree.root, 'good')!)
    expect(readAll(content).toString()).toBe('good')
    content.close()
    expect(() => readAll(tree.open(tree.lookup(tree.root, 'bad')!))).toThrow(
      expect.objectContaining({ code: 'PLY_DAMAGED' }),
    )
    tree.close()
    // It is told again, and a collection with a budget does not give up the only copy.
    expect((await store.fsck()).findings.map(({ code }) => code).sort()).toEqual([
      'bad-blob',
      'missing-blob',
      'quarantined',
    ])
    await store.collect({ caches: 0 })
    expect(place.names('cache', 'layers')).toContain(`${image.layers[1]!.diffId.slice(7)}.tar`)
    await store.write(image, 'a')
    expect((await store.fsck({ level: 'caches' })).left).toEqual({ damage: 0, drift: 0, cosmetics: 1 })
  })

  test('heals a record of which one byte has changed, and puts aside one that is beyond that', async () => {
    const place = await make()
    await using store = await place.open({ upperForm: 'portable' })
    await store.write(await sampleImage(), 'a')
    const other = append(scratch, layerFrom({ '/other': 'x' }))
    await store.write(other, 'other')
    for (const name of ['c', 'd']) await (await store.containers.create(name, 'a')).close()
    const before = place.text('names', 'a%3alatest')
    for (const at of [0, 20, before.length - 12, before.length - 1]) {
      place.flip(place.at('names', 'a%3alatest'), at)
      const { findings } = await store.fsck({ level: 'structure', repair: true })
      expect(findings).toMatchObject([{ code: 'bad-record', file: 'names/a%3alatest', remedy: 'healed' }])
      expect(place.text('names', 'a%3alatest')).toBe(before)
    }
    // index.json says the same.
    place.put(place.at('names', 'a%3alatest'), 'gone')
    expect((await store.fsck({ repair: true })).findings).toMatchObject([{ remedy: 'healed' }])
    expect((await store.images()).map(({ name }) => name)).toEqual(['a:latest', 'other:latest'])
    place.put(place.at('containers', 'c', 'record.json'), '{"upper":"')
    expect((await store.containers.list()).map(({ name }) => name)).toEqual(['d'])
    const uppers = place.names('uppers')
    const { findings, left } = await store.fsck({ repair: true })
    expect(findings).toMatchObject([{ file: 'containers/c/record.json', remedy: 'quarantined' }])
    expect(left.damage).toBe(1)
    // Which upper it had is unknown: no upper goes, and no blob.
    await store.untag('other')
    const collected = await store.collect()
    expect(collected).toMatchObject({ blobs: [], records: ['quarantine/containers/c'] })
    expect(place.names('uppers')).toEqual(uppers)
    place.disk.fs.rmSync(place.at('quarantine'), { recursive: true })
    expect((await store.collect()).blobs).toContain(other.digest)
    expect(place.names('uppers')).toHaveLength(1)
  })

  test('beside writers and collections tells nothing that is only so because they are at work', async () => {
    const place = await make()
    await using store = await place.open({ upperForm: 'portable' })
    await using other = await place.open({ upperForm: 'portable' })
    await store.write(await sampleImage(), 'a')
    let working = true
    const work = (async () => {
      for (let i = 0; i < (kind === 'disk' ? 12 : 6); i++) {
        await other.write(append(await sampleImage(), layerFrom({ '/i': `${i}` })), `i${i}`)
        await (await other.containers.create('x', `i${i}`)).close()
        await other.containers.remove('x')
        await other.untag(`i${i}`)
        await other.collect().catch((error) => expect(error.code).toBe('PLY_STORE_BUSY'))
      }
      working = false
    })()
    let checks = 0
    for (; working; checks++) {
      const { findings } = await store.fsck({ level: fsckLevels[checks % fsckLevels.length]! })
      expect(findings).toEqual([])
      await new Promise((resolve) => setImmediate(resolve))
    }
    await work
    expect(checks).toBeGreaterThan(0)
  })

  if (kind !== 'disk') return
  test('fetches what is damaged or gone from a source, or from where the image came from', async () => {
    const place = await make()
    const home = temporary()
    const image = await sampleImage()
    for (const transport of ['oci', 'oci-archive', 'dir']) {
      await using sink = await openSink(`${transport}:${join(home, transport)}`)
      await sink.write(image, 'sample')
    }
    await using store = await place.open()
    await store.write(image, 'a', { source: `oci:${join(home, 'oci')}` })
    const blobs = [
      image.digest,
      image.manifest.config.digest,
      ...image.layers.map(({ descriptor }) => descriptor.digest),
    ]
    for (const sources of [[], ...['oci', 'oci-archive', 'dir'].map((name) => [`${name}:${join(home, name)}`])]) {
      for (const digest of blobs) place.flip(place.blob(digest))
      place.disk.fs.rmSync(place.blob(blobs.at(-1)!))
      const { findings, left } = await store.fsck({ repair: true, sources: ['oci:/nowhere', ...sources] })
      expect(left, sources[0]).toEqual({ damage: 0, drift: 0, cosmetics: 0 })
      for (const finding of findings) expect(finding.remedy).toBe('fetched')
      expect((await store.fsck({ level: 'caches' })).findings).toEqual([])
    }
    await expect(store.fsck({ repair: true, sources: ['tar:x'] })).resolves.toBeDefined()
    place.disk.fs.rmSync(place.at('cache'), { recursive: true })
    ;(await store.tree('a')).close()
  })

  test('tells of a store that others may look into', async () => {
    const place = await make()
    await using store = await place.open()
    place.disk.fs.chmodSync(place.root, 0o755)
    expect((await store.fsck({ level: 'structure' })).findings).toMatchObject([
      { kind: 'cosmetics', code: 'permissions' },
    ])
  })
})

test('a record of which any one byte has changed is healed', () => {
  const record = Buffer.from(recordText({ name: 'debian:12', size: 7 }))
  for (let at = 0; at < record.length; at++) {
    const changed = Buffer.from(record)
    changed[at] = changed[at]! ^ (1 + ((at * 37) % 255))
    expect(healedRecord(changed)?.toString()).toBe(record.toString())
  }
  expect(healedRecord(Buffer.from('{"name":"old"}\n'))).toBeUndefined()
})

test('sources are remembered without passwords, with absolute paths, and only where they can be asked again', () => {
  expect(rememberable('docker://user:secret@host.example/name:tag')).toBe('docker://host.example/name:tag')
  expect(rememberable('oci:./out:tag')).toBe(`oci:${join(process.cwd(), 'out:tag')}`)
  for (const text of ['docker-archive:-', 'tar:x.tar', 'rootfs:/', 'debian:12', 'container:c'])
    expect(rememberable(text)).toBeUndefined()
})

function readAll(bytes: { readonly size: number; read(into: Uint8Array, position: number): number }): Buffer {
  const whole = Buffer.alloc(bytes.size)
  bytes.read(whole, 0)
  return whole
}
