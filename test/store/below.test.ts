import { execFileSync } from 'node:child_process'
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { append } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/store.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { openSink } from '../../src/transport/index.ts'
import { root, testIf } from '../support/ability.ts'
import { gzipLayer, sampleImage } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { noise, placeAt } from './places.ts'

/** Everything under a directory that a change would show in. */
function state(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).sort().map((name) => {
    const { size, mtimeMs, ctimeMs, ino, mode } = lstatSync(join(directory, name))
    return `${name} ${size} ${mtimeMs} ${ctimeMs} ${ino} ${mode}`
  })
}

/** A store with `base` and `other`, and the place for one above it. */
async function lower() {
  const directory = temporary()
  const below = placeAt(nodeDisk(), join(directory, 'below'))
  const base = append(await sampleImage(), await gzipLayer({ '/more': noise(200_000) }))
  const other = append(base, layerFrom({ '/other': 'other\n' }))
  await using store = await below.open()
  await store.write(base, 'base')
  await store.write(other, 'other')
  ;(await store.containers.create('its', 'base')).close()
  return { base, other, below, above: placeAt(nodeDisk(), join(directory, 'above')), directory }
}

async function content(store: Store, name: string, path: string): Promise<string> {
  await using container = await store.containers.create(`look-${noise(4).toString('hex')}`, name)
  return container.fs.readFileSync(path, 'utf8') as string
}

async function worksOver(found: Awaited<ReturnType<typeof lower>>, path = found.below.root) {
  const { base, other, above, below } = found
  const before = state(below.root)
  await using store = await above.open({ below: [path] })
  expect((await store.images()).map(({ name, problem }) => [name, problem])).toEqual([
    ['base:latest', undefined],
    ['other:latest', undefined],
  ])
  expect((await store.image('base')).digest).toBe(base.digest)
  const tree = await store.tree('other')
  expect(tree.lookup(tree.root, 'other')).toBeDefined()
  tree.close()

  // Importing what is below takes nothing in but the name.
  await store.write(base, 'again')
  expect(above.names('blobs', 'sha256')).toEqual([])
  const mine = append(base, layerFrom({ '/mine': 'mine\n' }))
  await store.write(mine, 'mine')
  expect(above.names('blobs', 'sha256')).toHaveLength(3)
  expect(await content(store, 'mine', '/etc/motd')).toBe('changed\n')
  expect(await content(store, 'mine', '/mine')).toBe('mine\n')

  await using work = await store.containers.create('work', 'base')
  expect((await store.containers.list()).map(({ name }) => name)).not.toContain('its')
  work.fs.appendFileSync('/etc/issue', 'three\n')
  expect(work.fs.readFileSync('/etc/issue', 'utf8')).toBe('two\nthree\n')
  const made = await store.commit(work, 'made')
  await work.close()
  expect(made.layers.map(({ diffId }) => diffId)).toEqual([
    ...base.layers.map(({ diffId }) => diffId),
    made.layers.at(-1)!.diffId,
  ])

  // The upper one's names win, and give way again.
  await store.tag('mine', 'other')
  expect((await store.image('other')).digest).toBe(mine.digest)
  await store.untag('other')
  expect((await store.image('other')).digest).toBe(other.digest)
  await expect(store.untag('other')).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })

  for (const one of await store.containers.list()) await store.containers.remove(one.name)
  await store.collect()
  expect(await content(store, 'made', '/etc/issue')).toBe('two\nthree\n')
  expect(await content(store, 'mine', '/mine')).toBe('mine\n')
  const { findings } = await store.fsck({ level: 'digests' })
  expect(findings.filter(({ kind }) => kind === 'damage')).toEqual([])
  const sizes = await store.accounting({ logical: true })
  expect(sizes.store.stored + sizes.overhead).toBe(sizes.total.bytes)
  expect(sizes.images.map(({ names }) => names[0])).toEqual(['again:latest', 'made:latest', 'mine:latest'])
  expect(sizes.images.every(({ logical }) => logical !== undefined && logical > 500_000)).toBe(true)
  expect((await store.dedupe({ dryRun: true })).files).toBeLessThan(3)
  for (const name of ['again', 'made', 'mine']) await store.untag(name)
  for (const one of await store.containers.list()) await store.containers.remove(one.name)
  await store.collect()
  expect(above.names('blobs', 'sha256')).toEqual([])
  expect(state(below.root)).toEqual(before)
}

