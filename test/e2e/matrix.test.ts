import { createReadStream, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import {
  codeOf,
  copyWhole,
  type Image,
  type ImageSink,
  type ImageSource,
  imageOfParcel,
  openSink,
  openSource,
  openStore,
  type Parcel,
  parcelFrom,
  parcelOf,
  type Store,
  validate,
} from 'plyfs'
import { describe, expect, vi } from 'vitest'
import { digestOf } from '../../src/model/digest.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { artifact, deepImage, foreignImage, sampleIndex, smallImage } from '../support/parcels.ts'
import { settings } from '../transport/registry/setting.ts'
import { debianRegistry } from './debian-registry.ts'
import { dump } from './differences.ts'
import { image as bigImage, deep as deepLayout, realTest, run } from './tools.ts'
import { workspace } from './workspace.ts'

const programs = ['docker-registry', 'openssl', 'skopeo', 'umoci']
if (process.env.CI && !programs.every(hasProgram)) throw new Error(`${programs.join(', ')} have to be there on CI`)
const matrixTest = testIf(programs.every(hasProgram), `needs ${programs.join(', ')}`)

/** Where a thing can be: written, and read again. */
interface Place {
  readonly name: string
  /** What it has a place for; all else is refused with PLY_UNREPRESENTABLE. */
  readonly holds: 'everything' | 'images'
  /** Whether the manifest's digest survives. */
  readonly keeps: boolean
  sink(): Promise<ImageSink>
  source(): Promise<ImageSource>
  /** What other tools call it. */
  readonly reference?: string
}

/** All places under a directory, each its own. */
function placesIn(directory: string, registry: string, store: Store): Place[] {
  const at = (name: string) => join(directory, name)
  const options = {
    registry: settings(),
    treeOf: async (image: Image) => {
      await store.write(image)
      return store.tree(image)
    },
  }
  const transport = (name: string, reference: string, holds: Place['holds'], keeps: boolean): Place => ({
    name,
    holds,
    keeps,
    reference,
    sink: () => openSink(reference, options),
    source: () => openSource(reference, options),
  })
  const piped = (name: string, holds: Place['holds'], keeps: boolean): Place => {
    const file = at(`${name}-pipe`)
    return {
      name: `${name} through a pipe`,
      holds,
      keeps,
      async sink() {
        rmSync(file, { force: true })
        const output = { write: (chunk: Uint8Array) => writeFileSync(file, chunk, { flag: 'a' }) }
        return openSink(`${name}:-`, { ...options, output })
      },
      source: () => openSource(`${name}:-`, { ...options, input: createReadStream(file) }),
    }
  }
  const name = directory.split('/').at(-1)!.toLowerCase()
  return [
    transport('oci', `oci:${at('oci')}:it`, 'everything', true),
    transport('oci-archive', `oci-archive:${at('oci.tar')}:it`, 'everything', true),
    transport('dir', `dir:${at('dir')}`, 'everything', true),
    transport('docker', `docker://${registry}/${name}:it`, 'everything', true),
    transport('docker-archive', `docker-archive:${at('docker.tar')}:it:latest`, 'images', false),
    transport('tar', `tar:${at('rootfs.tar')}`, 'images', false),
    {
      name: 'the store',
      holds: 'everything',
      keeps: true,
      sink: async () => ({
        ...notClosed(store),
        writeParcel: (parcel, _, more) => store.writeParcel(parcel, name, more),
      }),
      source: async () => ({ ...notClosed(store), parcel: (_, more) => store.parcel(name, more) }),
    },
    piped('oci-archive', 'everything', true),
    piped('docker-archive', 'images', false),
    piped('tar', 'images', false),
  ]
}

function notClosed(store: Store): ImageSource & ImageSink {
  return {
    list: () => store.list(),
    image: (name, options) => store.image(name, options),
    write: (image, name, options) => store.write(image, name, options),
    async [Symbol.asyncDispose]() {},
  }
}

interface Thing {
  readonly name: string
  readonly parcel: Parcel
}

/** What an image shows, for places that keep no more of it. */
async function shown(store: Store, parcel: Parcel) {
  const image = parcel.is === 'manifest' ? await imageOfParcel(parcel) : undefined
  if (image === undefined) throw new Error('it is no image')
  await store.write(image)
  const tree = await store.tree(image)
  try {
    return [...dump(tree).values()].map(({ path, kind, size, content }) => `${path} ${kind} ${size} ${content}`)
  } finally {
    tree.close()
  }
}

/** Other tools agree about what is there. */
function askOthers({ name, reference = '' }: Place, { parcel }: Thing): void {
  const { digest } = parcel.descriptor
  if (!['oci', 'oci-archive', 'dir', 'docker'].includes(name)) return
  const raw = run('skopeo', 'inspect', '--raw', ...(name === 'docker' ? ['--tls-verify=false'] : []), reference)
  expect(digestOf(Buffer.from(raw)), `skopeo of ${reference}`).toBe(digest)
  if (name !== 'oci' || parcel.is === 'index' || !/oci\.image\.config/.test(parcel.manifest.config.mediaType)) return
  const stat = JSON.parse(run('umoci', 'stat', '--json', '--image', reference.slice(4)))
  const made = (stat.history ?? []).filter((step: { empty_layer?: boolean }) => !step.empty_layer)
  expect(made).toHaveLength(parcel.manifest.layers.length)
}

/** Takes a thing from every place to every place; of large ones only ways that begin or end in a layout. Answers how many there were. */
async function everyWay(
  thing: Thing,
  directory: string,
  registry: string,
  { large = false }: { readonly large?: boolean } = {},
): Promise<number> {
  mkdirSync(directory)
  await using store = await openStore(join(directory, 'store'), { durable: false })
  const isImage = thing.parcel.is === 'manifest' && (await imageOfParcel(thing.parcel)) !== undefined
  const [first] = [join(directory, 'a'), join(directory, 'b')].map((path) => {
    mkdirSync(path)
    return path
  })
  const sources = placesIn(first!, registry, store)
  const tree = isImage ? await shown(store, thing.parcel) : []
  let ways = 0
  for (const [number, from] of sources.entries()) {
    await using start = await from.sink()
    const refused = from.holds === 'images' && !isImage
    const arrival = copyWhole(thing.parcel, start)
    if (refused) {
      await expect(arrival, `${thing.name} to ${from.name}`).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
      continue
    }
    const there = await arrival
    if (from.keeps) expect(there.digest, from.name).toBe(thing.parcel.descriptor.digest)
    if (from.keeps) askOthers(from, thing)
    const second = join(directory, `to-${number}`)
    mkdirSync(second)
    for (const to of placesIn(second, registry, store)) {
      if (large && from.name !== 'oci' && to.name !== 'oci') continue
      ways++
      const way = `${thing.name} from ${from.name} to ${to.name}`
      await using source = await from.source()
      await using sink = await to.sink()
      const parcel = await parcelFrom(source, undefined)
      const copied = copyWhole(parcel, sink)
      if (to.holds === 'images' && !isImage) {
        await expect(copied, way).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
        continue
      }
      const { digest } = await copied.catch((error) => {
        throw new Error(`${way}: ${codeOf(error)}`, { cause: error })
      })
      if (to.keeps) expect(digest, way).toBe(parcel.descriptor.digest)
      await using arrived = await to.source()
      const found = await parcelFrom(arrived, undefined)
      if (to.keeps) expect(found.descriptor.digest, way).toBe(parcel.descriptor.digest)
      const { findings } = await validate(found)
      expect(
        findings.filter(({ severity }) => severity === 'error'),
        way,
      ).toEqual([])
      if (isImage && (!to.keeps || !from.keeps)) expect(await shown(store, found), way).toEqual(tree)
    }
    rmSync(second, { recursive: true, force: true })
  }
  return ways
}

/** Hands out one blob, to whoever may have it. */
async function licensor(): Promise<{ readonly url: string; blob: Buffer } & AsyncDisposable> {
  const held: { blob: Buffer } = { blob: Buffer.alloc(0) }
  const server = http.createServer((_, response) => response.end(held.blob))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/layer`,
    set blob(blob: Buffer) {
      held.blob = blob
    },
    get blob() {
      return held.blob
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('from every place to every place', () => {
  matrixTest(
    'digests are kept where the format allows it, other tools agree, and what has no place is refused',
    async () => {
      await using work = workspace()
      await using registry = await debianRegistry(join(work.path, 'registry'))
      await using address = await licensor()
      const foreign = await foreignImage([address.url])
      address.blob = foreign.blob
      const { scratch } = await import('plyfs')
      const things: Thing[] = [
        { name: 'two layers', parcel: parcelOf(await smallImage()) },
        { name: 'a dozen layers', parcel: parcelOf(await deepImage(12)) },
        { name: 'an index', parcel: await sampleIndex() },
        { name: 'nothing', parcel: parcelOf(scratch) },
        { name: 'foreign layers', parcel: parcelOf(foreign.image) },
        { name: 'an artifact', parcel: artifact() },
      ]
      let ways = 0
      for (const thing of things)
        ways += await everyWay(thing, join(work.path, thing.name.replaceAll(' ', '-')), registry.host)
      console.log(`matrix: ${ways} ways`)
    },
  )

  matrixTest(
    'a foreign layer that is only at its addresses stays there, and what needs its bytes says so',
    async () => {
      await using work = workspace()
      const { image } = await foreignImage(['https://127.0.0.1:1/none'])
      const from = join(work.path, 'from')
      await using start = await openSink(`oci:${from}:it`)
      await start.write(image)
      rmSync(join(from, 'blobs', 'sha256', image.layers[0]!.descriptor.digest.slice(7)))
      await using store = await openStore(join(work.path, 'store'))
      for (const to of ['oci:a:it', 'oci-archive:b.tar:it', 'dir:c']) {
        const reference = to.replace(':', `:${work.path}/`)
        await using source = await openSource(`oci:${from}:it`)
        await using sink = await openSink(reference)
        expect((await copyWhole(source, sink)).digest).toBe(image.digest)
        expect(digestOf(Buffer.from(run('skopeo', 'inspect', '--raw', reference)))).toBe(image.digest)
        await using there = await openSource(reference)
        expect((await validate(there)).findings).toMatchObject([{ where: 'layer 0', severity: 'warning' }])
      }
      await using source = await openSource(`oci:${from}:it`)
      await using archive = await openSink(`docker-archive:${work.path}/d.tar`)
      for (const sink of [store, archive])
        await expect(copyWhole(source, sink)).rejects.toMatchObject({ code: 'PLY_BLOB_NOT_FOUND' })
    },
  )

  // It takes longer than CI has: it is part of test/soak, which sets this.
  if (process.env.PLYFS_MATRIX !== 'all') return
  vi.setConfig({ testTimeout: 3_600_000 })
  realTest('a real image and 120 layers', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'))
    for (const [name, layout] of [
      ['real', bigImage()],
      ['deep', deepLayout()],
    ] as const) {
      await using source = await openSource(`oci:${join(layout, 'oci')}:latest`)
      const thing = { name, parcel: await parcelFrom(source, undefined) }
      const ways = await everyWay(thing, join(work.path, name), registry.host, { large: true })
      console.log(`matrix: ${name}: ${ways} ways`)
    }
  })
})
