import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { append } from '../../src/image/append.ts'
import { configure } from '../../src/image/configure.ts'
import { copy } from '../../src/image/copy.ts'
import type { Image } from '../../src/image/image.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { validateImage } from '../../src/image/validate.ts'
import { openSink, openSource } from '../../src/transport/index.ts'
import { sampleImage } from '../support/images.ts'
import { makePlace, type Place } from '../support/places.ts'
import { hasTool, isRootFor, run } from '../support/tools.ts'

const skopeo = hasTool('skopeo')
const umoci = hasTool('umoci')
const podman = hasTool('podman') && isRootFor('tests with podman', 'store files of any owner')

const formOf = (place: Place) => ({
  oci: `oci:${place.at('layout')}:latest`,
  'oci-archive': `oci-archive:${place.at('layout.tar')}:latest`,
  'docker-archive': `docker-archive:${place.at('docker.tar')}:sample:latest`,
  dir: `dir:${place.at('loose')}`,
})
const forms = ['oci', 'oci-archive', 'docker-archive', 'dir'] as const

async function readBack(reference: string, check: (image: Image) => void | Promise<void>) {
  await using source = await openSource(reference)
  const image = await source.image()
  expect(await validateImage(image)).toEqual([])
  await check(image)
}

describe.skipIf(!skopeo)('skopeo', () => {
  test.each(forms)('reads what is written as %s', async (form) => {
    using place = makePlace()
    const image = await sampleImage()
    const reference = formOf(place)[form]
    const written = await (await openSink(reference)).write(image)
    // A docker-archive has a name in it, which skopeo need not be told.
    const readable = form === 'docker-archive' ? `docker-archive:${place.at('docker.tar')}` : reference
    const inspected = JSON.parse(run('skopeo', 'inspect', readable))
    expect(inspected).toMatchObject({
      Architecture: image.config.architecture,
      Os: 'linux',
      Labels: { 'org.example': 'yes' },
      Env: ['PATH=/bin'],
    })
    expect(inspected.Layers).toHaveLength(3)
    if (form !== 'docker-archive') {
      expect(inspected.Digest).toBe(written.digest)
      expect(run('skopeo', 'inspect', '--raw', readable)).toBe(Buffer.from(image.rawManifest).toString())
    }
    expect(run('skopeo', 'inspect', '--raw', '--config', readable)).toBe(Buffer.from(image.rawConfig).toString())

    // Copying makes skopeo check every digest.
    run('skopeo', 'copy', '--quiet', readable, `oci:${place.at('copied')}:back`)
    await readBack(`oci:${place.at('copied')}:back`, (back) => expect(back.config.rootfs).toEqual(image.config.rootfs))
  })

  test.each(forms)('writes what is read as %s', async (form) => {
    using place = makePlace()
    const image = await sampleImage()
    const first = `oci:${place.at('first')}:one`
    await copy(image, await openSink(first))
    const reference = formOf(place)[form]
    // Without the flag skopeo compresses what is not, and that is another image.
    const keeping = form === 'docker-archive' ? [] : ['--preserve-digests']
    run('skopeo', 'copy', '--quiet', ...keeping, first, reference)
    await readBack(reference, (back) => {
      expect(back.config.rootfs).toEqual(image.config.rootfs)
      expect(Buffer.from(back.rawConfig).equals(image.rawConfig)).toBe(true)
      if (form !== 'docker-archive') expect(back.digest).toBe(image.digest)
    })
  })

  test('adds to a layout of ours, and we to one of skopeo’s', async () => {
    using place = makePlace()
    const image = await sampleImage()
    await copy(image, await openSink(`oci:${place.at('x')}:one`))
    run('skopeo', 'copy', '--quiet', `oci:${place.at('x')}:one`, `oci:${place.at('x')}:docker.io/library/two:2`)
    await copy(append(image, layerFrom({ '/n': 'n' })), await openSink(`oci:${place.at('x')}:three`))
    await using source = await openSource(`oci:${place.at('x')}`)
    const names = []
    for await (const { name } of source.list()) names.push(name)
    expect(names).toEqual(['one', 'docker.io/library/two:2', 'three'])
    expect((await source.image('two:2')).digest).toBe(image.digest)
    expect(JSON.parse(run('skopeo', 'inspect', `oci:${place.at('x')}:three`)).Layers).toHaveLength(4)
  })

  test('finds each of several images in a docker-archive of ours', async () => {
    using place = makePlace()
    const image = await sampleImage()
    const sink = await openSink(`docker-archive:${place.at('d.tar')}`)
    await sink.write(image, 'app:1')
    await sink.write(append(image, layerFrom({ '/n': 'n' })), 'app:2')
    expect(JSON.parse(run('skopeo', 'inspect', `docker-archive:${place.at('d.tar')}:app:2`)).Layers).toHaveLength(4)
    expect(JSON.parse(run('skopeo', 'inspect', `docker-archive:${place.at('d.tar')}:@0`)).Layers).toHaveLength(3)
  })

  test('writes an index of two platforms, from which the right one is chosen', async () => {
    using place = makePlace()
    const one = await sampleImage()
    const images = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'].map((platform) => configure(one, { platform }))
    const { canonicalJson } = await import('../../src/model/json.ts')
    const { digestOf, hexOf } = await import('../../src/model/digest.ts')
    const { mediaTypes } = await import('../../src/model/documents.ts')
    const { writeFileSync } = await import('node:fs')
    for (const image of images) await copy(image, await openSink(`oci:${place.at('x')}`))
    const index = canonicalJson({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      // One without a platform: it has to be read from its config.
      manifests: images.map((image, i) =>
        i === 1
          ? image.descriptor
          : { ...image.descriptor, platform: { os: 'linux', architecture: image.config.architecture } },
      ),
    })
    writeFileSync(place.at('x', 'blobs', 'sha256', hexOf(digestOf(index))), index)
    const entry = {
      mediaType: mediaTypes.ociIndex,
      digest: digestOf(index),
      size: index.length,
      annotations: { 'org.opencontainers.image.ref.name': 'all' },
    }
    writeFileSync(place.at('x', 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }))
    run('skopeo', 'copy', '--quiet', '--all', `oci:${place.at('x')}:all`, `dir:${place.at('d')}`)
    for (const reference of [`oci:${place.at('x')}:all`, `dir:${place.at('d')}`]) {
      await using source = await openSource(reference)
      for (const image of images) {
        const { architecture } = image.config
        expect((await source.image(undefined, { platform: `linux/${architecture}` })).digest).toBe(image.digest)
      }
      expect((await source.image()).config.architecture).toBe(one.config.architecture)
      await expect(source.image(undefined, { platform: 'linux/s390x' })).rejects.toMatchObject({
        code: 'PLY_PLATFORM_NOT_FOUND',
        message: expect.stringContaining('linux/amd64, linux/arm64, linux/arm'),
      })
    }
  })
})

