import { describe, expect, onTestFinished, test } from 'vitest'
import { append, scratch } from '../../../src/image/append.ts'
import { layerFrom } from '../../../src/image/layer-from.ts'
import { digestOf } from '../../../src/model/digest.ts'
import { mediaTypes } from '../../../src/model/documents.ts'
import { openSink, openSource } from '../../../src/transport/open.ts'
import { openRepository } from '../../../src/transport/registry/index.ts'
import { sampleImage, withPlatform } from '../../support/images.ts'
import { prompt } from '../../support/prompt.ts'
import { temporary } from '../../support/temporary.ts'
import { until } from '../../support/until.ts'
import { ownRegistry } from './own-registry.ts'
import { bytesOf, digestsOf, halfBlobs, namesOf, noisyImage, pull, push, seed, settings } from './setting.ts'

describe('images to a registry and back', () => {
  test('what is pushed is pulled byte for byte, manifest and config included', async () => {
    const registry = await ownRegistry()
    const image = await sampleImage()
    const options = settings()
    const reference = `docker://${registry.host}/team/app:1`
    expect(await push(image, reference, options)).toEqual(image.descriptor)
    const pulled = await pull(reference, options)
    expect(Buffer.from(pulled.image.rawManifest)).toEqual(Buffer.from(image.rawManifest))
    expect(Buffer.from(pulled.image.rawConfig)).toEqual(Buffer.from(image.rawConfig))
    expect(digestsOf(pulled)).toEqual(namesOf(image.layers))
  })

  test('unknown fields and white space of a manifest survive', async () => {
    const registry = await ownRegistry()
    const image = await sampleImage()
    const text = JSON.stringify(
      { ...JSON.parse(Buffer.from(image.rawManifest).toString()), 'x-odd': [1, { a: null }] },
      null,
      3,
    )
    await seed(registry, image, 'app', 'x')
    const raw = Buffer.from(text)
    registry.manifests.set('app odd', { raw, type: image.descriptor.mediaType })
    const options = settings()
    const pulled = await pull(`docker://${registry.host}/app:odd`, options)
    expect(Buffer.from(pulled.image.rawManifest)).toEqual(raw)
    await push(pulled.image, `docker://${registry.host}/app:again`, options)
    expect(registry.manifests.get('app again')!.raw).toEqual(raw)
  })

  test('blobs that are there are not sent again, and those of another repository are mounted', async () => {
    const registry = await ownRegistry()
    const image = noisyImage()
    const options = settings()
    await push(image, `docker://${registry.host}/one/app:1`, options)
    const sent = registry.count('PATCH', /uploads/) + registry.count('PUT', /uploads/)
    await push(image, `docker://${registry.host}/one/app:2`, options)
    expect(registry.count('PATCH', /uploads/) + registry.count('PUT', /uploads/)).toBe(sent)
    await using source = await openSource(`docker://${registry.host}/one/app:1`, { registry: options })
    await push(await source.image(), `docker://${registry.host}/two/app:1`, options)
    expect(registry.count('POST', /two\/app\/blobs\/uploads\/\?mount=.*from=one%2Fapp/)).toBe(2)
    expect(registry.count('PATCH', /two\//)).toBe(0)
    expect(registry.count('GET', /blobs\/sha256/)).toBe(1)
  })

  test('large blobs go in pieces where that is asked for, or where the registry takes no large requests', async () => {
    let largest = 0
    const registry = await ownRegistry({
      before(request, response) {
        const size = Number(request.headers['content-length'] ?? 0)
        if (size > 5 << 20) {
          response.writeHead(413).end()
          return true
        }
        largest = Math.max(largest, size)
        return false
      },
    })
    const small = noisyImage(1 << 20)
    await push(small, `docker://${registry.host}/small:1`, settings({ uploadPiece: 100_000 }))
    expect(largest).toBe(100_000)
    expect(registry.count('PATCH', /small/)).toBeGreaterThan(10)
    const large = noisyImage(13 << 20)
    await push(large, `docker://${registry.host}/large:1`, settings())
    expect(largest).toBe(5 << 20)
    for (const { descriptor } of [...small.layers, ...large.layers])
      expect(digestOf(registry.blobs.get(descriptor.digest)!)).toBe(descriptor.digest)
  })

  test('an index is read by platform, its own and others', async () => {
    const registry = await ownRegistry()
    const options = settings()
    const image = await sampleImage()
    const [amd, arm] = [withPlatform(image, 'linux/amd64'), withPlatform(image, 'linux/arm64')]
    const manifests = []
    for (const [one, architecture] of [
      [amd, 'amd64'],
      [arm, 'arm64'],
    ] as const) {
      await push(one, `docker://${registry.host}/app:${architecture}`, options)
      manifests.push({ ...one.descriptor, platform: { os: 'linux', architecture } })
    }
    const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }))
    const repository = openRepository(`docker://${registry.host}/app`, options)
    await repository.putManifest(raw, { tag: 'all' })
    const reference = `docker://${registry.host}/app:all`
    expect((await pull(reference, options, 'linux/arm64')).image.digest).toBe(arm.digest)
    expect((await pull(reference, options, 'linux/amd64')).image.digest).toBe(amd.digest)
    await expect(pull(reference, options, 'windows/amd64')).rejects.toMatchObject({ code: 'PLY_PLATFORM_NOT_FOUND' })
  })

  test('a push by digest has no tag, and names the image that it is', async () => {
    const registry = await ownRegistry()
    const image = await sampleImage()
    const other = withPlatform(image, 'linux/s390x')
    await push(image, `docker://${registry.host}/app@${image.digest}`, settings())
    expect([...registry.manifests.keys()]).toEqual([`app ${image.digest}`])
    expect((await pull(`docker://${registry.host}/app@${image.digest}`, settings())).image.digest).toBe(image.digest)
    const refused = push(other, `docker://${registry.host}/app@${image.digest}`, settings())
    await expect(refused).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })

  test('an image that is not there is told with the tags that are, and nothing is sent to a registry that nobody named', async () => {
    const registry = await ownRegistry()
    await seed(registry, await sampleImage(), 'app', 'v1')
    await expect(openSource(`docker://${registry.host}/app:v2`, { registry: settings() })).rejects.toMatchObject({
      code: 'PLY_IMAGE_NOT_FOUND',
      message: expect.stringContaining('it has: v1'),
    })
    await expect(openSink('docker://app', { registry: settings() })).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })

  test('a failed push leaves no tag, and the same call then succeeds', async () => {
    let failing = true
    const registry = await ownRegistry({
      before(request, response) {
        if (!failing || request.method !== 'PUT' || !request.url!.includes('digest=')) return false
        response.writeHead(403).end(JSON.stringify({ errors: [{ code: 'DENIED', message: 'no more room' }] }))
        return true
      },
    })
    const image = await sampleImage()
    const reference = `docker://${registry.host}/app:1`
    await expect(push(image, reference, settings())).rejects.toMatchObject({
      code: 'PLY_REFUSED',
      message: expect.stringContaining('no more room'),
    })
    expect(registry.manifests.size).toBe(0)
    failing = false
    await push(image, reference, settings())
    expect(registry.manifests.has('app 1')).toBe(true)
  })

  test('a layer that is not what its descriptor says is refused, and has no name there', async () => {
    const registry = await ownRegistry()
    const image = noisyImage()
    const [base, top] = image.layers
    const forged = { ...image, layers: [{ ...base!, atRest: undefined, compressed: top!.compressed }, top!] }
    await expect(push(forged, `docker://${registry.host}/app:1`, settings())).rejects.toMatchObject({
      code: expect.stringMatching(/PLY_(DIGEST|SIZE)_MISMATCH/),
    })
    expect(registry.manifests.size).toBe(0)
    expect(registry.blobs.has(base!.descriptor.digest)).toBe(false)
  })

  test('layers arrive several at a time where somebody wants them at rest, and leave nothing behind', async () => {
    let now = 0
    let most = 0
    const registry = await ownRegistry({
      async before(request) {
        if (request.method !== 'GET' || !request.url!.includes('/blobs/')) return false
        most = Math.max(most, ++now)
        await new Promise((resolve) => setTimeout(resolve, 30))
        now--
        return false
      },
    })
    const image = noisyImage()
    await seed(registry, image, 'app', '1')
    const options = settings({ jobs: 2 })
    const source = await openSource(`docker://${registry.host}/app:1`, { registry: options })
    const { layers } = await source.image()
    const here = await Promise.all(layers.map((layer) => layer.fetched!()))
    expect(most).toBe(2)
    for (const layer of here) {
      const bytes = layer.atRest!()
      const content = Buffer.alloc(bytes.size)
      bytes.read(content, 0)
      expect(digestOf(content)).toBe(layer.descriptor.digest)
      expect(digestOf(await bytesOf(layer.compressed()))).toBe(layer.descriptor.digest)
    }
    expect(registry.count('GET', /blobs\/sha256/)).toBe(3)
    await source[Symbol.asyncDispose]()
    expect(halfBlobs(options.partialDirectory as string)).toEqual([])
  })

  test('how far a transfer has come is told for each blob, and never goes back', async () => {
    const registry = await ownRegistry()
    const image = noisyImage()
    const reference = `docker://${registry.host}/app:1`
    const told = new Map<string, number[]>()
    const onProgress = ({ what, done, total }: { what: string; done: number; total?: number }) => {
      told.set(what, [...(told.get(what) ?? []), done])
      expect(done).toBeLessThanOrEqual(total!)
    }
    const check = (digests: readonly string[]) => {
      for (const { descriptor } of image.layers.filter((layer) => digests.includes(layer.descriptor.digest))) {
        const steps = told.get(descriptor.digest)!
        expect(steps).toEqual(steps.toSorted((a, b) => a - b))
        expect(steps.at(-1)).toBe(descriptor.size)
      }
      told.clear()
    }
    const options = settings()
    await using sink = await openSink(reference, { registry: options })
    await sink.write(image, undefined, { onProgress })
    check(namesOf(image.layers))
    await using source = await openSource(reference, { registry: options })
    const { layers } = await source.image()
    for (const layer of layers) await bytesOf(layer.compressed({ onProgress }))
    check(namesOf(layers))
  })

  test('a transfer that is stopped ends at once', async () => {
    let asked = false
    const registry = await ownRegistry({
      before(request, response) {
        if (request.method !== 'GET' || !request.url!.includes('/blobs/')) return false
        response.writeHead(200).flushHeaders()
        asked = true
        return true
      },
    })
    const image = noisyImage()
    await seed(registry, image, 'app', '1')
    const controller = new AbortController()
    const pulling = openSource(`docker://${registry.host}/app:1`, { registry: settings() }).then((source) =>
      source.image(undefined, { signal: controller.signal }),
    )
    pulling.catch(() => {})
    await until(() => asked)
    const start = performance.now()
    controller.abort()
    await expect(pulling).rejects.toMatchObject({ code: 'PLY_ABORTED' })
    expect(performance.now() - start).toBeLessThan(prompt)
  })
})

