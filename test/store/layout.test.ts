import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openStore, storeOn } from '../../src/store/open-store.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { sampleImage } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { everywhere } from './places.ts'

everywhere('a store is made', (make) => {
  test('with every directory of its format, and its record', async () => {
    const place = await make()
    await using _ = await place.open()
    expect(place.names()).toEqual(
      [
        'blobs',
        'cache',
        'containers',
        'index.json',
        'locks',
        'names',
        'oci-layout',
        'ply.json',
        'tmp',
        'uppers',
      ].sort(),
    )
    expect(place.names('cache')).toEqual(['layers', 'trees'])
    expect(place.names('tmp')).toEqual([])
    expect(place.json('ply.json')).toEqual({
      format: 1,
      features: { compatible: [], readOnlyCompatible: [], incompatible: [] },
    })
    expect(place.json('oci-layout')).toEqual({ imageLayoutVersion: '1.0.0' })
    for (const name of ['.', 'blobs', 'blobs/sha256', 'cache/layers', 'names', 'uppers', 'tmp'])
      expect(place.disk.fs.statSync(place.at(name)).mode & 0o777, name).toBe(0o700)
  })

  test('again where making it was interrupted at any step', async () => {
    const whole = await make()
    await using _ = await whole.open()
    for (const missing of ['oci-layout', 'index.json', 'names', 'tmp', 'cache']) {
      const place = await make()
      await place.open()
      place.disk.fs.rmSync(place.at('ply.json'))
      place.disk.fs.rmSync(place.at(missing), { recursive: true })
      // What a process that was killed while it wrote a file leaves.
      if (missing !== 'tmp') place.put(place.at('tmp', 'record-0011223344556677'), '{')
      await using again = await place.open()
      await again.write(await sampleImage(), 'a')
      expect(await again.images()).toHaveLength(1)
    }
  })

  test('never where other files are', async () => {
    const place = await make()
    place.disk.fs.mkdirSync(place.root, { recursive: true })
    place.put(place.at('holiday.jpg'), 'x')
    await expect(place.open()).rejects.toMatchObject({
      code: 'PLY_STORE_FORMAT',
      message: expect.stringContaining('holiday.jpg'),
    })
    expect(place.names()).toEqual(['holiday.jpg'])
  })

  test('not at all for reading', async () => {
    const place = await make()
    await expect(place.open({ readOnly: true })).rejects.toMatchObject({ code: 'PLY_STORE_FORMAT' })
    expect(place.disk.fs.existsSync(place.root)).toBe(false)
  })

  test('and is refused with another format or an unknown incompatible feature, read with a read-only one', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    const features = { compatible: [], readOnlyCompatible: [], incompatible: [] }
    const record = (content: unknown) => place.put(place.at('ply.json'), JSON.stringify(content))

    record({ format: 2, features })
    await expect(place.open()).rejects.toMatchObject({ code: 'PLY_STORE_FORMAT' })
    await expect(place.open({ readOnly: true })).rejects.toMatchObject({ code: 'PLY_STORE_FORMAT' })
    record({ format: 1, features: { ...features, incompatible: ['holes'] } })
    await expect(place.open({ readOnly: true })).rejects.toMatchObject({
      code: 'PLY_STORE_FORMAT',
      message: expect.stringContaining('holes'),
    })
    record({ format: 1, features: { ...features, readOnlyCompatible: ['holes'] } })
    await expect(place.open()).rejects.toMatchObject({ code: 'PLY_STORE_FORMAT' })
    await using reader = await place.open({ readOnly: true })
    expect(await reader.images()).toHaveLength(1)
    record({ format: 1, features: { ...features, compatible: ['holes'] } })
    await using writer = await place.open()
    await writer.tag('a', 'b')
  })

  test('and is refused, not misread, when its record is no record', async () => {
    for (const content of ['', '{', 'null', '[]', '{"format":1}', '{"format":1,"features":{"incompatible":3}}', '1']) {
      const place = await make()
      await place.open()
      place.put(place.at('ply.json'), content)
      await expect(place.open(), content).rejects.toMatchObject({ code: 'PLY_STORE_FORMAT' })
    }
  })

  test('and lives on after its caches, locks and temporary files were deleted with their directories', async () => {
    const place = await make()
    await using store = await place.open()
    const image = await sampleImage()
    await store.write(image, 'a')
    const before = (await store.tree('a')).close()
    for (const name of ['cache', 'tmp', 'locks']) place.disk.fs.rmSync(place.at(name), { recursive: true })
    await using again = await place.open()
    ;(await again.tree('a')).close()
    place.disk.fs.rmSync(place.at('cache'), { recursive: true })
    ;(await again.tree('a')).close()
    expect(before).toBeUndefined()
    await using container = await again.containers.create('c', 'a')
    container.fs.writeFileSync('/x', 'x')
  })
})

