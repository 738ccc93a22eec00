import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { copy, layerAlone, openLayers, openSink, openSource, openStore, openTree, resolvePath } from 'plyfs'
import { describe, expect, test } from 'vitest'
import { append, scratch } from '../../../src/image/append.ts'
import type { Image, Layer } from '../../../src/image/image.ts'
import { layerFromBlob } from '../../../src/image/image-from-blobs.ts'
import { layerFrom } from '../../../src/image/layer-from.ts'
import { digestOf } from '../../../src/model/digest.ts'
import { mediaTypes } from '../../../src/model/documents.ts'
import { memoryBytes, streamOf } from '../../../src/stream/bytes.ts'
import { encodeHeader } from '../../../src/tar/index.ts'
import { ply } from '../../cli/run-ply.ts'
import { gzipLayer } from '../../support/images.ts'
import { temporary } from '../../support/temporary.ts'
import { type OwnRegistry, ownRegistry } from './own-registry.ts'
import { halfBlobs, seed, settings } from './setting.ts'

const megabyte = randomBytes(1 << 20)

/** An image of three layers: one compressed and large, one plain and large, and a small one with a whiteout. */
const layers = [
  await gzipLayer({
    '/etc/passwd': 'root:x:0:0::/:/bin/sh\n',
    '/base/big': megabyte,
    '/base/kept': 'below',
    '/base/gone': 'was here',
  }),
  layerFrom({ '/middle/big': megabyte, '/middle/file': 'from the middle', '/etc/link': { symlink: '../base/kept' } }),
  plainLayer({ 'top/file': 'small', 'base/.wh.gone': '', 'base/new': 'over it', 'etc/motd': 'hello\n' }),
]
const image = stacked(layers)

function stacked(layers: readonly Layer[]): Image {
  return layers.reduce((image, layer, i) => append(image, layer, { created_by: `layer ${i}` }), scratch)
}

/** A layer of these members, whatever they are called. */
function plainLayer(files: Readonly<Record<string, string>>): Layer {
  const members = Object.entries(files).map(([name, text]) => {
    const size = Buffer.byteLength(text)
    const owner = { uid: 0, gid: 0, mtime: 0n, major: 0, minor: 0, xattrs: new Map() }
    const header = encodeHeader({ name, linkName: '', type: '0', mode: 0o644, size, ...owner })
    return Buffer.concat([header, Buffer.from(text), Buffer.alloc((512 - (size % 512)) % 512)])
  })
  const tar = Buffer.concat([...members, Buffer.alloc(1024)])
  const descriptor = { mediaType: mediaTypes.ociLayer, digest: digestOf(tar), size: tar.length }
  return layerFromBlob(descriptor, descriptor.digest, () => streamOf(memoryBytes(tar)))
}

/** Which layers were fetched, by their number, and how many blobs that are none. */
function fetched(registry: OwnRegistry, of: Image = image): number[] {
  const digests = of.layers.map(({ descriptor }) => descriptor.digest as string)
  const asked = registry.seen.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'))
  return asked
    .map(({ path }) => digests.indexOf(path.split('/').at(-1)!))
    .filter((at) => at >= 0)
    .sort()
}

async function setUp() {
  const registry = await ownRegistry()
  await seed(registry, image, 'app', '1')
  const home = temporary()
  const environment = { HOME: home, XDG_RUNTIME_DIR: home, XDG_CACHE_HOME: join(home, 'cache') }
  const root = join(home, 'store')
  const reference = `docker://${registry.host}/app:1`
  const look = async (...argv: string[]) => {
    registry.seen.length = 0
    const answer = await ply([...argv, '--root', root], { environment })
    return { ...answer, layers: fetched(registry) }
  }
  return { registry, home, root, reference, look }
}