describe('a store over another one', () => {
  test('uses its images, layers and trees, copies nothing, and writes nothing there', async () => {
    await worksOver(await lower())
  })

  testIf(root, 'mounts need root')('that lies on a disk that is read only', async () => {
    const found = await lower()
    const mounted = join(found.directory, 'mounted')
    readOnlyMount(found.below.root, mounted)
    await worksOver(found, mounted)
  })

  test('builds for itself what that one has no caches of', async () => {
    const found = await lower()
    const { below, above, base } = found
    const { fs } = nodeDisk()
    for (const name of below.names('cache', 'layers')) fs.rmSync(below.at('cache', 'layers', name))
    for (const name of below.names('cache', 'trees')) fs.rmSync(below.at('cache', 'trees', name))
    await worksOver(found)
    // A damaged cache there stays, and is not believed.
    await using lowerStore = await below.open()
    ;(await lowerStore.containers.create('again', 'base')).close()
    const hex = base.layers[0]!.diffId.slice(7)
    below.flip(
      below.at('cache', 'layers', `${hex}.erofs`),
      lstatSync(below.at('cache', 'layers', `${hex}.erofs`)).size - 1,
    )
    await using store = await above.open({ below: [below.root] })
    const before = state(below.root)
    expect(await content(store, 'base', '/bin/app')).toContain('echo hi')
    expect(state(below.root)).toEqual(before)
  })

  test('opens none that is no store, and none in memory', async () => {
    await expect(openStore(join(temporary(), 'above'), { below: [temporary()] })).rejects.toMatchObject({
      code: 'PLY_STORE_FORMAT',
    })
    await expect(openStore(':memory:', { below: [temporary()] })).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })
})

