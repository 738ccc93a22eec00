import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { append } from '../../src/image/append.ts'
import type { Image } from '../../src/image/image.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import type { Accounting, ImageSizes, Sizes } from '../../src/store/space/accounts.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { testIf } from '../support/ability.ts'
import { gzipLayer, sampleImage } from '../support/images.ts'
import { loopDisk, whyNoLoopDisk } from '../support/loop-disk.ts'
import { temporary } from '../support/temporary.ts'
import { hasTool } from '../support/tools.ts'
import { everywhere, noise, placeAt, type StorePlace } from './places.ts'

const mebibyte = 1 << 20

const du = (path: string) =>
  Number(execFileSync('du', ['-s', '--block-size=1', path], { encoding: 'utf8' }).split('\t')[0])

/** A store with shared layers, names that go to one image, an index, clones, snapshots, sparse files, spills and litter. */
async function fill(place: StorePlace) {
  const store = await place.open()
  const base = await sampleImage({ '/noise': noise(400_000) })
  const left = append(base, await gzipLayer({ '/left': noise(300_000) }))
  const right = append(base, layerFrom({ '/right': noise(200_000), '/data/blob': 'short' }))
  const alone = append(await sampleImage({ '/noise': noise(500_000) }), layerFrom({ '/own': noise(100_000) }))
  await store.write(base, 'base')
  await store.tag('base', 'other')
  await store.write(left, 'left')
  await store.write(right, 'right')
  await store.write(alone, 'alone')
  await store.write(append(alone, layerFrom({ '/gone': noise(150_000) })), 'gone')
  await store.untag('gone')
  for (const name of ['left', 'alone']) (await store.tree(name)).close()
  await using work = await store.containers.create('work', 'left')
  work.fs.writeFileSync('/big', noise(3 * mebibyte))
  const hollow = work.fs.openSync('/hollow', 'w')
  work.fs.ftruncateSync(hollow, 64 * mebibyte)
  work.fs.writeSync(hollow, noise(4096), 0, 4096, 32 * mebibyte)
  work.fs.closeSync(hollow)
  await work.close()
  await store.containers.snapshot('work', 'before')
  await store.containers.clone('work', 'twin')
  await using twin = await store.containers.open('twin')
  twin.fs.writeFileSync('/twin', noise(2 * mebibyte))
  await twin.close()
  // Its name goes: only the container needs the image from now on.
  await (await store.containers.create('keeper', 'alone')).close()
  await store.untag('alone')
  place.put(place.at('tmp', 'blob-0011'), noise(70_000))
  return store
}

const sum = (rows: readonly Sizes[], of: (row: Sizes) => number) => rows.reduce((all, row) => all + of(row), 0)

function checkSums(found: Accounting) {
  const { store, images, containers, layers, total } = found
  expect(store.stored + found.overhead).toBe(total.bytes)
  expect(store.shared + store.exclusive + store.reclaimable).toBe(store.stored)
  expect(sum([...images, ...containers], (row) => row.exclusive)).toBe(store.exclusive)
  for (const row of [...images, ...containers, ...layers])
    expect(row.shared + row.exclusive + row.reclaimable).toBe(row.stored)
  const parts = [found.blobs, found.layerCaches, found.treeCaches, found.fileDigests, found.uppers, found.records]
  expect(parts.reduce((all, { bytes }) => all + bytes, 0)).toBe(total.bytes)
  expect(parts.reduce((all, { files }) => all + files, 0)).toBe(total.files)
}

/** Removing a thing and collecting frees what was said, but for what `index.json` and the records of names take anew. */
async function checkFreed(place: StorePlace, found: Accounting, said: number, after: Accounting) {
  expect(Math.abs(found.total.bytes - after.total.bytes - said)).toBeLessThanOrEqual(
    place.disk.kind === 'disk' ? 16384 : 4096,
  )
}

