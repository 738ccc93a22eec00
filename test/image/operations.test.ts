import { describe, expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { configure } from '../../src/image/configure.ts'
import { copyWhole, parcelFrom } from '../../src/image/copy.ts'
import type { Image, Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import type { LayerReport } from '../../src/image/layer-report.ts'
import { imageOfParcel, indexOver, manifestsIn, parcelOf } from '../../src/image/parcel.ts'
import { withImages } from '../../src/image/with-images.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { validate } from '../../src/store/intake/validate.ts'
import { openStore } from '../../src/store/open-store.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { openSink, openSource } from '../../src/transport/index.ts'
import { dir, file, gone, link, opaque, symlink } from '../layer/parts.ts'
import { sampleImage } from '../support/images.ts'
import { artifact, foreignImage, sampleIndex } from '../support/parcels.ts'
import { makePlace } from '../support/places.ts'
import { archive } from '../tar/raw.ts'

function layerOf(...parts: Buffer[]): Layer {
  const tar = archive(...parts)
  const digest = digestOf(tar)
  const descriptor = { mediaType: mediaTypes.ociLayer, digest, size: tar.length }
  return layerFromBlob(descriptor, digest, () => streamOf(memoryBytes(tar)))
}

const imageOf = (...layers: Layer[]) => layers.reduce<Image>((image, layer) => append(image, layer), scratch)

describe('configure', () => {
  test('a list replaces a set, names change it one by one, null takes it away', () => {
    const image = configure(scratch, { exposedPorts: ['80/tcp', '53/udp'], volumes: ['/a'] })
    const next = configure(image, { exposedPorts: { '80/tcp': false, '443/tcp': true }, volumes: { '/a': false } })
    expect(next.config.config).toEqual({ ExposedPorts: { '53/udp': {}, '443/tcp': {} } })
    expect(configure(next, { exposedPorts: null }).config.config).toBeUndefined()
  })

  test('fields of Docker and parts of the platform are set alone, and fields that nobody named stay', () => {
    const image = configure(scratch, { platform: 'linux/arm/v6' })
    const next = configure(image, { architecture: 'arm64', variant: null, osVersion: '10', osFeatures: ['f'] })
    expect(next.config).toMatchObject({ os: 'linux', architecture: 'arm64', 'os.version': '10', 'os.features': ['f'] })
    expect(next.config).not.toHaveProperty('variant')
    const checked = configure(next, { healthcheck: { test: ['CMD', 'x'], interval: 0.5, retries: 2 }, shell: ['/sh'] })
    expect(checked.config.config).toEqual({
      Healthcheck: { Test: ['CMD', 'x'], Interval: 5e8, Retries: 2 },
      Shell: ['/sh'],
    })
    for (const wrong of [
      { exposedPorts: ['x'] },
      { created: '1' },
      { healthcheck: { test: [], timeout: -1 } },
      { labels: { '': 'x' } },
    ])
      expect(() => configure(image, wrong)).toThrow(expect.objectContaining({ code: 'PLY_USAGE' }))
  })

  test('a document in another spelling that says the same keeps its digest', async () => {
    const image = await sampleImage()
    const raw = Buffer.from(JSON.stringify(image.manifest, null, 2))
    const spelled = {
      ...image,
      rawManifest: raw,
      digest: digestOf(raw),
      descriptor: { ...image.descriptor, digest: digestOf(raw), size: raw.length },
    }
    expect(configure(spelled, { env: { PATH: '/bin' } })).toBe(spelled)
    expect(configure(spelled, { env: { PATH: '/sbin' } }).digest).not.toBe(spelled.digest)
  })
})

describe('rebase', () => {
  test('R-02, W-01: files of the new base that the moved layers shadow or remove are named, where they are not those of the old', async () => {
    await using store = await openStore(':memory:')
    const before = [dir('etc/'), file('etc/same', 'same'), file('etc/other', 'old'), file('etc/gone', 'g'), dir('d/')]
    const after = [
      ...[dir('etc/'), file('etc/same', 'same', { mtime: 99 }), file('etc/other', 'new')],
      ...[file('etc/gone', 'G'), file('etc/added', 'a'), symlink('d', 'etc'), dir('full/'), file('full/x', 'x')],
    ]
    const own = layerOf(
      ...[file('etc/same', 'mine'), file('etc/other', 'mine'), file('etc/added', 'mine'), gone('etc/gone')],
      ...[file('etc/own', 'mine'), dir('d/'), dir('full/'), opaque('full'), file('full/mine', 'm')],
    )
    const oldBase = imageOf(layerOf(...before))
    const newBase = imageOf(layerOf(...after))
    for (const [name, image] of [
      ['old', oldBase],
      ['new', newBase],
      ['app', append(oldBase, own)],
    ] as const)
      await store.write(image, name)
    const reports: LayerReport[] = []
    await store.rebase('app', { oldBase: 'old', newBase: 'new', onReport: (report) => void reports.push(report) })
    const said = reports.flatMap(({ layer, warnings }) =>
      warnings.map(({ rule, entry, text }) => `${layer} ${rule} ${entry}: ${text}`),
    )
    expect(said.map((line) => line.split(':')[0]).sort()).toEqual([
      '1 R-02 d',
      '1 R-02 etc/added',
      '1 R-02 etc/other',
      '1 R-02 full',
      '1 W-01 etc/gone',
    ])
    expect(said.find((line) => line.includes('etc/added'))).toContain('which the old one lacked')
    expect(said.find((line) => line.includes('etc/other'))).toContain('another one than that of the old')
  })
})

describe('foreign layers', () => {
  test('Q-06: what would make an ordinary layer of one is refused, unless it is asked for; all else leaves it as it is', async () => {
    await using store = await openStore(':memory:')
    const { image } = await foreignImage(['https://example.com/layer'])
    await store.write(image, 'foreign')
    for (const made of [
      () => store.squash('foreign'),
      () => store.flatten('foreign'),
      () => store.split('foreign', { layer: 0, size: 1 }),
      () => store.strip('foreign', { paths: ['/licensed'] }),
    ])
      await expect(made()).rejects.toMatchObject({
        code: 'PLY_UNSUPPORTED',
        message: expect.stringContaining('--unmark'),
      })
    const [first] = image.layers
    for (const made of [
      await store.squash('foreign', { from: 1 }),
      await store.strip('foreign', { paths: ['/own'] }),
      await store.lowerTimes('foreign', { sourceEpoch: 1000 }),
      configure(image, { user: 'me' }),
    ])
      expect(made.manifest.layers[0]).toEqual(first!.descriptor)
    expect((await store.flatten('foreign', { unmark: true })).manifest.layers[0]!.mediaType).toBe(mediaTypes.ociLayer)
  })
})

describe('parcels', () => {
  test('an index goes into the store and out again with all that it leads to, and gc keeps it as long as it has a name', async () => {
    using place = makePlace()
    await using store = await openStore(place.at('store'))
    const index = await sampleIndex()
    expect((await copyWhole(index, store, { as: 'all' })).digest).toBe(index.descriptor.digest)
    await store.collect()
    const back = await store.parcel('all')
    expect(Buffer.from(back.raw).equals(index.raw)).toBe(true)
    expect([...manifestsIn(back)]).toHaveLength(3)
    expect((await validate(back)).findings).toEqual([])
    expect((await store.image('all', { platform: 'linux/arm64' })).config.architecture).toBe('arm64')
    await store.untag('all')
    await store.collect()
    expect((await store.usage()).blobs.files).toBe(0)
  })

  test('an artifact is no image, and keeps its bytes; an attestation is none either', async () => {
    using place = makePlace()
    const thing = artifact()
    expect(await imageOfParcel(thing)).toBeUndefined()
    const index = await sampleIndex()
    expect(await imageOfParcel([...manifestsIn(index)][2]!)).toBeUndefined()
    await using sink = await openSink(`oci:${place.at('layout')}:thing`)
    await copyWhole(thing, sink)
    await using source = await openSource(`oci:${place.at('layout')}:thing`)
    expect((await parcelFrom(source, undefined)).descriptor.digest).toBe(thing.descriptor.digest)
    await using archive = await openSink(`docker-archive:${place.at('a.tar')}`)
    await expect(copyWhole(source, archive)).rejects.toMatchObject({
      code: 'PLY_UNREPRESENTABLE',
      message: expect.stringMatching(/docker-archive.*application\/vnd\.example\.thing/),
    })
    expect(place.files().some((name) => name.includes('a.tar'))).toBe(false)
  })

  test('an index within an index: images change in both, unknown fields stay', async () => {
    const inner = await sampleIndex()
    const outer = indexOver([inner, parcelOf(await sampleImage({ '/extra': 'x' }))], {
      annotations: { a: 'b' },
      'x-unknown': 1,
    } as object)
    const made = await withImages(outer, async (image) => configure(image, { user: 'me' }))
    expect(made.index).toMatchObject({ annotations: { a: 'b' }, 'x-unknown': 1 })
    const images = await Promise.all([...manifestsIn(made)].map((one) => imageOfParcel(one)))
    expect(images.map((image) => image?.config.config?.User)).toEqual(['me', 'me', 'me'])
    expect(await withImages(outer, async (image) => image)).toBe(outer)
  })
})

describe('validate', () => {
  test('H-06, N-13: what only the layers below show is found, and in which layer', async () => {
    const fine = layerOf(file('t/x', 'x'), symlink('l', 't'))
    const odd = await validate(parcelOf(imageOf(fine, layerOf(file('l/y', 'y')))))
    expect(odd).toMatchObject({
      valid: true,
      findings: [{ where: 'layer 1', severity: 'warning', code: 'N-13', entry: 'l' }],
    })
    const wrong = await validate(parcelOf(imageOf(fine, layerOf(link('h', 'no/such')))))
    expect(wrong).toMatchObject({
      valid: false,
      findings: [{ where: 'layer 1', severity: 'error', code: 'PLY_BAD_LAYER' }],
    })
  })

  test('media types, diffIDs, platforms and histories that do not fit are named', async () => {
    const image = await sampleImage()
    const [layer] = image.layers
    const lying = { ...image, layers: [{ ...layer!, diffId: image.layers[1]!.diffId }, ...image.layers.slice(1)] }
    expect(await validate(parcelOf(lying))).toMatchObject({
      valid: false,
      findings: [{ where: 'layer 0', code: 'PLY_DIGEST_MISMATCH' }],
    })
    const plain = { ...layer!.descriptor, mediaType: mediaTypes.ociLayer }
    const renamed = { ...image, layers: [{ ...layer!, descriptor: plain }, ...image.layers.slice(1)] }
    const manifest = { ...image.manifest, layers: [plain, ...image.manifest.layers.slice(1)] }
    const parcel = { ...parcelOf(renamed), manifest }
    expect(await validate(parcel)).toMatchObject({ valid: true, findings: [{ where: 'layer 0', code: 'Z-01' }] })
    const other = {
      ...parcelOf(image),
      descriptor: { ...image.descriptor, platform: { os: 'linux', architecture: 's390x' } },
    }
    expect((await validate(indexOver([other]))).findings).toMatchObject([{ where: 'config', severity: 'warning' }])
    expect(
      (await validate({ ...other, descriptor: { ...image.descriptor, mediaType: mediaTypes.dockerManifest } })).valid,
    ).toBe(false)
  })

  test('a manifest that is missing from an index is a finding, and the others are checked all the same', async () => {
    using place = makePlace()
    const index = await sampleIndex()
    await using sink = await openSink(`oci:${place.at('layout')}:it`)
    await copyWhole(index, sink)
    const { rmSync } = await import('node:fs')
    rmSync(place.at(`layout/blobs/sha256/${index.members[1]!.descriptor.digest.slice(7)}`))
    await using source = await openSource(`oci:${place.at('layout')}:it`)
    const found = await validate(source)
    expect(found).toMatchObject({ valid: false, documents: 3, findings: [{ code: 'PLY_BLOB_NOT_FOUND' }] })
    expect(await validate(source, { fast: true })).toMatchObject({ valid: false, blobs: 0 })
    await using store = await openStore(place.at('store'))
    const image = await sampleImage()
    await store.write(image, 'image')
    rmSync(place.at(`store/blobs/sha256/${image.layers[1]!.descriptor.digest.slice(7)}`))
    for (const fast of [true, false]) {
      const { findings } = await validate(store, { name: 'image', fast })
      expect(findings).toMatchObject([{ where: 'layer 1', code: 'PLY_BLOB_NOT_FOUND' }])
    }
  })
})