describe('looking into an image of a registry', () => {
  test('inspect and history fetch no layer', async () => {
    const { look, reference } = await setUp()
    expect(await look('inspect', reference)).toMatchObject({ code: 0, layers: [] })
    expect(await look('history', reference, '--layers')).toMatchObject({ code: 0, layers: [] })
    expect(await look('diff', reference, reference, '--config')).toMatchObject({ code: 0, layers: [] })
  })

  test('one layer alone is all that is fetched of it', async () => {
    const { look, reference, root, home } = await setUp()
    const top = await look('ls', reference, '/', '-R', '--alone')
    expect(top).toMatchObject({ code: 0, layers: [2] })
    expect(top.out.split('\n')).toContain('/base/.wh.gone')
    expect(await look('cat', reference, '/etc/motd', '--alone')).toMatchObject({ out: 'hello\n', layers: [2] })
    expect(await look('ls', reference, '/base', '--alone', '--layer', '0')).toMatchObject({
      out: 'big\ngone\nkept\n',
      layers: [0],
    })
    expect(readdirSync(home)).not.toContain('store')
    expect(root).toContain(home)
    expect(halfBlobs(join(home, 'cache/ply/partial'))).toEqual([])
  })

  test('a path is looked for from the top, and no layer is fetched below the one that decides', async () => {
    const { look, reference } = await setUp()
    expect(await look('cat', reference, '/top/file')).toMatchObject({ code: 0, out: 'small', layers: [2] })
    expect(await look('cat', reference, '/base/gone')).toMatchObject({ code: 3, layers: [2] })
    expect(await look('cat', reference, '/middle/file')).toMatchObject({ out: 'from the middle', layers: [1, 2] })
    expect(await look('cat', reference, '/etc/link')).toMatchObject({ out: 'below', layers: [0, 1, 2] })
    expect(await look('cat', reference, '/nowhere')).toMatchObject({ code: 3, layers: [0, 1, 2] })
    expect(await look('cat', reference, '/top/file', '/middle/file')).toMatchObject({
      out: 'smallfrom the middle',
      layers: [1, 2],
    })
    const link = await look('stat', reference, '/etc/link')
    expect(link).toMatchObject({ code: 0, layers: [1, 2] })
    expect(link.out).toContain('../base/kept')
    expect((await look('stat', reference, '/base')).layers).toEqual([0, 1, 2])
  })

  test('an earlier layer asks nothing of those above it', async () => {
    const { look, reference } = await setUp()
    expect(await look('ls', reference, '/base', '--layer', '1')).toMatchObject({
      out: 'big\ngone\nkept\n',
      layers: [0, 1],
    })
    expect(await look('cat', reference, '/base/gone', '--layer', '1')).toMatchObject({
      out: 'was here',
      layers: [0, 1],
    })
  })

  test('the merged tree reads each layer once, and owners have their names', async () => {
    const { look, reference, registry } = await setUp()
    const list = await look('ls', reference, '/base', '-l')
    expect(list).toMatchObject({ code: 0, layers: [0, 1, 2] })
    expect(list.out).toMatch(/root .* kept\n/)
    expect(list.out).not.toContain('gone')
    expect(await look('find', reference, '/', '-name', 'file', '-user', 'root')).toMatchObject({
      out: '/middle/file\n/top/file\n',
      layers: [0, 1, 2],
    })
    expect(await look('du', reference, '/base', '-b')).toMatchObject({ code: 0, layers: [0, 1, 2] })
    expect(await look('tree', reference, '/top')).toMatchObject({ code: 0, layers: [0, 1, 2] })
    expect(await look('diff', reference, reference, '--stat')).toMatchObject({ code: 0 })
    expect(registry.count('GET', /manifests/)).toBe(2)
  })

  test('what the store has is not fetched again', async () => {
    const { look, reference, root } = await setUp()
    {
      await using store = await openStore(root)
      await store.write(stacked(layers.slice(0, 2)), 'base')
    }
    const list = await look('ls', reference, '/base')
    expect(list).toMatchObject({ code: 0, out: 'big\nkept\nnew\n', layers: [2] })
    expect(await look('cat', reference, '/middle/file')).toMatchObject({ out: 'from the middle', layers: [2] })
    expect(await look('blame', reference, '/base/kept')).toMatchObject({ code: 0, layers: [2] })
    await using store = await openStore(root)
    expect((await store.images()).map(({ name }) => name)).toEqual(['base:latest'])
  })

  test('the library answers as it does for the same image in a store, and what is not a layer is refused', async () => {
    const { reference } = await setUp()
    await using store = await openStore(join(temporary(), 'store'))
    await store.write(image, 'it')
    const registry = settings()
    for (const how of [{}, { layer: 1 }, { alone: true }, { layer: 0, alone: true }]) {
      const [here, there] = [await openTree('it', { store, ...how }), await openTree(reference, { registry, ...how })]
      try {
        expect(all(there)).toEqual(all(here))
      } finally {
        here.close()
        there.close()
      }
    }
    await expect(openTree(reference, { registry, layer: 3 })).rejects.toMatchObject({ code: 'PLY_USAGE' })
    const stack = await openLayers(reference, { registry })
    expect(all(layerAlone(stack, 2)).map(([path]) => path)).toContain('/base/.wh.gone')
    stack.close()
  })

  test('a layer that is not what its descriptor says is refused, and nothing of it is shown', async () => {
    const { registry, look, reference } = await setUp()
    const { digest } = layers[2]!.descriptor
    const forged = Buffer.from(registry.blobs.get(digest)!)
    forged[forged.length >> 1]! ^= 1
    registry.blobs.set(digest, forged)
    for (const command of [['ls'], ['cat'], ['stat']])
      expect(await look(...command, reference, '/top/file')).toMatchObject({ code: 4, out: '' })
  })
})

