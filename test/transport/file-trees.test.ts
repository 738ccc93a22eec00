import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { directoryTree } from '../../src/extract/index.ts'
import { copy } from '../../src/image/copy.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { validateImage } from '../../src/image/validate.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { collect } from '../../src/stream/collect.ts'
import { scanTar } from '../../src/tar/index.ts'
import { openSink, openSource } from '../../src/transport/index.ts'
import { sampleImage } from '../support/images.ts'
import { makePlace, type Place } from '../support/places.ts'

const all = (stream: AsyncIterable<Uint8Array>) => collect(stream, 1 << 30)
const tar = () => all(layerFrom({ '/etc/motd': 'hello\n', '/big': Buffer.alloc(700_000, 'b') }).uncompressed())

describe('tar as a source', () => {
  test.each(['plain', 'gzip'])('%s: the file’s very bytes are the only layer', async (form) => {
    using place = makePlace()
    const bytes = form === 'plain' ? await tar() : gzipSync(await tar())
    writeFileSync(place.at('rootfs.tar'), bytes)
    await using source = await openSource(`tar:${place.at('rootfs.tar')}`)
    const image = await source.image()
    expect(image.layers).toHaveLength(1)
    const [layer] = image.layers
    expect(layer!.descriptor).toEqual({
      mediaType: form === 'plain' ? mediaTypes.ociLayer : mediaTypes.ociLayerGzip,
      digest: digestOf(bytes),
      size: bytes.length,
    })
    expect(layer!.diffId).toBe(digestOf(await tar()))
    expect(await validateImage(image)).toEqual([])
    expect((await source.image(undefined, { platform: 'linux/arm64' })).config.architecture).toBe('arm64')
    const listed = []
    for await (const one of source.list()) listed.push(one)
    expect(listed).toEqual([{ name: undefined, descriptor: image.descriptor }])
    await expect(source.image('x')).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })
  })

  test('- is standard input', async () => {
    using place = makePlace()
    const bytes = await tar()
    async function* input() {
      yield bytes
    }
    await using source = await openSource('tar:-', { input: input(), temporaryDirectory: place.temporary })
    expect(readdirSync(place.temporary)).toEqual([])
    expect(await validateImage(await source.image())).toEqual([])
  })

  test('a pipe that is stopped, or fails, leaves no temporary file', async () => {
    using place = makePlace()
    async function* endless() {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 1))
        yield Buffer.alloc(100_000)
      }
    }
    async function* failing() {
      yield Buffer.alloc(1000)
      throw new Error('gone')
    }
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 30)
    const options = { temporaryDirectory: place.temporary }
    await expect(openSource('tar:-', { ...options, input: endless(), signal: stop.signal })).rejects.toMatchObject({
      code: 'PLY_ABORTED',
    })
    await expect(openSource('docker-archive:-', { ...options, input: failing() })).rejects.toThrow('gone')
    expect(readdirSync(place.temporary)).toEqual([])
  })

  test('a file that changes after it was looked at is not taken for what it was', async () => {
    using place = makePlace()
    writeFileSync(place.at('rootfs.tar'), await tar())
    await using source = await openSource(`tar:${place.at('rootfs.tar')}`)
    const image = await source.image()
    const changed = await tar()
    changed[600]! ^= 1
    writeFileSync(place.at('rootfs.tar'), changed)
    await expect(all(image.layers[0]!.compressed())).rejects.toMatchObject({
      code: 'PLY_DIGEST_MISMATCH',
      message: expect.stringMatching(/changed while/),
    })
  })
})

describe('rootfs as a source', () => {
  test('a directory is one layer, the same each time', async () => {
    using place = makePlace()
    fill(place)
    await using source = await openSource(`rootfs:${place.at('tree')}`)
    const image = await source.image()
    expect(await validateImage(image)).toEqual([])
    const members = [...scanTar(memoryBytes(await all(image.layers[0]!.uncompressed())))].map((member) => member.name)
    expect(members.filter((name) => name !== './' && name !== '')).toEqual(['bin/', 'bin/app', 'etc/', 'etc/motd'])
    await using again = await openSource(`rootfs:${place.at('tree')}`)
    expect((await again.image()).digest).toBe(image.digest)
  })

  test('a change between looking and reading is found', async () => {
    using place = makePlace()
    fill(place)
    await using source = await openSource(`rootfs:${place.at('tree')}`)
    const image = await source.image()
    writeFileSync(place.at('tree', 'etc', 'motd'), 'HELLO\n')
    await expect(all(image.layers[0]!.compressed())).rejects.toMatchObject({ code: 'PLY_DIGEST_MISMATCH' })
  })

  test('a file is no directory', async () => {
    using place = makePlace()
    writeFileSync(place.at('file'), '')
    await expect(openSource(`rootfs:${place.at('file')}`)).rejects.toMatchObject({ code: 'ENOTDIR' })
  })
})

describe('tar and rootfs as sinks', () => {
  test('write the tree they are given, in a form that tar reads', async () => {
    using place = makePlace()
    fill(place)
    const image = await sampleImage()
    const treeOf = async () => directoryTree(place.at('tree'))
    const written = await copy(image, await openSink(`tar:${place.at('out.tar')}`, { treeOf }))
    expect(written.digest).toBe(digestOf(readFileSync(place.at('out.tar'))))
    mkdirSync(place.at('by-tar'))
    execFileSync('tar', ['-xf', place.at('out.tar'), '-C', place.at('by-tar')])
    const reports: unknown[] = []
    await copy(
      image,
      await openSink(`rootfs:${place.at('by-us')}`, { treeOf, onExtracted: (report) => reports.push(report) }),
    )
    expect(reports).toHaveLength(1)
    for (const name of ['by-tar', 'by-us']) {
      expect(readFileSync(place.at(name, 'bin', 'app'), 'utf8')).toBe('run')
      expect(statSync(place.at(name, 'etc', 'motd')).mtimeMs).toBe(statSync(place.at('tree', 'etc', 'motd')).mtimeMs)
    }
    await expect(copy(image, await openSink(`rootfs:${place.at('by-us')}`, { treeOf }))).rejects.toMatchObject({
      code: 'PLY_EXISTS',
    })
  })

  test('a tree that fails on the way leaves what was there', async () => {
    using place = makePlace()
    fill(place)
    writeFileSync(place.at('out.tar'), 'old')
    const tree = directoryTree(place.at('tree'))
    const open = tree.open.bind(tree)
    tree.open = (ino) => {
      if (tree.stat(ino).size === 3) throw new Error('broken')
      return open(ino)
    }
    await expect(
      copy(await sampleImage(), await openSink(`tar:${place.at('out.tar')}`, { treeOf: async () => tree })),
    ).rejects.toThrow('broken')
    expect(readFileSync(place.at('out.tar'), 'utf8')).toBe('old')
    expect(readdirSync(place.root).sort()).toEqual(['out.tar', 'tree'])
  })
})

function fill(place: Place): void {
  for (const directory of ['bin', 'etc']) mkdirSync(place.at('tree', directory), { recursive: true })
  writeFileSync(place.at('tree', 'bin', 'app'), 'run')
  writeFileSync(place.at('tree', 'etc', 'motd'), 'hello\n')
  utimesSync(place.at('tree', 'etc', 'motd'), 1_700_000_000, 1_700_000_000.25)
}