describe.skipIf(!umoci)('umoci', () => {
  test('lists and unpacks a layout of ours', async () => {
    using place = makePlace()
    await copy(await sampleImage(), await openSink(`oci:${place.at('x')}:one`))
    expect(run('umoci', 'ls', '--layout', place.at('x')).trim()).toBe('one')
    const rootless = process.getuid?.() === 0 ? [] : ['--rootless']
    run('umoci', 'unpack', ...rootless, '--image', `${place.at('x')}:one`, place.at('bundle'))
    expect(readFileSync(place.at('bundle', 'rootfs', 'etc', 'motd'), 'utf8')).toBe('changed\n')
  })
})

describe.skipIf(!podman)('podman', () => {
  test.each(['docker-archive', 'oci-archive'] as const)(
    'loads a %s of ours, and saves one that we read',
    async (form) => {
      using place = makePlace()
      const image = await sampleImage()
      await copy(image, await openSink(formOf(place)[form]))
      for (const name of ['root', 'run', 'tmp']) mkdirSync(place.at(name))
      const storage = [
        '--root',
        place.at('root'),
        '--runroot',
        place.at('run'),
        '--tmpdir',
        place.at('tmp'),
        '--storage-driver',
        'vfs',
        '--cgroup-manager',
        'cgroupfs',
      ]
      const here = (...args: string[]) => run('podman', ...storage, ...args)
      const loaded = here('load', '--quiet', '--input', formOf(place)[form].split(':')[1]!)
      const name = loaded.trim().split(': ').at(-1)!
      expect(here('image', 'inspect', '--format', '{{.Id}}', name).trim()).toBe(image.manifest.config.digest.slice(7))
      here('save', '--quiet', '--format', form, '--output', place.at('saved.tar'), name)
      await readBack(`${form}:${place.at('saved.tar')}`, (back) => {
        expect(back.config.rootfs.diff_ids).toEqual(image.config.rootfs.diff_ids)
        expect(back.config.config).toEqual(image.config.config)
      })
    },
  )
})

