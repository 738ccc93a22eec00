import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { digestOf } from '../../src/model/digest.ts'
import { type Descriptor, mediaTypes } from '../../src/model/documents.ts'
import { Names } from '../../src/store/images/names.ts'
import { layoutOf } from '../../src/store/layout.ts'
import { escapeName } from '../../src/store/records.ts'
import { sampleImage } from '../support/images.ts'
import { everywhere, type StorePlace } from './places.ts'

const refName = 'org.opencontainers.image.ref.name'
type Entry = Partial<Descriptor> & { annotations?: Record<string, string> }
interface IndexJson {
  manifests: Entry[]
  [other: string]: unknown
}

const pointer = (text: string): Descriptor => ({
  mediaType: mediaTypes.ociManifest,
  digest: digestOf(Buffer.from(text)),
  size: text.length,
})
const entry = (name: string, text: string): Entry => ({ ...pointer(text), annotations: { [refName]: name } })

const indexOf = (place: StorePlace) => place.json<IndexJson>('index.json')
/** What another tool does: reads the file, changes it, writes it in place. */
function foreign(place: StorePlace, change: (index: IndexJson) => void) {
  const index = indexOf(place)
  change(index)
  place.disk.fs.writeFileSync(place.at('index.json'), JSON.stringify(index, null, 2))
}
const namesOn = (place: StorePlace) => new Names(place.disk, layoutOf(place.root))
const inIndex = (place: StorePlace) =>
  Object.fromEntries(indexOf(place).manifests.map((one) => [one.annotations?.[refName], one.digest]))

async function opened(make: () => Promise<StorePlace>) {
  const place = await make()
  await place.open()
  return { place, names: namesOn(place) }
}

test('a file name is the name, escaped, never hidden, never too long, never another name', () => {
  expect(escapeName('debian:12')).toBe('debian%3a12')
  // Disks that fold case must not fold names.
  expect(escapeName('x:A').toLowerCase()).not.toBe(escapeName('x:a'))
  expect(escapeName('.hidden')).toBe('%2ehidden')
  expect(escapeName('..')).toBe('%2e.')
  expect(escapeName('a/../b')).toBe('a%2f..%2fb')
  expect(escapeName('ü%')).toBe('%c3%bc%25')
  const long = `example.org/${'x'.repeat(300)}:1`
  const escaped = `example.org%2f${'x'.repeat(106)}~${createHash('sha256').update(long).digest('hex')}`
  expect(escapeName(long)).toBe(escaped)
  const odd = [
    'a',
    'A',
    'a.tmp',
    '%.index-seen',
    '%2e',
    '.',
    'a b',
    'a\nb',
    'a%20b',
    long,
    `${long}2`,
    '~',
    'ä',
    '日本',
  ]
  expect(new Set(odd.map(escapeName)).size).toBe(odd.length)
  for (const name of odd) {
    expect(escapeName(name)).not.toMatch(/^(%?\.|$)|[/\0]/)
    expect(escapeName(name).length).toBeLessThanOrEqual(200)
  }
})