everywhere('a store that is open for reading only', (make) => {
  test('changes nothing, whatever is asked of it', async () => {
    const place = await make()
    await using store = await place.open()
    const image = await sampleImage()
    await store.write(image, 'a')
    await (await store.containers.create('c', 'a')).close()
    const before = place.files()
    const locks = place.names('locks')
    await using reader = await place.open({ readOnly: true })

    const refused = { code: 'PLY_STORE_READ_ONLY' }
    await expect(reader.write(image, 'b')).rejects.toMatchObject(refused)
    await expect(reader.tag('a', 'b')).rejects.toMatchObject(refused)
    await expect(reader.untag('a')).rejects.toMatchObject(refused)
    await expect(reader.collect()).rejects.toMatchObject(refused)
    await expect(reader.containers.create('d', 'a')).rejects.toMatchObject(refused)
    await expect(reader.containers.open('c')).rejects.toMatchObject(refused)
    await expect(reader.containers.remove('c')).rejects.toMatchObject(refused)
    await using container = await reader.containers.open('c', { readOnly: true })
    await expect(reader.commit(container, 'b')).rejects.toMatchObject(refused)
    ;(await reader.tree('a')).close()
    expect(await reader.images()).toHaveLength(1)
    expect(place.files()).toEqual(before)
    expect(place.names('locks')).toEqual(locks)
  })

  test('reads what needs no cache made, and says what it cannot do without', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    place.disk.fs.rmSync(place.at('cache', 'layers'), { recursive: true })
    const before = place.files()
    await using reader = await place.open({ readOnly: true })
    await expect(reader.tree('a')).rejects.toMatchObject({ code: 'PLY_STORE_READ_ONLY' })
    expect(place.files()).toEqual(before)
  })
})

test('a name that is a file, and a place nobody may write, are told by their errno', async () => {
  const path = join(temporary(), 'file')
  writeFileSync(path, '')
  await expect(openStore(path)).rejects.toMatchObject({ code: 'ENOTDIR' })
})

test('an empty directory that is there already becomes a store and keeps its mode', async () => {
  const path = join(temporary(), 'mine')
  mkdirSync(path, { mode: 0o755 })
  await using _ = await openStore(path)
  expect(statSync(path).mode & 0o777).toBe(0o755)
})

test('a store that gives up syncing says so in its record, and stays so whoever opens it', async () => {
  const path = join(temporary(), 'store')
  const syncs = () => {
    const disk = nodeDisk()
    let count = 0
    const counted = {
      ...disk,
      fs: { ...disk.fs, fsyncSync: (fd: number) => (count++, disk.fs.fsyncSync(fd)) },
      syncDirectory: (where: string) => (count++, disk.syncDirectory(where)),
    }
    return { disk: counted, count: () => count }
  }
  await (await openStore(path, { durable: false }))[Symbol.asyncDispose]()
  expect(JSON.parse(readFileSync(join(path, 'ply.json'), 'utf8')).features.compatible).toEqual(['not-durable'])
  const watched = syncs()
  const store = await storeOn(watched.disk, path)
  await store.write(await sampleImage(), 'a')
  expect(watched.count()).toBe(0)
  expect((await store.fsck()).findings).toMatchObject([{ kind: 'cosmetics', code: 'not-durable' }])
  const durable = syncs()
  await (await storeOn(durable.disk, join(temporary(), 'other'))).write(await sampleImage(), 'a')
  expect(durable.count()).toBeGreaterThan(5)
})

if (process.getuid?.() === 0)
  test('a store of somebody else is refused unless one is told to trust it; what root made may be read', async () => {
    const path = join(temporary(), 'store')
    await (await openStore(path))[Symbol.asyncDispose]()
    chownSync(path, 1234, 1234)
    const refused = { code: 'PLY_STORE_OWNER', details: { owner: 1234, user: 0 } }
    await expect(openStore(path)).rejects.toMatchObject(refused)
    await expect(openStore(path, { readOnly: true })).rejects.toMatchObject(refused)
    await (await openStore(path, { anyOwner: true }))[Symbol.asyncDispose]()
  })
else console.log('a store of somebody else: only root can make one')
