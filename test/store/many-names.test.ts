import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/model/digest.ts'
import type { Descriptor } from '../../src/model/documents.ts'
import type { NameRecord } from '../../src/store/images/name-records.ts'
import { Names } from '../../src/store/images/names.ts'
import { layoutOf } from '../../src/store/layout.ts'
import { escapeName, recordText } from '../../src/store/records.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { sampleImage } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { placeAt, type StorePlace } from './places.ts'

const namesOn = (place: StorePlace) => new Names(place.disk, layoutOf(place.root))

describe('very many names', () => {
  const many = 1200

  function manyNames(place: StorePlace, of: (at: number) => Descriptor = entry) {
    const names = namesOn(place)
    const write = (name: string, at: number) =>
      place.disk.fs.writeFileSync(place.at('names', escapeName(name)), recordText({ name, descriptor: of(at) }))
    for (let at = 0; at < many; at++) write(`n${at}`, at)
    return { names: new Names(place.disk, layoutOf(place.root), true), plain: names, write }
  }
  const entry = (at: number) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOf(Buffer.from(String(at))),
    size: at,
  })
  /** The list with each of what it says of names changed alike. */
  const altered = (list: Record<string, unknown[]>, change: (each: unknown[], of: string) => unknown[]) => ({
    ...list,
    ...Object.fromEntries(['names', 'of', 'inos', 'ctimes'].map((of) => [of, change(list[of]!, of)])),
  })
  const age = (place: StorePlace) => {
    // The directory has not changed for long, and neither has what is in it: the list is believed.
    const list = place.at('cache', 'names.list')
    const stored = JSON.parse(readFileSync(list, 'utf8'))
    delete stored.crc32
    writeFileSync(list, recordText({ ...stored, taken: stored.taken + 10_000 }))
  }

  test('are listed from what was read before, as far as the disk confirms it', async () => {
    const place = placeAt(nodeDisk(), join(temporary(), 'store'))
    await (await place.open())[Symbol.asyncDispose]()
    const { names, write } = manyNames(place)
    const sorted = (records: readonly NameRecord[]) =>
      records.map(({ name, descriptor }) => `${name} ${descriptor.size}`)
    const first = sorted(names.list())
    expect(first).toHaveLength(many)
    expect(first).toEqual([...first].sort())
    age(place)
    expect(sorted(names.list())).toEqual(first)
    // Added, moved and removed, behind the list's back.
    await new Promise((resolve) => setTimeout(resolve, 20))
    write('zz', 5)
    place.disk.fs.rmSync(place.at('names', 'n8'))
    place.put(place.at('names', 'n9'), recordText({ name: 'n9', descriptor: entry(99) }))
    const changed = sorted(names.list())
    expect(changed).toHaveLength(many)
    expect(changed).toContain('zz 5')
    expect(changed).not.toContain('n8 8')
    expect(changed).toContain('n9 99')
    age(place)
    expect(sorted(names.list())).toEqual(changed)
  })

  test('whose list is damaged, missing or of another directory are read', async () => {
    const place = placeAt(nodeDisk(), join(temporary(), 'store'))
    await (await place.open())[Symbol.asyncDispose]()
    const { names, plain } = manyNames(place)
    const first = names.list()
    age(place)
    for (const damage of [
      () => place.flip(place.at('cache', 'names.list')),
      () => place.disk.fs.rmSync(place.at('cache', 'names.list')),
      () => place.put(place.at('cache', 'names.list'), '{"format":3}'),
      () => place.disk.fs.renameSync(place.at('names'), place.at('moved')),
    ]) {
      damage()
      if (!place.disk.fs.existsSync(place.at('names'))) {
        place.disk.fs.mkdirSync(place.at('names'))
        for (const file of place.names('moved'))
          if (file !== 'n3') place.disk.fs.renameSync(place.at('moved', file), place.at('names', file))
        expect(names.list()).toEqual(first.filter(({ name }) => name !== 'n3'))
      } else expect(names.list()).toEqual(first)
    }
    place.put(place.at('names', 'n4'), '{')
    expect(names.list().map(({ name }) => name)).not.toContain('n4')
    expect(plain.list()).toEqual(names.list())
  })

  test('whose list is damaged, or says what the records do not, are told by fsck, which removes it', async () => {
    const place = placeAt(nodeDisk(), join(temporary(), 'store'))
    await using store = await place.open()
    const descriptor = await store.write(await sampleImage(), 'image')
    const { names } = manyNames(place, () => descriptor)
    names.list()
    age(place)
    expect(names.problemOfList).toBeUndefined()
    const list = place.at('cache', 'names.list')
    const good = place.text('cache', 'names.list')
    const { crc32: _, ...stored } = JSON.parse(good)
    for (const [problem, bad] of [
      ['has the name nobody', recordText(altered(stored, (each, of) => [...each, of === 'names' ? 'nobody' : 0]))],
      ['lacks the name ', recordText(altered(stored, (each) => each.slice(1)))],
      ['something else of ', recordText({ ...stored, descriptors: [{ ...descriptor, size: 7 }] })],
      ['checksum', good.replace('"n7"', '"n6"')],
    ]) {
      place.put(list, bad!)
      expect(names.problemOfList).toContain(problem)
    }
    const file = 'cache/names.list'
    const { findings } = await store.fsck({ level: 'caches', repair: true })
    expect(findings).toMatchObject([{ code: 'bad-cache', kind: 'drift', file, remedy: 'removed' }])
    expect(place.disk.fs.existsSync(list)).toBe(false)
    expect(names.list()).toHaveLength(many + 1)
  })

  test('one that is set or removed rewrites no index.json, and one that another tool adds to it is adopted', async () => {
    const place = placeAt(nodeDisk(), join(temporary(), 'store'))
    await (await place.open())[Symbol.asyncDispose]()
    const { names } = manyNames(place)
    await names.refresh()
    const { ino } = place.disk.fs.statSync(place.at('index.json'))
    await names.set('new', entry(1))
    await names.remove('n1')
    expect(place.disk.fs.statSync(place.at('index.json')).ino).toBe(ino)
    const index = place.json<{ manifests: object[] }>('index.json')
    index.manifests.push({ ...entry(2), annotations: { 'org.opencontainers.image.ref.name': 'foreign' } })
    place.put(place.at('index.json'), JSON.stringify(index))
    expect(names.get('foreign')).toEqual(entry(2))
    const listed = names.list().map(({ name }) => name)
    expect(listed).toContain('foreign')
    expect(listed).toContain('new')
    expect(listed).not.toContain('n1')
    await names.set('newer', entry(3))
    expect(place.names('names')).toContain('foreign')
    await names.refresh()
    const written = place.text('index.json')
    for (const name of ['foreign', 'new', 'newer']) expect(written).toContain(`"${name}"`)
    expect(written).not.toContain('"n1"')
  })
})