describe('forms that older and newer tools write', () => {
  test('layers as gzip, links to other layers, absolute and through directories, manifest.json first', async () => {
    using place = makePlace()
    const { gzipSync } = await import('node:zlib')
    const { collect } = await import('../../src/stream/collect.ts')
    const { writeFileSync, symlinkSync } = await import('node:fs')
    const base = layerFrom({ '/a': 'a' })
    const top = layerFrom({ '/b': 'b' })
    const { scratch } = await import('../../src/image/append.ts')
    const image = append(append(append(scratch, base), top), base)
    const whole = (layer: typeof base) => collect(layer.uncompressed(), 1 << 20)
    for (const name of ['one', 'two', 'three']) mkdirSync(place.at('in', name), { recursive: true })
    writeFileSync(place.at('in', 'one', 'layer.tar'), await whole(base))
    writeFileSync(place.at('in', 'two', 'layer.tar'), gzipSync(await whole(top)))
    symlinkSync('../one/layer.tar', place.at('in', 'three', 'layer.tar'))
    const id = image.manifest.config.digest.slice(7)
    writeFileSync(place.at('in', `${id}.json`), image.rawConfig)
    const manifest = [
      {
        Config: `${id}.json`,
        RepoTags: ['old:1', 'Odd Name'],
        Layers: ['one/layer.tar', './two/layer.tar', 'three/layer.tar'],
      },
    ]
    writeFileSync(place.at('in', 'manifest.json'), JSON.stringify(manifest))
    execFileSync('tar', [
      '-cf',
      place.at('old.tar'),
      '-C',
      place.at('in'),
      './manifest.json',
      './three',
      './two',
      './one',
      `./${id}.json`,
    ])
    await readBack(`docker-archive:${place.at('old.tar')}:docker.io/library/old:1`, async (back) => {
      expect(back.config.rootfs).toEqual(image.config.rootfs)
      expect(back.layers.map((layer) => layer.descriptor.digest)).toEqual([base.diffId, top.diffId, base.diffId])
      // As an archive of ours, the image has the very same digest.
      const again = await (await openSink(`docker-archive:${place.at('new.tar')}:old:1`)).write(back)
      expect(again.digest).toBe(back.digest)
    })
  })

  test('a docker-archive that is an OCI layout as well keeps the digest of its manifest, and its compressed layers', async () => {
    using place = makePlace()
    const { writeFileSync, rmSync } = await import('node:fs')
    const image = await sampleImage()
    await copy(image, await openSink(`oci:${place.at('x')}:app:1`))
    const blob = (digest: string) => `blobs/sha256/${digest.slice(7)}`
    const manifest = [
      {
        Config: blob(image.manifest.config.digest),
        RepoTags: ['app:1'],
        Layers: image.manifest.layers.map((layer) => blob(layer.digest)),
      },
    ]
    writeFileSync(place.at('x', 'manifest.json'), JSON.stringify(manifest))
    execFileSync('tar', ['-cf', place.at('new.tar'), '-C', place.at('x'), '.'])
    await readBack(`docker-archive:${place.at('new.tar')}:app:1`, (back) => expect(back.digest).toBe(image.digest))
    await readBack(`oci-archive:${place.at('new.tar')}`, (back) => expect(back.digest).toBe(image.digest))

    rmSync(place.at('x', 'index.json'))
    execFileSync('tar', ['-cf', place.at('bare.tar'), '-C', place.at('x'), '.'])
    await readBack(`docker-archive:${place.at('bare.tar')}`, (back) => {
      expect(back.layers.map((layer) => layer.descriptor.digest)).toEqual(
        image.layers.map((layer) => layer.descriptor.digest),
      )
    })
  })

  test('links that lead in a circle, out of the archive or nowhere are missing layers', async () => {
    using place = makePlace()
    const { writeFileSync, symlinkSync } = await import('node:fs')
    const image = await sampleImage()
    const id = image.manifest.config.digest.slice(7)
    mkdirSync(place.at('in'))
    writeFileSync(place.at('in', `${id}.json`), image.rawConfig)
    symlinkSync('b.tar', place.at('in', 'a.tar'))
    symlinkSync('a.tar', place.at('in', 'b.tar'))
    symlinkSync('../../../../../../etc/passwd', place.at('in', 'c.tar'))
    writeFileSync(
      place.at('in', 'manifest.json'),
      JSON.stringify([{ Config: `${id}.json`, RepoTags: null, Layers: ['c.tar', 'a.tar', 'd.tar'] }]),
    )
    execFileSync('tar', ['-cf', place.at('x.tar'), '-C', place.at('in'), '.'])
    await using source = await openSource(`docker-archive:${place.at('x.tar')}`)
    await expect(source.image()).rejects.toMatchObject({ code: 'PLY_BLOB_NOT_FOUND' })
  })
})
