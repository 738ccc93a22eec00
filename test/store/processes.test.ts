import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { bytesIn } from '../support/collect.ts'
import { sampleImage } from '../support/images.ts'
import { treeEntries } from '../support/plain-tree.ts'
import { temporary } from '../support/temporary.ts'
import { placeAt } from './places.ts'
import { type Built, build } from './processes.ts'

let built: Built
beforeAll(() => {
  built = build()
})
afterAll(() => built[Symbol.dispose]())

const makePlace = () => placeAt(nodeDisk(), join(temporary(), 'store'))

/** Layers that every process makes alike. */
const layers = `
const content = (i) => Buffer.alloc(400_000, i)
const layer = (i) => ply.layerFrom({ ['/layer-' + i]: content(i), '/same': String(i) })
const image = (...numbers) => numbers.reduce((image, i) => ply.append(image, layer(i)), ply.scratch)
`

test('two processes may make the same store at once', async () => {
  const place = makePlace()
  const program = `
    const until = Number(argv[1])
    for (let i = 0; i < 20; i++) {
      while (Date.now() < until + i * 60);
      await ply.openStore(argv[0] + i)
    }`
  const start = String(Date.now() + 700)
  const running = [1, 2, 3].map(() => built.run(program, place.root, start))
  expect(await Promise.all(running.map(({ end }) => end))).toEqual(['0', '0', '0'])
})

test('processes that take in the same layers at once, in any order, neither wait for each other for good nor spoil anything', async () => {
  const place = makePlace()
  const program = `${layers}
    const numbers = argv.slice(2).map(Number)
    const store = await ply.openStore(argv[0])
    for (let i = 0; i < 8; i++) {
      await store.write(image(...numbers), argv[1])
      ;(await store.tree(argv[1])).close()
    }`
  const orders = ['1 2 3 4', '4 3 2 1', '2 4 1 3'].map((order) => order.split(' '))
  const running = orders.map((order, i) => built.run(program, place.root, `n${i}`, ...order))
  expect(await Promise.all(running.map(({ end }) => end))).toEqual(['0', '0', '0'])
  await using store = await place.open()
  expect((await store.images()).map(({ name, problem }) => [name, problem])).toEqual([
    ['n0:latest', undefined],
    ['n1:latest', undefined],
    ['n2:latest', undefined],
  ])
  expect(place.names('tmp')).toEqual([])
  expect(place.names('blobs', 'sha256')).toHaveLength(4 + 3 * 2)
  for (const { name } of await store.images())
    for (const layer of (await store.image(name)).layers) await bytesIn(layer.compressed())
})

test('one process writes a container at a time; its death frees it', async () => {
  const place = makePlace()
  await using store = await place.open()
  await store.write(await sampleImage(), 'a')
  await (await store.containers.create('work', 'a')).close()
  const { child, end } = built.run(
    `const store = await ply.openStore(argv[0])
     const container = await store.containers.open('work')
     container.fs.writeFileSync('/x', 'x')
     container.tree.sync()
     console.log('ready')
     setInterval(() => {}, 1000)`,
    place.root,
  )
  await once(child.stdout!, 'data')
  await expect(store.containers.open('work')).rejects.toMatchObject({ code: 'PLY_CONTAINER_BUSY' })
  await expect(store.containers.remove('work')).rejects.toMatchObject({ code: 'PLY_CONTAINER_BUSY' })
  await using reader = await store.containers.open('work', { readOnly: true })
  expect(reader.fs.readFileSync('/x', 'utf8')).toBe('x')
  child.kill('SIGKILL')
  await end
  await using container = await store.containers.open('work')
  expect(container.fs.readFileSync('/x', 'utf8')).toBe('x')
})

test('a process that is killed at any moment of an import leaves a whole store, and litter that is collected', async () => {
  const place = makePlace()
  {
    await using store = await place.open()
    await store.write(await sampleImage(), 'there')
    await store.collect()
  }
  const before = place.files()
  const program = `${layers}
    const store = await ply.openStore(argv[0])
    console.log('ready')
    for (let i = 0; ; i++) {
      await store.write(image(1, 2, 3), 'new')
      const container = await store.containers.create('c', 'new')
      container.fs.writeFileSync('/x', 'x')
      await store.commit(container, 'made')
      await container.close()
      await store.containers.remove('c')
      await store.untag('new')
      await store.untag('made')
      await store.collect()
    }`
  const expected = [1, 2, 3].reduce(
    (image, i) => append(image, layerFrom({ [`/layer-${i}`]: Buffer.alloc(400_000, i), '/same': String(i) })),
    scratch,
  )
  const seen = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const { child, end } = built.run(program, place.root)
    await once(child.stdout!, 'data')
    await sleep(Math.random() * 150)
    child.kill('SIGKILL')
    expect(await end).toBe('SIGKILL')

    await using store = await place.open()
    for (const { name, digest, problem } of await store.images()) {
      expect(problem, name).toBeUndefined()
      seen.add(name)
      for (const layer of (await store.image(name)).layers) await bytesIn(layer.compressed())
      if (name === 'new:latest') expect(digest).toBe(expected.digest)
      const tree = await store.tree(name)
      treeEntries(tree)
      tree.close()
    }
    for (const { name } of await store.containers.list()) {
      await (await store.containers.open(name)).close()
      await store.containers.remove(name)
    }
    for (const { name } of await store.images()) if (name !== 'there:latest') await store.untag(name)
    const { unreadable } = await store.collect()
    expect(unreadable).toEqual([])
    expect(place.files().filter((name) => !name.startsWith('cache/trees'))).toEqual(
      before.filter((name) => !name.startsWith('cache/trees')),
    )
    expect(
      place
        .names('locks')
        .sort()
        .filter((name) => /^(upper|tree)/.test(name)),
    ).toEqual([])
  }
  expect(seen).toContain('there:latest')
})

test('a collection is refused while another process writes, and a writer waits for it', async () => {
  const place = makePlace()
  const go = join(place.root, '..', 'go')
  await using store = await place.open()
  await store.write(await sampleImage(), 'a')
  const { child, end } = built.run(
    `${layers}
     const { existsSync } = await import('node:fs')
     const store = await ply.openStore(argv[0])
     const slow = layer(1)
     async function* compressed() {
       console.log('ready')
       while (!existsSync(argv[1])) await new Promise((resolve) => setTimeout(resolve, 10))
       yield* slow.compressed()
     }
     await store.write(ply.append(ply.scratch, { ...slow, compressed }), 'slow')`,
    place.root,
    go,
  )
  await once(child.stdout!, 'data')
  await expect(store.collect()).rejects.toMatchObject({ code: 'PLY_STORE_BUSY' })
  writeFileSync(go, '')
  expect(await end).toBe('0')
  expect((await store.collect()).blobs).toEqual([])
  expect(await store.images()).toHaveLength(2)
})
