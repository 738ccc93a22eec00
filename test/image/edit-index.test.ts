import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { addToIndex, annotateIndex, createIndex, indexOver, type Parcel, parcelOf, removeFromIndex } from 'plyfs'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/model/digest.ts'
import { parseManifest } from '../../src/model/parse-documents.ts'
import { openSink, openSource } from '../../src/transport/open.ts'
import { ply } from '../cli/run-ply.ts'
import { sampleImage, withPlatform } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { ownRegistry } from '../transport/registry/own-registry.ts'

const image = await sampleImage()
const [amd, arm, armv7] = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'].map((one) => withPlatform(image, one))

/** What BuildKit lays beside an image in its index. */
function attestation(about: string): Parcel {
  const content = Buffer.from(JSON.stringify({ about }))
  const layer = { mediaType: 'application/vnd.in-toto+json', digest: digestOf(content), size: content.length }
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(Buffer.from('{}')), size: 2 }
  const raw = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: amd!.descriptor.mediaType, config, layers: [layer] }, undefined, 2),
  )
  async function* bytes(of: Buffer) {
    yield of
  }
  return {
    is: 'manifest',
    raw,
    manifest: parseManifest(raw),
    descriptor: {
      mediaType: amd!.descriptor.mediaType,
      digest: digestOf(raw),
      size: raw.length,
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: {
        'vnd.docker.reference.type': 'attestation-manifest',
        'vnd.docker.reference.digest': about,
      },
    },
    blobs: [
      { descriptor: layer, compressed: () => bytes(content) },
      { descriptor: config, compressed: () => bytes(Buffer.from('{}')) },
    ],
  }
}

const digests = ({ members }: { readonly members: readonly Parcel[] }) => members.map((one) => one.descriptor.digest)

describe('an index', () => {
  test('of images has their platforms, and the same images give the same bytes', async () => {
    const index = await createIndex([parcelOf(amd!), parcelOf(armv7!)], { annotations: { a: 'b' } })
    expect(index.index.manifests.map(({ platform }) => platform)).toEqual([
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm' },
    ])
    expect(index.index.annotations).toEqual({ a: 'b' })
    expect(digestOf(index.raw)).toBe(index.descriptor.digest)
    const again = await createIndex([parcelOf(amd!), parcelOf(armv7!), parcelOf(amd!)], { annotations: { a: 'b' } })
    expect(again.raw).toEqual(index.raw)
  })

  test('takes over the entries of another one, with attestations and all that they say', async () => {
    const entry = {
      ...parcelOf(amd!),
      descriptor: { ...amd!.descriptor, platform: amd!.config, data: 'eA==' } as never,
    }
    const other = indexOver([entry, attestation(amd!.digest)], { 'x-odd': [1] } as never)
    const index = await createIndex([other, parcelOf(arm!)])
    expect(index.index.manifests.slice(0, 2)).toEqual(other.index.manifests)
    expect(index.index).not.toHaveProperty('x-odd')
  })

  test('has one image for each platform', async () => {
    const twin = withPlatform(await sampleImage({ '/other': 'x' }), 'linux/amd64')
    await expect(createIndex([parcelOf(amd!), parcelOf(twin)])).rejects.toMatchObject({
      code: 'PLY_USAGE',
      message: expect.stringContaining('linux/amd64'),
    })
    const index = await createIndex([parcelOf(amd!), attestation(amd!.digest), parcelOf(arm!)])
    const { index: now, removed } = await addToIndex(index, [parcelOf(twin)])
    expect(digests(now)).toEqual([twin.digest, arm!.digest])
    expect(removed.map(({ digest }) => digest)).toEqual([amd!.digest, digests(index)[1]])
  })

  test('that is changed keeps what it says and what its entries say, and one to which nothing happens its bytes', async () => {
    const entry = {
      ...parcelOf(amd!),
      descriptor: { ...amd!.descriptor, platform: { os: 'linux', architecture: 'amd64' }, data: 'eA==' } as never,
    }
    const index = indexOver([entry], { 'x-odd': { deep: [null] }, annotations: { a: '1', b: '2' } } as never)
    const { index: more } = await addToIndex(index, [parcelOf(arm!)])
    expect(JSON.parse(Buffer.from(more.raw).toString())).toMatchObject({
      'x-odd': { deep: [null] },
      annotations: { a: '1', b: '2' },
      manifests: [{ data: 'eA==' }, { digest: arm!.digest }],
    })
    expect((await addToIndex(more, [parcelOf(arm!)])).index).toBe(more)
    expect(annotateIndex(more, { annotations: { a: '1', c: null } })).toBe(more)
    const said = annotateIndex(more, { annotations: { a: null, c: '3' } })
    expect(said.index.annotations).toEqual({ b: '2', c: '3' })
    expect(said.index.manifests).toEqual(more.index.manifests)
  })

  test('loses entries by platform and by digest, with what was about them', async () => {
    const index = await createIndex([parcelOf(amd!), attestation(amd!.digest), parcelOf(arm!), parcelOf(armv7!)])
    expect(digests(removeFromIndex(index, ['linux/x86_64']).index)).toEqual([arm!.digest, armv7!.digest])
    const { index: left, removed } = removeFromIndex(index, [arm!.digest.slice(7, 20), 'linux/arm/v7'])
    expect(digests(left)).toEqual([amd!.digest, digests(index)[1]])
    expect(removed.map(({ digest }) => digest)).toEqual([arm!.digest, armv7!.digest])
    for (const wrong of ['linux/s390x', 'feed'.repeat(10), 'x'])
      expect(() => removeFromIndex(index, [wrong])).toThrow(expect.objectContaining({ code: 'PLY_USAGE' }))
  })

  test('says another platform of an entry, and more of it', async () => {
    const index = await createIndex([parcelOf(amd!), parcelOf(arm!)])
    const change = { platform: 'linux/arm64/v9', osVersion: '6.1', osFeatures: ['x'], annotations: { a: 'b' } }
    const said = annotateIndex(index, change, 'linux/arm64')
    expect(said.index.manifests[1]).toEqual({
      ...arm!.descriptor,
      platform: { os: 'linux', architecture: 'arm64', variant: 'v9', 'os.version': '6.1', 'os.features': ['x'] },
      annotations: { a: 'b' },
    })
    const back = { platform: 'linux/arm64', osVersion: null, osFeatures: null, annotations: { a: null } }
    expect(annotateIndex(said, back, arm!.digest).raw).toEqual(index.raw)
    expect(() => annotateIndex(index, { platform: 'linux/arm64' })).toThrow(
      expect.objectContaining({ code: 'PLY_USAGE' }),
    )
  })
})