everywhere('names', (make) => {
  test('of any spelling are kept, listed in byte order, and written to index.json', async () => {
    const { place, names } = await opened(make)
    const odd = [
      'b',
      'a.tmp',
      '%.index-seen',
      'ä',
      '\u{10000}',
      '\uffee',
      '__proto__',
      `x/${'y'.repeat(400)}:1`,
      '.hidden',
      '~',
    ]
    for (const name of odd) await names.set(name, pointer(name))
    const sorted = [...odd].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(namesOn(place).list()).toEqual(sorted.map((name) => ({ name, descriptor: pointer(name) })))
    expect(
      indexOf(place)
        .manifests.map((one) => one.annotations?.[refName])
        .sort(),
    ).toEqual([...odd].sort())
    for (const name of odd) expect(names.get(name)).toEqual(pointer(name))
    for (const name of odd) expect(await names.remove(name), name).toBe(true)
    expect(await names.remove('b')).toBe(false)
    expect(indexOf(place)).toEqual({ schemaVersion: 2, manifests: [] })
    expect(place.names('names')).toEqual(['%.index-seen'])
    expect(place.names('tmp')).toEqual([])
  })

  test('that another tool adds or moves are adopted; what it takes away stays', async () => {
    const { place, names } = await opened(make)
    for (const name of ['kept', 'moved', 'gone']) await names.set(name, pointer(name))
    foreign(place, (index) => {
      index.manifests = [entry('kept', 'kept'), entry('moved', 'elsewhere'), entry('added', 'added')]
    })
    const expected = ['added', 'gone', 'kept', 'moved']
    expect(names.list().map(({ name }) => name)).toEqual(expected)
    expect(names.get('moved')).toEqual(pointer('elsewhere'))
    expect(names.get('gone')).toEqual(pointer('gone'))
    // Reading adopts nothing, writing does.
    expect(place.names('names')).not.toContain('added')
    await names.set('new', pointer('new'))
    expect(place.names('names')).toContain('added')
    expect(Object.keys(inIndex(place)).sort()).toEqual([...expected, 'new'].sort())
    expect(names.get('moved')).toEqual(pointer('elsewhere'))
    expect(await names.remove('added')).toBe(true)
    expect(names.get('added')).toBeUndefined()
  })

  test('that were moved here are not moved back by a tool that writes what it read before', async () => {
    const { place, names } = await opened(make)
    for (const name of ['a', 'b']) await names.set(name, pointer('old'))
    const read = indexOf(place)
    // It was written before, so that it differs from what we wrote last, but says of `a` what we know it said.
    foreign(place, (index) => index.manifests.push(entry('c', 'c')))
    await names.set('a', pointer('new'))
    await names.remove('b')
    expect(names.get('a')).toEqual(pointer('new'))
    expect(names.get('b')).toBeUndefined()
    expect(names.get('c')).toEqual(pointer('c'))
    expect(read.manifests).toHaveLength(2)
  })

  test('entries without a name, of other digests, and fields nobody knows stay as they are', async () => {
    const { place, names } = await opened(make)
    await names.set('a', pointer('a'))
    const unnamed = { ...pointer('artifact'), artifactType: 'application/x', annotations: { 'org.example': 'x' } }
    const strange = [
      {
        mediaType: mediaTypes.ociManifest,
        digest: `sha512:${'0'.repeat(128)}`,
        size: 3,
        annotations: { [refName]: 's' },
      },
      { ...pointer('numbered'), annotations: { [refName]: 5 } },
      { ...pointer('empty'), annotations: { [refName]: '' } },
      { ...pointer('second'), annotations: { [refName]: 'a' } },
      null,
      'text',
    ] as unknown as Entry[]
    foreign(place, (index) => {
      index.manifests.push(unnamed, ...strange, {
        ...entry('b', 'b'),
        platform: { os: 'linux', architecture: 'arm64' },
        data: 'eA==',
      } as Entry)
      index.subject = { anything: true }
    })
    await names.set('c', pointer('c'))
    const index = indexOf(place)
    expect(index.subject).toEqual({ anything: true })
    for (const kept of [unnamed, ...strange]) expect(index.manifests).toContainEqual(kept)
    expect(index.manifests.find((one) => one?.annotations?.[refName] === 'b')).toMatchObject({
      platform: { os: 'linux', architecture: 'arm64' },
      data: 'eA==',
    })
    expect(names.list().map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    expect(names.get('a')).toEqual(pointer('a'))
    expect(names.survey().unnamed).toContainEqual(unnamed)
  })

  test('outlive an index.json that is damaged, half written or gone', async () => {
    const { place, names } = await opened(make)
    await names.set('a', pointer('a'))
    for (const content of ['', '{"schemaVersion":2,"manif', 'null', '[]', '{"manifests":7}', undefined]) {
      if (content === undefined) place.disk.fs.rmSync(place.at('index.json'))
      else place.disk.fs.writeFileSync(place.at('index.json'), content)
      expect(names.list(), content).toHaveLength(1)
      expect(names.get('a')).toEqual(pointer('a'))
      // What it kept alive without a name is unknown.
      if (content !== undefined && content !== 'null') expect(names.survey().inIndex).toBeUndefined()
      await names.set('a', pointer('a'))
      expect(indexOf(place).manifests).toHaveLength(1)
    }
  })

  test('whose record is damaged hide no other', async () => {
    const { place, names } = await opened(make)
    for (const name of ['a', 'bad', 'c']) await names.set(name, pointer(name))
    for (const content of [
      '',
      '{',
      'null',
      '{}',
      '{"name":"bad"}',
      '{"name":"bad","descriptor":{"digest":"x"}}',
      '[1]',
    ]) {
      place.put(place.at('names', 'bad'), content)
      expect(
        names.list().map(({ name }) => name),
        content,
      ).toEqual(['a', 'c'])
      expect(() => names.get('bad')).toThrow(expect.objectContaining({ code: 'PLY_BAD_DOCUMENT' }))
      expect(names.survey()).toMatchObject({ unreadable: ['bad'], records: [{ name: 'a' }, { name: 'c' }] })
    }
    await names.set('bad', pointer('good'))
    expect(names.survey()).toMatchObject({ unreadable: [], records: { length: 3 } })
  })

  test('above a thousand are written to index.json by a collection only, and lose nothing to other tools', async () => {
    const { place, names } = await opened(make)
    // The files are the truth: written here at once, since each `set` would write index.json.
    for (let i = 0; i < 1000; i++)
      place.put(place.at('names', `n${i}`), JSON.stringify({ name: `n${i}`, descriptor: pointer('first') }))
    await names.set('n0', pointer('first'))
    expect(indexOf(place).manifests).toHaveLength(1000)
    await names.set('n1000', pointer('first'))
    await names.set('n1', pointer('moved'))
    await names.remove('n2')
    expect(indexOf(place).manifests).toHaveLength(1000)
    expect(names.get('n1')).toEqual(pointer('moved'))

    // Another tool writes what it knew, and one more.
    foreign(place, (index) => index.manifests.push(entry('theirs', 'theirs')))
    expect(names.get('theirs')).toEqual(pointer('theirs'))
    expect(names.get('n1')).toEqual(pointer('moved'))
    expect(names.get('n2')).toBeUndefined()
    await names.set('n3', pointer('after'))
    await names.set('theirs', pointer('ours'))
    expect(names.get('n3')).toEqual(pointer('after'))
    expect(names.get('theirs')).toEqual(pointer('ours'))
    expect(names.get('n1')).toEqual(pointer('moved'))
    expect(names.get('n2')).toBeUndefined()

    await names.refresh()
    const index = inIndex(place)
    expect(Object.keys(index)).toHaveLength(1001)
    expect(index.n1).toBe(pointer('moved').digest)
    expect(index.theirs).toBe(pointer('ours').digest)
  })
})

everywhere('the names of a store', (make) => {
  test('are set, moved and taken away', async () => {
    const place = await make()
    await using store = await place.open()
    const image = await sampleImage()
    await store.write(image, 'debian')
    await store.tag('docker.io/library/debian:latest', 'localhost:5000/a/b:1')
    await store.tag(image.digest, 'by-digest')
    await store.tag(`debian:latest@${image.digest}`, 'by-both')
    expect((await store.images()).map(({ name }) => name)).toEqual([
      'by-both:latest',
      'by-digest:latest',
      'debian:latest',
      'localhost:5000/a/b:1',
    ])
    await store.untag('debian')
    await expect(store.untag('debian')).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })
    await expect(store.untag(image.digest)).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })
    await expect(store.tag('nothing', 'x')).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })
    await expect(store.tag('by-both', 'NOT a name')).rejects.toMatchObject({ code: 'PLY_BAD_REFERENCE' })
    for (const digest of [image.manifest.config.digest, image.layers[0]!.descriptor.digest, image.layers[2]!.diffId])
      await expect(store.tag(digest, 'x'), digest).rejects.toMatchObject({ code: 'PLY_BAD_DOCUMENT' })
  })

  test('survive many users of one store setting them at once', async () => {
    const place = await make()
    const image = await sampleImage()
    await (await place.open()).write(image, 'a')
    const stores = await Promise.all(Array.from({ length: 4 }, () => place.open()))
    await Promise.all(stores.flatMap((store, s) => Array.from({ length: 5 }, (_, i) => store.tag('a', `n${s}-${i}`))))
    expect(await stores[0]!.images()).toHaveLength(21)
    expect(indexOf(place).manifests).toHaveLength(21)
  })
})
