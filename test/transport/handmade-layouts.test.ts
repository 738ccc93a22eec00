import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openSource, validate } from '../../src/index.ts'
import { temporary } from '../support/temporary.ts'
import { archive, member } from '../tar/raw.ts'

type Json = Record<string, unknown>

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const tar = archive(member({ name: 'file' }, 'x'))
const absent = `sha256:${'0'.repeat(64)}`
const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
}

/** What somebody may have written into a layout, each over what would be right. */
interface Changes {
  readonly config?: Json
  readonly layer?: Json
  readonly manifest?: Json
  /** The entry of `index.json`. */
  readonly entry?: Json
  readonly entries?: readonly Json[]
  /** What becomes of the bytes of the layer. */
  readonly damage?: (path: string) => void
}

/** A layout with one image of one layer, written by hand; answers its reference. */
function layout({ config, layer, manifest, entry, entries, damage }: Changes = {}): string {
  const place = temporary()
  const blobs = join(place, 'blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  const put = (bytes: Uint8Array) => {
    const digest = digestOf(bytes)
    writeFileSync(join(blobs, digest.slice(7)), bytes)
    return { digest, size: bytes.length }
  }
  const document = (value: Json) => put(Buffer.from(JSON.stringify(value)))
  const own = {
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [{ created_by: 'one' }],
    ...config,
  }
  const made = document({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: { mediaType: types.config, ...document(own) },
    layers: [{ mediaType: types.layer, ...put(tar), ...layer }],
    ...manifest,
  })
  damage?.(join(blobs, digestOf(tar).slice(7)))
  const named = { 'org.opencontainers.image.ref.name': 'app' }
  const listed = entries ?? [{ mediaType: types.manifest, ...made, annotations: named, ...entry }]
  writeFileSync(join(place, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: listed }))
  writeFileSync(join(place, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  return `oci:${place}`
}

async function found(changes: Changes, options: { readonly fast?: boolean } = {}) {
  await using source = await openSource(layout(changes))
  const { findings, valid } = await validate(source, options)
  return { valid, findings: findings.map(({ where, severity, reason }) => `${severity} in ${where}: ${reason}`) }
}

const elsewhere = { digest: absent, urls: ['https://example.com/layer'] }
const foreign = 'application/vnd.oci.image.layer.nondistributable.v1.tar'

describe('validating a layout that somebody has written', () => {
  test('finds nothing in one that is right, fast or slowly', async () => {
    expect(await found({})).toEqual({ valid: true, findings: [] })
    expect(await found({}, { fast: true })).toEqual({ valid: true, findings: [] })
  })

  test.each<readonly [string, Changes, boolean, readonly (string | RegExp)[]]>([
    [
      'a platform of the index that is another one',
      { entry: { platform: { os: 'linux', architecture: 'arm64' } } },
      true,
      ['warning in config: its index says that it is for linux/arm64, and it says linux/amd64'],
    ],
    [
      'a type that no manifest has',
      { entry: { mediaType: 'application/json' } },
      true,
      [/^warning in manifest: what leads to it calls it application\/json/],
    ],
    [
      'two types of one manifest',
      { entry: { mediaType: 'application/vnd.docker.distribution.manifest.v2+json' } },
      false,
      [/^error in manifest: what leads to it calls it .*docker.*, and it calls itself .*oci/],
    ],
    ['no system', { config: { os: '' } }, false, ['error in config: it names no os or no architecture']],
    [
      'a history of more layers',
      { config: { history: [{}, { empty_layer: true }, {}] } },
      false,
      ['error in history: it describes 2 layers, and there are 1'],
    ],
    [
      'a layer that is somewhere else',
      { layer: { ...elsewhere, mediaType: foreign }, config: { rootfs: { type: 'layers', diff_ids: [absent] } } },
      true,
      ['warning in layer 0: it is not here, but at https://example.com/layer'],
    ],
    [
      'a layer of another size',
      { layer: { size: tar.length + 1 } },
      false,
      [new RegExp(`^error in layer 0: .*${tar.length + 1}`)],
    ],
    [
      'a layer that hashes to another diffID',
      { config: { rootfs: { type: 'layers', diff_ids: [absent] } } },
      false,
      [/^error in layer 0: .*0000/],
    ],
    ['a layer that is gone', { damage: (path) => rmSync(path) }, false, [/^error in layer 0: /]],
    [
      'a layer with other bytes',
      { damage: (path) => writeFileSync(path, Buffer.alloc(tar.length, 1)) },
      false,
      [/^error in layer 0: /],
    ],
  ])('says what is wrong, and how much, with %s', async (_, changes, valid, said) => {
    const answer = await found(changes)
    expect(answer.valid).toBe(valid)
    expect(answer.findings).toEqual(said.map((text) => (typeof text === 'string' ? text : expect.stringMatching(text))))
  })

  test.each<readonly [string, Changes, readonly RegExp[]]>([
    ['is gone', { damage: (path) => rmSync(path) }, [/^error in layer 0: /]],
    ['has another size', { damage: (path) => writeFileSync(path, 'short') }, [/expected \d+ bytes but there are 5$/]],
    ['has other bytes: these are read', { damage: (path) => writeFileSync(path, Buffer.alloc(tar.length, 1)) }, []],
  ])('fast, looks at sizes alone where a layer %s', async (_, changes, said) => {
    const answer = await found(changes, { fast: true })
    expect(answer.findings).toEqual(said.map((text) => expect.stringMatching(text)))
  })

  test('says of what is no document at all that it is none', async () => {
    const reference = layout({ manifest: { layers: 'none' } })
    await using source = await openSource(reference)
    const { valid, findings, documents } = await validate(source)
    expect([valid, documents]).toEqual([false, 0])
    expect(findings).toMatchObject([{ where: 'manifest', severity: 'error', code: 'PLY_BAD_DOCUMENT' }])
  })
})

describe('an image of a layout', () => {
  const image = async (reference: string, platform?: string) => {
    await using source = await openSource(reference, platform === undefined ? {} : { platform })
    return source.image()
  }

  test('is found by its digest, whether the index has it or not', async () => {
    const reference = layout()
    const { digest } = await image(`${reference}:app`)
    expect((await image(`${reference}@${digest}`)).digest).toBe(digest)
    writeFileSync(join(reference.slice(4), 'index.json'), '{"schemaVersion":2,"manifests":[]}')
    expect((await image(`${reference}@${digest}`)).digest).toBe(digest)
    await expect(image(`${reference}@${absent}`)).rejects.toMatchObject({ code: 'PLY_BLOB_NOT_FOUND' })
    await expect(image(reference)).rejects.toMatchObject({
      code: 'PLY_BAD_ARCHIVE',
      message: expect.stringContaining('its index lists no image'),
    })
  })

  test('is not found by what nobody calls it, also where names are no names of images', async () => {
    const reference = layout({ entry: { annotations: { 'org.opencontainers.image.ref.name': '!!' } } })
    await using source = await openSource(reference)
    expect((await source.image('!!')).config.os).toBe('linux')
    await expect(source.image('app')).rejects.toMatchObject({
      code: 'PLY_IMAGE_NOT_FOUND',
      details: { name: 'app', available: '!!' },
    })
  })

  test('is none where an index leads to none', async () => {
    const place = layout().slice(4)
    const empty = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests: [] }))
    const digest = digestOf(empty)
    writeFileSync(join(place, 'blobs/sha256', digest.slice(7)), empty)
    const manifests = [{ mediaType: types.index, digest, size: empty.length }]
    writeFileSync(join(place, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
    await expect(image(`oci:${place}`)).rejects.toMatchObject({ code: 'PLY_PLATFORM_NOT_FOUND' })
  })
})