describe('a repository, document by document', () => {
  test('tags come page by page, all of them', async () => {
    const registry = await ownRegistry({ pageSize: 7 })
    const image = await sampleImage()
    const names = Array.from({ length: 40 }, (_, i) => `v${String(i).padStart(2, '0')}`)
    for (const name of names) await seed(registry, image, 'app', name)
    const repository = openRepository(`docker://${registry.host}/app`, settings())
    const tags: string[] = []
    for await (const tag of repository.tags()) tags.push(tag)
    expect(tags).toEqual(names)
    expect(registry.count('GET', /tags\/list/)).toBe(6)
    const other = openRepository(`docker://${registry.host}/none`, settings())
    for await (const _ of other.tags()) expect.unreachable()
  })

  test('a list of tags that leads back to itself ends', async () => {
    const registry = await ownRegistry({
      before(request, response) {
        if (!request.url!.includes('tags/list')) return false
        response.writeHead(200, { link: '</v2/app/tags/list?n=1&last=a>; rel="next"' })
        response.end(JSON.stringify({ name: 'app', tags: ['a'] }))
        return true
      },
    })
    const repository = openRepository(`docker://${registry.host}/app`, settings())
    const all = async () => {
      for await (const _ of repository.tags());
    }
    await expect(all()).rejects.toMatchObject({ code: 'PLY_REGISTRY' })
  })

  for (const api of [true, false]) {
    test(`what refers to an image is listed ${api ? 'by the registry' : 'under the fallback tag'}, filtered, and taken out again`, async () => {
      const registry = await ownRegistry({ referrers: api })
      const image = await sampleImage()
      await seed(registry, image, 'app', '1')
      const repository = openRepository(`docker://${registry.host}/app`, settings())
      const { digest } = await repository.putBlob(Buffer.from('{}'))
      const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest, size: 2 }
      const artifact = (artifactType: string) =>
        Buffer.from(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: mediaTypes.ociManifest,
            artifactType,
            config,
            layers: [config],
            subject: image.descriptor,
            annotations: { kind: artifactType },
          }),
        )
      const first = await repository.putManifest(artifact('test/signature'))
      const second = await repository.putManifest(artifact('test/sbom'))
      const list = async (artifactType?: string) => {
        const found = []
        const options = artifactType === undefined ? {} : { artifactType }
        for await (const one of repository.referrers(image.digest, options)) found.push([one.digest, one.artifactType])
        return found
      }
      expect(await list()).toEqual([
        [first.digest, 'test/signature'],
        [second.digest, 'test/sbom'],
      ])
      expect(await list('test/sbom')).toEqual([[second.digest, 'test/sbom']])
      expect(registry.manifests.has(`app sha256-${image.digest.slice(7)}`)).toBe(!api)
      expect(await repository.delete(first.digest)).toBe(true)
      expect(await list()).toEqual([[second.digest, 'test/sbom']])
    })
  }

  test('what is neither a tag nor a digest becomes part of no address', async () => {
    const registry = await ownRegistry()
    const repository = openRepository(`docker://${registry.host}/app`, settings())
    for (const odd of ['../x', 'a/b', '', 'a b', '?x', `sha256:${'A'.repeat(64)}`, `md5:${'a'.repeat(32)}`]) {
      await expect(repository.manifest(odd)).rejects.toMatchObject({ code: 'PLY_BAD_REFERENCE' })
      await expect(repository.delete(odd)).rejects.toMatchObject({ code: 'PLY_BAD_REFERENCE' })
    }
    expect(registry.seen).toEqual([])
  })

  test('a tag is resolved, deleted, and then gone', async () => {
    const registry = await ownRegistry()
    const image = await sampleImage()
    await seed(registry, image, 'app', '1')
    const repository = openRepository(`docker://${registry.host}/app`, settings())
    expect(await repository.resolve('1')).toBe(image.digest)
    expect((await repository.manifest('1'))!.raw).toEqual(Buffer.from(image.rawManifest))
    expect(await repository.delete('1')).toBe(true)
    expect(await repository.delete('1')).toBe(false)
    expect(await repository.resolve('1')).toBeUndefined()
    expect(await repository.hasBlob(image.manifest.config.digest)).toBe(true)
  })
})

test('an image of hundreds of layers warns of nothing', async () => {
  const warnings: unknown[] = []
  const listen = (warning: unknown) => warnings.push(warning)
  process.on('warning', listen)
  onTestFinished(() => void process.off('warning', listen))
  const registry = await ownRegistry()
  let image = scratch
  for (let i = 0; i < 40; i++) image = append(image, layerFrom({ [`/${i}`]: `${i}` }), { created_by: `${i}` })
  const reference = `docker://${registry.host}/app:1`
  await push(image, reference, settings())
  await using source = await openSource(reference, { registry: settings() })
  await using sink = await openSink(`oci:${temporary()}/out:1`)
  expect((await sink.write(await source.image())).digest).toBe(image.digest)
  await new Promise((resolve) => setImmediate(resolve))
  expect(warnings).toEqual([])
})