describe('fsck of a store over another one', () => {
  /** One with an image of its own over `base`, and where `base` came from. */
  async function stacked() {
    const found = await lower()
    const { base, above, below, directory } = found
    const mine = append(base, layerFrom({ '/mine': 'mine\n' }))
    const from = `oci:${join(directory, 'from')}`
    await using sink = await openSink(`${from}:base`)
    await sink.write(base, undefined, {})
    const open = () => above.open({ below: [below.root] })
    await using store = await open()
    await store.write(mine, 'mine')
    await (await store.containers.create('work', 'mine')).close()
    return { ...found, mine, from, open }
  }

  test('finds a damaged blob there, says where it lies, and heals it with a copy of its own', async () => {
    const { base, above, below, from, open } = await stacked()
    const { digest } = base.layers.at(-1)!.descriptor
    below.flip(below.blob(digest))
    const before = state(below.root)
    await using store = await open()
    const { findings } = await store.fsck()
    expect(findings).toMatchObject([
      {
        code: 'bad-blob',
        kind: 'damage',
        file: `blobs/sha256/${digest.slice(7)}`,
        affects: ['container work', 'name mine:latest'],
      },
    ])
    expect(findings[0]!.problem).toContain(`in the store below, ${below.root}`)
    expect((await store.fsck({ repair: true })).left.damage).toBe(1)
    expect((await store.fsck({ repair: true, sources: [from] })).findings).toMatchObject([{ remedy: 'fetched' }])
    expect(above.names('blobs', 'sha256')).toContain(digest.slice(7))
    expect((await store.fsck({ level: 'caches' })).findings).toEqual([])
    expect(state(below.root)).toEqual(before)
  })

  test('fetches what is damaged there from where that one got its image', async () => {
    const { base, below, from, open } = await stacked()
    {
      await using store = await below.open()
      await store.write(base, 'base', { source: `${from}:base` })
    }
    below.flip(below.blob(base.layers[0]!.descriptor.digest))
    const before = state(below.root)
    await using store = await open()
    await (await store.containers.create('its', 'base')).close()
    expect((await store.fsck({ repair: true })).findings).toMatchObject([{ remedy: 'fetched' }])
    expect(state(below.root)).toEqual(before)
  })

  test('takes from there what is damaged here', async () => {
    const { base, above, below, open } = await stacked()
    const { digest } = base.layers.at(-1)!.descriptor
    above.put(above.blob(digest), below.disk.fs.readFileSync(below.blob(digest)) as Uint8Array)
    above.flip(above.blob(digest))
    await using store = await open()
    expect((await store.fsck({ repair: true })).findings).toMatchObject([{ code: 'bad-blob', remedy: 'fetched' }])
    expect((await store.fsck({ level: 'caches' })).findings).toEqual([])
  })

  test('checks the caches that it built of layers there, and builds them anew', async () => {
    const { below, above, open } = await stacked()
    const { fs } = nodeDisk()
    for (const folder of ['layers', 'trees'])
      for (const name of below.names('cache', folder)) fs.rmSync(below.at('cache', folder, name))
    await using store = await open()
    ;(await store.containers.create('again', 'base')).close()
    ;(await store.tree('mine')).close()
    const before = state(below.root)
    const caches = ['layers', 'trees'].flatMap((folder) =>
      above.names('cache', folder).map((name) => join('cache', folder, name)),
    )
    expect(caches.length).toBeGreaterThan(3)
    expect((await store.fsck({ level: 'caches' })).findings).toEqual([])
    for (const file of caches) {
      above.flip(above.at(file))
      expect((await store.fsck({ level: 'caches' })).findings, file).toMatchObject([{ code: 'bad-cache', file }])
      await store.fsck({ level: 'caches', repair: true })
      expect((await store.fsck({ level: 'caches' })).findings, file).toEqual([])
    }
    expect(state(below.root)).toEqual(before)
  })

  test('tells what is missing where that one is not named, and a collection then removes nothing', async () => {
    const { above, base } = await stacked()
    await using alone = await above.open()
    const missing = (await alone.fsck()).findings.filter(({ code }) => code === 'missing-blob')
    expect(missing.map(({ file }) => file).sort()).toEqual(
      base.layers.map(({ descriptor }) => `blobs/sha256/${descriptor.digest.slice(7)}`).sort(),
    )
    const before = above.files()
    expect(await alone.collect()).toMatchObject({ blobs: [] })
    expect(above.files()).toEqual(before)
  })
})

describe('a store on a disk that is read only', () => {
  testIf(root, 'mounts need root')('is read, and not written', async () => {
    const { below, directory, base } = await lower()
    const before = state(below.root)
    const mounted = join(directory, 'mounted')
    readOnlyMount(below.root, mounted)
    await using store = await openStore(mounted, { readOnly: true })
    expect((await store.images()).map(({ name }) => name)).toEqual(['base:latest', 'other:latest'])
    const tree = await store.tree('base')
    const motd = tree.lookup(tree.lookup(tree.root, 'etc')!, 'motd')!
    expect(tree.stat(motd).size).toBe('changed\n'.length)
    tree.close()
    await using its = await store.containers.open('its', { readOnly: true })
    expect(its.fs.readFileSync('/etc/motd', 'utf8')).toBe('changed\n')
    const sizes = await store.accounting({ logical: true })
    expect(sizes.store.stored + sizes.overhead).toBe(sizes.total.bytes)
    for (const write of [
      () => store.tag('base', 'new'),
      () => store.write(base, 'new'),
      () => store.collect(),
      () => store.containers.create('new', 'base'),
    ])
      await expect(write()).rejects.toMatchObject({ code: 'PLY_STORE_READ_ONLY' })
    expect(state(below.root)).toEqual(before)
  })
})

function readOnlyMount(from: string, to: string): void {
  nodeDisk().fs.mkdirSync(to)
  execFileSync('mount', ['--bind', from, to])
  onTestFinished(() => void execFileSync('umount', ['--lazy', to]))
  execFileSync('mount', ['-o', 'remount,bind,ro', to])
}