test('archives are looked into where they lie, whatever form they have', async () => {
  const directory = temporary()
  const references = ['oci-archive:a.tar', 'docker-archive:b.tar:it:1', 'oci:layout:1', 'dir:blobs'].map((one) =>
    one.replace(':', `:${directory}/`),
  )
  for (const reference of references) {
    await using sink = await openSink(reference)
    await copy(image, sink)
  }
  const before = readdirSync(directory).sort()
  for (const reference of references) {
    const tree = await openTree(reference)
    const { ino } = resolvePath(tree, '/etc/link', { follow: true })
    const bytes = Buffer.alloc(5)
    const content = tree.open(ino!)
    content.read(bytes, 0)
    content.close()
    tree.close()
    expect(bytes.toString(), reference).toBe('below')
    expect((await ply(['ls', reference, '/base'])).out, reference).toBe('big\nkept\nnew\n')
  }
  expect(readdirSync(directory).sort()).toEqual(before)
})

/** Every path of a tree with its content. */
function all(tree: Awaited<ReturnType<typeof openTree>>): (readonly [string, unknown, string])[] {
  const found: (readonly [string, unknown, string])[] = []
  const walk = (directory: number, path: string) => {
    for (const { name, ino, kind } of tree.list(directory)) {
      const { ino: _, ...facts } = tree.stat(ino)
      let text = ''
      if (kind === 'file') {
        const content = tree.open(ino)
        const bytes = Buffer.alloc(content.size)
        content.read(bytes, 0)
        content.close()
        text = bytes.toString('base64')
      }
      found.push([`${path}/${name}`, { ...facts, mtime: String(facts.mtime) }, text])
      if (kind === 'directory') walk(ino, `${path}/${name}`)
    }
  }
  walk(tree.root, '')
  return found
}

test('a source for the top is closed when all that is needed is here', async () => {
  const registry = await ownRegistry()
  await seed(registry, image, 'app', '1')
  const options = settings()
  const tree = await openTree(`docker://${registry.host}/app:1`, { registry: options })
  expect(halfBlobs(String(options.partialDirectory))).toEqual([])
  expect(all(tree).find(([path]) => path === '/top/file')![2]).toBe(Buffer.from('small').toString('base64'))
  tree.close()
  tree.close()
  await using source = await openSource(`docker://${registry.host}/app:1`, { registry: options })
  expect((await source.image()).digest).toBe(image.digest)
})