test('ply index and ply copy --all, from anywhere to anywhere', async () => {
  const registry = await ownRegistry()
  const home = temporary()
  const environment = { HOME: home, XDG_RUNTIME_DIR: home, CONTAINERS_REGISTRIES_CONF: '/dev/null' }
  const run = async (...argv: string[]) => {
    const answer = await ply([...argv, '--root', join(home, 'store')], { environment })
    expect(answer.code, `${argv.join(' ')}: ${answer.err}`).toBe(0)
    return answer.out.trim()
  }
  for (const [tag, one] of [
    ['amd', amd!],
    ['arm', arm!],
  ] as const) {
    await using sink = await openSink(`oci:${home}/${tag}:it`)
    await sink.write(one)
  }
  const reference = `docker://${registry.host}/team/app:1`
  const made = await run('index', 'create', reference, `oci:${home}/amd:it`, `oci:${home}/arm:it`, '-a', 'a=b')
  expect(JSON.parse(await run('inspect', '--all', reference))[0]).toMatchObject({
    digest: made,
    document: { annotations: { a: 'b' }, manifests: [{ digest: amd!.digest }, { digest: arm!.digest }] },
  })
  expect(registry.manifests.get('team/app 1')!.type).toBe('application/vnd.oci.image.index.v1+json')
  expect(await run('copy', '--all', reference, `oci:${home}/out:1`)).toBe(made)
  expect(await run('copy', '--all', `oci:${home}/out:1`, 'kept:1')).toBe(made)
  expect(await run('copy', '--all', 'kept:1', `oci-archive:${home}/out.tar:1`)).toBe(made)
  expect(await run('copy', '--all', `oci-archive:${home}/out.tar:1`, `docker://${registry.host}/again:2`)).toBe(made)
  expect(await run('copy', '--platform', 'linux/arm64', 'kept:1', `oci:${home}/one:1`)).toBe(arm!.digest)

  const removed = await run('index', 'remove', 'kept:1', 'linux/amd64')
  expect(removed).not.toBe(made)
  expect(await run('index', 'add', 'kept:1', `oci:${home}/amd:it`, '-o', `oci:${home}/more:1`)).toMatch(/^sha256:/)
  const index = JSON.parse(readFileSync(join(home, 'more/blobs/sha256', await lastDigest(home)), 'utf8'))
  expect(index.annotations).toEqual({ a: 'b' })
  expect(index.manifests.map(({ digest }: { digest: string }) => digest)).toEqual([arm!.digest, amd!.digest])
  const annotated = await run('index', 'annotate', reference, 'linux/arm64', '-a', 'x=y')
  await using source = await openSource(reference, { registry: { environment } })
  expect((await source.parcel!()).descriptor.digest).toBe(annotated)

  const archive = await ply(['index', 'remove', `oci-archive:${home}/out.tar:1`, 'linux/amd64'], { environment })
  expect(archive).toMatchObject({ code: 2, err: expect.stringContaining('-o') })
  expect(await ply(['index', 'add', `oci:${home}/amd:it`, `oci:${home}/arm:it`], { environment })).toMatchObject({
    code: 2,
    err: expect.stringContaining('ply index create'),
  })
  expect((await ply(['index', '--help'])).out).toContain('index create')
  expect((await ply(['help', 'index', 'create'])).out).toContain('ply index create INDEX IMAGES...')
})

async function lastDigest(home: string): Promise<string> {
  const { manifests } = JSON.parse(readFileSync(join(home, 'more/index.json'), 'utf8'))
  return manifests.at(-1).digest.slice(7)
}