async function adds(place: StorePlace, { withDu }: { readonly withDu: boolean }) {
  await using store = await fill(place)
  const found = await store.accounting({ logical: true })
  checkSums(found)
  if (withDu) expect(Math.abs(found.total.bytes - du(place.root))).toBeLessThanOrEqual(du(place.root) / 100)
  const image = (name: string) => found.images.find(({ names }) => names.includes(`${name}:latest`)) as ImageSizes
  const container = (name: string) => found.containers.find((row) => row.name === name)!
  expect(found.images.map(({ names }) => names)).toEqual([
    ['base:latest', 'other:latest'],
    ['left:latest'],
    ['right:latest'],
  ])
  expect(image('base').exclusive).toBeLessThan(100_000)
  expect(image('base').shared).toBeGreaterThan(400_000)
  expect(image('right').exclusive).toBeGreaterThan(200_000)
  // The containers made from it keep it: taking its name away frees next to nothing.
  expect(image('left').exclusive).toBeLessThan(100_000)
  expect(container('work')).toMatchObject({ snapshots: 1, image: 'left' })
  expect(container('work').written).toBeGreaterThan(3 * mebibyte)
  // Holes take nothing, where the disk has any.
  if (place.disk.kind === 'disk') expect(container('work').written).toBeLessThan(5 * mebibyte)
  // What was written before the snapshot is shared with the clone.
  expect(container('work').shared).toBeGreaterThan(3 * mebibyte)
  expect(container('work').exclusive).toBeLessThan(300_000)
  expect(container('twin').exclusive).toBeGreaterThan(2 * mebibyte)
  expect(container('twin').exclusive).toBeLessThan(3 * mebibyte)
  expect(container('keeper').exclusive).toBeGreaterThan(900_000)
  expect(found.store.reclaimable).toBeGreaterThan(220_000)
  expect(image('left').logical).toBe(6 + 18 + 300_000 + 400_000 + 4 + 300_000 + 2)
  expect(image('right').logical).toBe(6 + 18 + 5 + 400_000 + 4 + 200_000 + 2)
  expect(container('work').logical).toBe(image('left').logical! + 67 * mebibyte)
  const layers = found.layers.filter(({ logical }) => logical! > 700_000)
  expect(layers.map(({ images, shared, stored }) => [images, shared === stored])).toContainEqual([3, true])

  await store.collect()
  const collected = await store.accounting()
  checkSums(collected)
  expect(collected.store.reclaimable).toBe(0)
  await checkFreed(place, found, found.store.reclaimable, collected)
  await store.containers.remove('keeper')
  await store.collect()
  const without = await store.accounting()
  await checkFreed(place, collected, collected.containers.find(({ name }) => name === 'keeper')!.exclusive, without)
  await store.containers.remove('twin')
  await store.collect()
  const untwinned = await store.accounting()
  await checkFreed(place, without, without.containers.find(({ name }) => name === 'twin')!.exclusive, untwinned)
  await store.untag('right')
  await store.collect()
  const unright = await store.accounting()
  await checkFreed(
    place,
    untwinned,
    untwinned.images.find(({ names }) => names[0] === 'right:latest')!.exclusive,
    unright,
  )
  checkSums(unright)
  if (withDu) expect(Math.abs(unright.total.bytes - du(place.root))).toBeLessThanOrEqual(du(place.root) / 100)
}

everywhere('an accounting', (make, kind) => {
  test('adds up to what the disk says, row by row, and what it says would be freed is freed', async () => {
    await adds(await make(), { withDu: kind === 'disk' && hasTool('du') })
  })

  test('counts an image that has no tree to show, and one that is damaged, without failing', async () => {
    const place = await make()
    await using store = await place.open()
    const image: Image = await sampleImage()
    await store.write(image, 'a')
    place.disk.fs.rmSync(place.blob(image.layers[1]!.descriptor.digest))
    place.disk.fs.rmSync(place.at('cache', 'layers'), { recursive: true })
    const found = await store.accounting({ logical: true })
    checkSums(found)
    expect(found.images).toHaveLength(1)
    expect(found.images[0]!.logical).toBeUndefined()
    expect(found.store.logical).toBeUndefined()
    expect((await store.accounting()).images[0]!.logical).toBeUndefined()
  })

  test('what a record that cannot be read may have kept is neither reclaimable nor lost', async () => {
    const place = await make()
    await using store = await place.open()
    await store.write(await sampleImage(), 'a')
    await store.write(append(await sampleImage(), layerFrom({ '/b': noise(100_000) })), 'b')
    place.put(place.at('names', 'b%3alatest'), '{')
    place.put(place.at('index.json'), '{')
    const found = await store.accounting()
    checkSums(found)
    expect(found.images.map(({ names }) => names)).toEqual([['a:latest']])
    expect(found.store.reclaimable).toBe(0)
    expect(found.overhead).toBeGreaterThan(100_000)
  })

  test('a store with nothing in it is its own overhead', async () => {
    const place = await make()
    await using store = await place.open()
    const found = await store.accounting({ logical: true })
    checkSums(found)
    expect(found.store).toEqual({ stored: 0, shared: 0, exclusive: 0, reclaimable: 0, logical: 0 })
    expect(found).toMatchObject({ images: [], layers: [], containers: [] })
  })
})

describe('an accounting on a disk of its own', () => {
  const why = whyNoLoopDisk('ext4')
  testIf(why === undefined, why ?? '')('adds up to du on ext4', async () => {
    await adds(placeAt(nodeDisk(), join(loopDisk('ext4'), 'store')), { withDu: true })
  })
})

test('a sparse file that a mount by the kernel wanted in full takes what the disk gave it', async () => {
  const place = placeAt(nodeDisk(), join(temporary(), 'store'))
  await using store = await place.open()
  await store.write(await sampleImage(), 'a')
  const [layer] = (await store.accounting()).layers
  const spill = openSync(place.at('cache', 'layers', `${layer!.diffId.slice(7)}.spill`), 'w')
  ftruncateSync(spill, 1024 * mebibyte)
  writeSync(spill, noise(100_000), 0, 100_000, 512 * mebibyte)
  closeSync(spill)
  const found = await store.accounting()
  checkSums(found)
  const grown = found.layers.find(({ diffId }) => diffId === layer!.diffId)!.stored - layer!.stored
  expect(grown).toBeGreaterThanOrEqual(100_000)
  expect(grown).toBeLessThan(200_000)
})
