import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { copy, copyWhole } from '../../src/image/copy.ts'
import type { Image } from '../../src/image/image.ts'
import { digestOf, hexOf } from '../../src/model/digest.ts'
import { codeOf } from '../../src/model/errors.ts'
import { artifactType, privateKeyFrom, publicKeyFrom, type SigningKey } from '../../src/signature/index.ts'
import { openStore } from '../../src/store/open-store.ts'
import { openTree } from '../../src/store/trees/open-tree.ts'
import { openSink, openSource, signImage, verifySignatures } from '../../src/transport/index.ts'
import { openRepository } from '../../src/transport/registry/index.ts'
import { sampleImage, withPlatform } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { type OwnRegistry, ownRegistry } from '../transport/registry/own-registry.ts'
import { push, seed, settings } from '../transport/registry/setting.ts'
import { openKey, publicKey } from './sealed-fixture.ts'

const keys = [publicKeyFrom(publicKey)]
const mine = await privateKeyFrom(openKey)
const stranger = await privateKeyFrom(
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
)
const unsigned = { code: 'PLY_UNSIGNED' }

interface Place {
  readonly registry: OwnRegistry
  readonly image: Image
  readonly reference: string
}

/** An image under `team/app:1` of a registry. */
async function place({ referrers = false, image }: { referrers?: boolean; image?: Image } = {}): Promise<Place> {
  const registry = await ownRegistry({ referrers })
  const pushed = image ?? (await sampleImage())
  await seed(registry, pushed, 'team/app', '1')
  return { registry, image: pushed, reference: `docker://${registry.host}/team/app:1` }
}

const sign = ({ reference }: Place, key: SigningKey = mine, more: object = {}) =>
  signImage(reference, { key, registry: settings(), ...more })
const verify = ({ reference }: Place, more: object = {}) =>
  verifySignatures(reference, { keys, registry: settings(), ...more })

// biome-ignore lint/suspicious/noExplicitAny: what is made of it is wrong in every way
type Changeable = any

/** The manifest of signatures of an image, to be changed. */
function tagged({ registry, image }: Place, change: (manifest: Changeable) => void): void {
  const name = `team/app sha256-${hexOf(image.digest)}.sig`
  const { raw, type } = registry.manifests.get(name)!
  const manifest = JSON.parse(raw.toString())
  change(manifest)
  registry.manifests.set(name, { raw: Buffer.from(JSON.stringify(manifest)), type })
}

/** Lays a payload with a signature under the tag of an image, as anybody can who may push. */
async function lay(at: Place, payload: Uint8Array, signature: Uint8Array): Promise<void> {
  await sign(at, stranger)
  at.registry.blobs.set(digestOf(payload), Buffer.from(payload))
  tagged(at, ({ layers: [layer] }) => {
    layer.digest = digestOf(payload)
    layer.size = payload.length
    layer.annotations['dev.cosignproject.cosign/signature'] = Buffer.from(signature).toString('base64')
  })
}

async function index(registry: OwnRegistry): Promise<readonly Image[]> {
  const base = await sampleImage()
  const images = ['linux/amd64', 'linux/arm64'].map((platform) => withPlatform(base, platform))
  const manifests = images.map(({ descriptor, config }) => ({
    ...descriptor,
    platform: { os: config.os, architecture: config.architecture },
  }))
  for (const one of images) await seed(registry, one, 'team/app', one.config.architecture)
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
  registry.manifests
    .set('team/app 1', { raw, type: mediaType })
    .set(`team/app ${digestOf(raw)}`, { raw, type: mediaType })
  return images
}

describe('signatures in a registry', () => {
  for (const referrers of [true, false]) {
    for (const form of ['tag', 'referrers'] as const) {
      test(`what is signed holds: ${form}, ${referrers ? 'with' : 'without'} the referrers API`, async () => {
        const at = await place({ referrers })
        await expect(verify(at)).rejects.toMatchObject(unsigned)
        const signed = await sign(at, mine, { form, annotations: { team: 'blue' } })
        const name = `${at.registry.host}/team/app:1`
        expect(signed).toMatchObject({ digest: at.image.digest, signedAs: name, signatures: [{ form, added: true }] })
        expect(await verify(at, { annotations: { team: 'blue' } })).toMatchObject({
          digest: at.image.digest,
          image: at.image.digest,
          signatures: [{ subject: at.image.digest, key: keys[0]!.fingerprint, signedAs: name, form }],
          refused: [],
        })
        await expect(verify(at, { annotations: { team: 'red' } })).rejects.toMatchObject(unsigned)
        await expect(verify(at, { keys: [stranger.public] })).rejects.toMatchObject(unsigned)
        await expect(verify(at, { keys: [] })).rejects.toMatchObject({ code: 'PLY_USAGE' })
        expect((await verify(at, { keys: [stranger.public, ...keys] })).signatures).toHaveLength(1)
      })
    }
  }

  test('what a key has said already is not said again; what another one says stands beside it', async () => {
    const at = await place()
    const first = await sign(at, mine, { created: 1 })
    expect((await sign(at, mine, { created: 2 })).signatures).toEqual([{ ...first.signatures[0], added: false }])
    await sign(at, stranger)
    await sign(at, mine, { annotations: { more: 'said' } })
    expect((await verify(at, { keys: [...keys, stranger.public] })).signatures).toHaveLength(3)
  })

  test('two who sign at the same time are both heard', async () => {
    const at = await place()
    await Promise.all([sign(at), sign(at, stranger)])
    expect((await verify(at, { keys: [...keys, stranger.public] })).signatures).toHaveLength(2)
  })

  test('a signature of another image does not count, wherever it is laid', async () => {
    const at = await place()
    const other = await place({ image: await sampleImage({ '/other': 'x' }) })
    await sign(other)
    const { raw, type } = other.registry.manifests.get(`team/app sha256-${hexOf(other.image.digest)}.sig`)!
    at.registry.manifests.set(`team/app sha256-${hexOf(at.image.digest)}.sig`, { raw, type })
    for (const [digest, bytes] of other.registry.blobs) at.registry.blobs.set(digest, bytes)
    await expect(verify(at, { signedAs: 'any' })).rejects.toMatchObject({
      ...unsigned,
      message: expect.stringContaining('it is of sha256:'),
    })
  })

  test('a signature for another name does not count, unless that name is asked for', async () => {
    const at = await place()
    await sign(at, mine, { signedAs: 'example.com/old/app:1' })
    await expect(verify(at)).rejects.toMatchObject(unsigned)
    for (const signedAs of ['example.com/old/app:1', 'example.com/old/app', 'any'])
      expect((await verify(at, { signedAs })).signatures).toHaveLength(1)
    await expect(verify(at, { signedAs: 'example.com/old/app:2' })).rejects.toMatchObject(unsigned)
    await expect(verify(at, { signedAs: 'No Name' })).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })

  test('another tag of the same image is another name', async () => {
    const at = await place()
    await sign(at)
    await seed(at.registry, at.image, 'team/app', '2')
    const two = { ...at, reference: `docker://${at.registry.host}/team/app:2` }
    await expect(verify(two)).rejects.toMatchObject(unsigned)
    const byDigest = { ...at, reference: `docker://${at.registry.host}/team/app@${at.image.digest}` }
    expect((await verify(byDigest)).signatures).toHaveLength(1)
  })

  test('no bit of a payload or a signature can be turned over', async () => {
    const at = await place()
    await sign(at)
    const { layers } = JSON.parse(
      at.registry.manifests.get(`team/app sha256-${hexOf(at.image.digest)}.sig`)!.raw.toString(),
    )
    const payload = at.registry.blobs.get(layers[0].digest)!
    const signature = Buffer.from(layers[0].annotations['dev.cosignproject.cosign/signature'], 'base64')
    const flipped = (bytes: Buffer, bit: number) => {
      const copied = Buffer.from(bytes)
      copied[bit >> 3]! ^= 1 << (bit & 7)
      return copied
    }
    await lay(at, payload, signature)
    expect((await verify(at)).signatures).toHaveLength(1)
    const bits = fc.nat({ max: payload.length * 8 - 1 })
    const turned = async (payloadBit: number | undefined, signatureBit: number | undefined) => {
      await lay(
        at,
        payloadBit === undefined ? payload : flipped(payload, payloadBit),
        signatureBit === undefined ? signature : flipped(signature, signatureBit % (signature.length * 8)),
      )
      await expect(verify(at, { signedAs: 'any' })).rejects.toMatchObject(unsigned)
    }
    await fc.assert(
      fc.asyncProperty(bits, (bit) => turned(bit, undefined)),
      { numRuns: 15 },
    )
    await fc.assert(
      fc.asyncProperty(bits, (bit) => turned(undefined, bit)),
      { numRuns: 15 },
    )
  })

  test('bytes that a registry has exchanged are noticed before a key is asked', async () => {
    const at = await place()
    await sign(at)
    tagged(at, ({ layers: [layer] }) => at.registry.blobs.set(layer.digest, Buffer.alloc(layer.size, 'x')))
    await expect(verify(at)).rejects.toMatchObject({ ...unsigned, message: expect.stringContaining('hash to') })
  })

  test('what is hostile in the place of a signature is a refusal, and a good one beside it counts', async () => {
    const hostile: readonly ((manifest: Changeable, at: Place) => void)[] = [
      (manifest) => (manifest.layers[0].annotations = {}),
      (manifest) => (manifest.layers[0].annotations['dev.cosignproject.cosign/signature'] = '!'.repeat(100)),
      (manifest) => (manifest.layers[0].annotations['dev.cosignproject.cosign/signature'] = 'A'.repeat(1 << 20)),
      (manifest) => (manifest.layers[0].size = 1e12),
      (manifest) => (manifest.layers[0].digest = digestOf(Buffer.from('missing'))),
      (manifest) => (manifest.layers[0].mediaType = 'text/plain'),
      (manifest) => (manifest.layers = []),
      (manifest) => (manifest.layers = 'none'),
      (manifest) => delete manifest.layers,
      (manifest) => delete manifest.config,
      (manifest) => (manifest.schemaVersion = 1),
      (manifest) => (manifest.layers[0].digest = 'md5:x'),
      (manifest) => (manifest.layers = Array.from({ length: 3000 }, () => manifest.layers[0])),
      (_, at) => {
        const name = `team/app sha256-${hexOf(at.image.digest)}.sig`
        at.registry.manifests.set(name, { raw: Buffer.from('{'), type: 'application/vnd.oci.image.manifest.v1+json' })
      },
      (_, at) => {
        const raw = Buffer.from('{"schemaVersion":2,"manifests":[]}')
        const name = `team/app sha256-${hexOf(at.image.digest)}.sig`
        at.registry.manifests.set(name, { raw, type: 'application/vnd.oci.image.index.v1+json' })
      },
      (_, at) => {
        const name = `team/app sha256-${hexOf(at.image.digest)}.sig`
        at.registry.manifests.set(name, { raw: Buffer.alloc(5 << 20, ' '), type: 'text/plain' })
      },
    ]
    for (const change of hostile) {
      const at = await place({ referrers: true })
      await sign(at, stranger)
      tagged(at, (manifest) => change(manifest, at))
      change({ layers: [{ annotations: {} }] }, at)
      await expect(verify(at)).rejects.toMatchObject(unsigned)
      await sign(at, mine, { form: 'referrers' })
      expect((await verify(at)).signatures).toHaveLength(1)
    }
  })

  test('a flood of referrers ends, and does not hide what lies under the tag', async () => {
    const at = await place({ referrers: true })
    await using repository = openRepository(at.reference, settings())
    const { digest } = await repository.putBlob(Buffer.from('{}'))
    const config = { mediaType: artifactType, digest, size: 2 }
    for (let i = 0; i < 24; i++) {
      const much = `${i}${'x'.repeat(1 << 20)}`
      const { descriptor: subject } = at.image
      const manifest = {
        schemaVersion: 2,
        mediaType: subject.mediaType,
        artifactType,
        config,
        layers: [],
        subject,
        much,
      }
      const raw = Buffer.from(JSON.stringify(manifest))
      at.registry.manifests.set(`team/app ${digestOf(raw)}`, { raw, type: subject.mediaType })
    }
    await expect(verify(at)).rejects.toMatchObject({ ...unsigned, message: expect.stringContaining('16 MiB') })
    expect(at.registry.count('GET', /manifests\/sha256:/)).toBeLessThan(20)
    await sign(at)
    expect((await verify(at)).signatures).toHaveLength(1)
  })

  test('a registry that has no list of referrers, whatever it says, has signatures under the tag', async () => {
    const image = await sampleImage()
    for (const status of [400, 405, 406]) {
      const registry = await ownRegistry({
        before: (request, response) => {
          if (!request.url?.includes('/referrers/')) return false
          response.writeHead(status).end()
          return true
        },
      })
      await seed(registry, image, 'team/app', '1')
      const at = { registry, image, reference: `docker://${registry.host}/team/app:1` }
      await expect(verify(at)).rejects.toMatchObject(unsigned)
      await sign(at)
      expect((await verify(at)).signatures).toHaveLength(1)
    }
  })

  test('something else under the tag of signatures is not overwritten', async () => {
    const at = await place()
    const name = `team/app sha256-${hexOf(at.image.digest)}.sig`
    const raw = Buffer.from('{"schemaVersion":2,"manifests":[]}')
    at.registry.manifests.set(name, { raw, type: 'application/vnd.oci.image.index.v1+json' })
    await expect(sign(at)).rejects.toMatchObject({ code: 'PLY_BAD_DOCUMENT' })
    expect(at.registry.manifests.get(name)!.raw).toBe(raw)
  })

  test('a bundle of newer versions of cosign holds, once no name is asked for', async () => {
    const at = await place({ referrers: true })
    const bundle = (predicateType: string, digest: string) => {
      const type = 'application/vnd.in-toto+json'
      const statement = {
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{ digest: { sha256: digest.slice(7) } }],
        predicateType,
        predicate: {},
      }
      const payload = Buffer.from(JSON.stringify(statement))
      const sig = mine.sign(Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]))
      const signatures = [{ sig: sig.toString('base64') }]
      return Buffer.from(
        JSON.stringify({
          mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
          verificationMaterial: { publicKey: { hint: 'x' } },
          dsseEnvelope: { payload: payload.toString('base64'), payloadType: type, signatures },
        }),
      )
    }
    await using repository = openRepository(at.reference, settings())
    const attach = async (content: Buffer) => {
      const mediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json'
      const { digest } = await repository.putBlob(content)
      const empty = await repository.putBlob(Buffer.from('{}'))
      const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: empty.digest, size: 2 }
      const layers = [{ mediaType, digest, size: content.length }]
      const { descriptor } = at.image
      const manifest = {
        schemaVersion: 2,
        mediaType: descriptor.mediaType,
        artifactType: mediaType,
        config,
        layers,
        subject: descriptor,
      }
      await repository.putManifest(Buffer.from(JSON.stringify(manifest)))
    }
    const cosign = 'https://sigstore.dev/cosign/sign/v1'
    await attach(bundle('https://spdx.dev/Document', at.image.digest))
    await attach(bundle(cosign, digestOf(Buffer.from('other'))))
    await attach(Buffer.from('{"dsseEnvelope":{}}'))
    await expect(verify(at, { signedAs: 'any' })).rejects.toMatchObject(unsigned)
    await attach(bundle(cosign, at.image.digest))
    await expect(verify(at)).rejects.toMatchObject(unsigned)
    const found = await verify(at, { signedAs: 'any' })
    expect(found).toMatchObject({ signatures: [{ subject: at.image.digest, form: 'referrers' }] })
    expect(found.refused).toHaveLength(3)
  })
})

describe('images that have to be signed', () => {
  const required = (more: object = {}) => ({ registry: settings(), signatures: { keys, ...more } })

  test('nothing of an image that nobody vouches for gets into a store, a layout or a tree', async () => {
    const at = await place()
    await sign(at, stranger)
    const root = temporary()
    await using store = await openStore(join(root, 'store'))
    await using sink = await openSink(`oci:${root}/out:1`)
    for (const target of [store, sink]) {
      await using source = await openSource(at.reference, required())
      await expect(copy(source, target, { as: 'app:1' })).rejects.toMatchObject(unsigned)
      await expect(copyWhole(source, target, { as: 'app:1' })).rejects.toMatchObject(unsigned)
    }
    await expect(openTree(at.reference, required())).rejects.toMatchObject(unsigned)
    expect(await store.images()).toEqual([])
    expect(at.registry.count('GET', /\/blobs\//)).toBeLessThanOrEqual(at.registry.count('GET', /./))
    const fetched = at.registry.seen.filter(({ path }) =>
      at.image.layers.some(({ descriptor }) => path.endsWith(descriptor.digest)),
    )
    expect(fetched).toEqual([])
    await sign(at)
    await using source = await openSource(at.reference, required())
    expect((await copy(source, store, { as: 'app:1' })).digest).toBe(at.image.digest)
    const tree = await openTree(at.reference, required())
    tree.close()
    await expect(openTree('app:1', { store, ...required() })).rejects.toMatchObject(unsigned)
  })

  test('what is taken in is what was checked, whatever becomes of the tag meanwhile', async () => {
    const at = await place()
    await sign(at)
    const other = await sampleImage({ '/evil': 'x' })
    await using source = await openSource(at.reference, required())
    await seed(at.registry, other, 'team/app', '1')
    expect((await source.image()).digest).toBe(at.image.digest)
    await using later = await openSource(at.reference, required())
    await expect(later.image()).rejects.toMatchObject(unsigned)
  })

  test('a tag that moves at every question never gets an unsigned image in', async () => {
    const at = await place()
    await sign(at)
    const other = await sampleImage({ '/evil': 'x' })
    let turn = 0
    const registry = await ownRegistry({
      before: async (request) => {
        if (/manifests\/1$/.test(request.url ?? ''))
          await seed(registry, turn++ % 2 ? other : at.image, 'team/app', '1')
        return false
      },
    })
    await seed(registry, at.image, 'team/app', '1')
    await signImage(`docker://${registry.host}/team/app@${at.image.digest}`, { key: mine, registry: settings() })
    for (let i = 0; i < 6; i++) {
      try {
        await using source = await openSource(`docker://${registry.host}/team/app:1`, required())
        expect((await source.image()).digest).toBe(at.image.digest)
      } catch (error) {
        expect(codeOf(error)).toBe('PLY_UNSIGNED')
      }
    }
  })

  test('who signs an index vouches for what it lists, and who signs an image for that alone', async () => {
    const registry = await ownRegistry()
    const [amd, arm] = await index(registry)
    const reference = `docker://${registry.host}/team/app:1`
    const take = async (platform: string) => {
      await using source = await openSource(reference, required())
      return (await source.image(undefined, { platform })).digest
    }
    await expect(take('linux/amd64')).rejects.toMatchObject(unsigned)
    await signImage(reference, { key: mine, registry: settings(), platform: 'linux/arm64' })
    await expect(take('linux/amd64')).rejects.toMatchObject(unsigned)
    expect(await take('linux/arm64')).toBe(arm!.digest)
    await using one = await openSource(reference, required())
    await expect(one.parcel!()).rejects.toMatchObject(unsigned)
    const signed = await signImage(reference, { key: mine, registry: settings() })
    expect(signed.signatures).toHaveLength(1)
    expect(await take('linux/amd64')).toBe(amd!.digest)
    expect((await one.parcel!()).descriptor.digest).toBe(signed.digest)
    const found = await verifySignatures(reference, { keys, registry: settings(), platform: 'linux/amd64' })
    expect(found).toMatchObject({ digest: signed.digest, image: amd!.digest, signatures: [{ subject: signed.digest }] })
    // The index is another one now, and the image in it the same: the signature of the old index says nothing of the new one.
    const raw = Buffer.from(registry.manifests.get('team/app 1')!.raw.toString().replace('{', '{ '))
    const type = 'application/vnd.oci.image.index.v1+json'
    registry.manifests.set('team/app 1', { raw, type }).set(`team/app ${digestOf(raw)}`, { raw, type })
    await expect(take('linux/amd64')).rejects.toMatchObject(unsigned)
    const all = await signImage(reference, { key: mine, registry: settings(), recursive: true })
    expect(all.signatures.map(({ added }) => added)).toEqual([true, true, false])
  })

  test('where there is no place for signatures, nothing is signed', async () => {
    const root = temporary()
    for (const reference of [`dir:${root}/dir`, `docker-archive:${root}/file.tar:app:1`]) {
      await using sink = await openSink(reference)
      await sink.write(await sampleImage())
      await using source = await openSource(reference, required())
      await expect(source.image()).rejects.toMatchObject(reference.startsWith('dir') ? unsigned : unsigned)
      await expect(signImage(reference, { key: mine, signedAs: 'example.com/app' })).rejects.toMatchObject({
        code: 'PLY_UNSUPPORTED',
      })
    }
  })
})

describe('signatures in layouts', () => {
  async function layout(): Promise<{ readonly reference: string; readonly path: string; readonly image: Image }> {
    const path = join(temporary(), 'layout')
    const image = await sampleImage()
    await using sink = await openSink(`oci:${path}:1`)
    await sink.write(image)
    return { reference: `oci:${path}:1`, path, image }
  }

  for (const form of ['tag', 'referrers'] as const) {
    test(`an image of a layout is signed and checked, and stays the only image there (${form})`, async () => {
      const { reference, path, image } = await layout()
      await expect(signImage(reference, { key: mine })).rejects.toMatchObject({ code: 'PLY_USAGE' })
      const options = { key: mine, form, signedAs: 'example.com/app:1' }
      expect(await signImage(reference, options)).toMatchObject({ digest: image.digest, signatures: [{ added: true }] })
      expect((await signImage(reference, options)).signatures).toMatchObject([{ added: false }])
      expect(await verifySignatures(reference, { keys })).toMatchObject({
        signatures: [{ form, signedAs: 'example.com/app:1' }],
      })
      expect((await verifySignatures(reference, { keys, signedAs: 'example.com/app' })).signatures).toHaveLength(1)
      await expect(verifySignatures(reference, { keys, signedAs: 'example.com/other' })).rejects.toMatchObject(unsigned)
      await expect(verifySignatures(reference, { keys: [stranger.public] })).rejects.toMatchObject(unsigned)
      await using source = await openSource(`oci:${path}`, { signatures: { keys } })
      expect((await source.image()).digest).toBe(image.digest)
      const names: (string | undefined)[] = []
      for await (const { name } of source.list()) names.push(name)
      expect(names).toEqual(['1'])
    })

    test(`signatures go along from a registry to a layout and into another registry (${form})`, async () => {
      const at = await place({ referrers: true })
      await sign(at, mine, { form, annotations: { team: 'blue' } })
      await sign(at, stranger, { form })
      const path = join(temporary(), 'layout')
      const to = await ownRegistry({ referrers: form === 'tag' })
      const steps = [at.reference, `oci:${path}:1`, `docker://${to.host}/far/app:1`]
      for (const [i, from] of steps.slice(0, -1).entries()) {
        await using source = await openSource(from, { registry: settings() })
        await using sink = await openSink(steps[i + 1]!, { registry: settings() })
        for (const copyOne of [copy, copyWhole]) await copyOne(source, sink, { signatures: true })
      }
      const signedAs = `${at.registry.host}/team/app:1`
      for (const reference of steps) {
        const found = await verifySignatures(reference, {
          keys: [...keys, stranger.public],
          registry: settings(),
          signedAs,
        })
        expect(found.signatures).toHaveLength(2)
        expect(found.signatures.map(({ form: kept }) => kept)).toEqual([form, form])
      }
      await expect(verifySignatures(steps[2]!, { keys, registry: settings() })).rejects.toMatchObject(unsigned)
    })
  }

  test('signatures that are in the target already stay when others come', async () => {
    const at = await place()
    await sign(at)
    const { reference, path, image } = await layout()
    expect(image.digest).toBe(at.image.digest)
    await signImage(reference, { key: stranger, signedAs: 'example.com/app:1' })
    await using source = await openSource(at.reference, { registry: settings() })
    await using sink = await openSink(`oci:${path}:1`)
    await copy(source, sink, { signatures: true })
    const found = await verifySignatures(reference, { keys: [...keys, stranger.public] })
    expect(found.signatures.map(({ key }) => key).sort()).toEqual(
      [keys[0]!.fingerprint, stranger.public.fingerprint].sort(),
    )
  })

  test('where they cannot go along it is said before anything is written', async () => {
    const at = await place()
    await using source = await openSource(at.reference, { registry: settings() })
    const path = join(temporary(), 'dir')
    await using sink = await openSink(`dir:${path}`)
    await expect(copy(source, sink, { signatures: true })).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
    await expect(copy(at.image, sink, { signatures: true })).rejects.toMatchObject({ code: 'PLY_UNREPRESENTABLE' })
    expect(() => readFileSync(join(path, 'version'))).toThrow()
  })

  test('what cosign save has written is read', async () => {
    const { reference, path, image } = await layout()
    await signImage(reference, { key: mine, signedAs: 'example.com/app:1' })
    const file = join(path, 'index.json')
    const content = JSON.parse(readFileSync(file, 'utf8'))
    const kinds = ['dev.cosignproject.cosign/image', 'dev.cosignproject.cosign/sigs']
    for (const [i, entry] of content.manifests.entries()) entry.annotations = { kind: kinds[i] }
    writeFileSync(file, JSON.stringify(content))
    await using source = await openSource(`oci:${path}`, { signatures: { keys } })
    expect((await source.image()).digest).toBe(image.digest)
  })

  test('a layout in which something was exchanged is refused', async () => {
    const { reference, path } = await layout()
    const { signatures } = await signImage(reference, { key: mine, signedAs: 'example.com/app:1' })
    const blob = join(path, 'blobs/sha256', hexOf(signatures[0]!.manifest))
    writeFileSync(blob, readFileSync(blob, 'utf8').replace('MEU', 'MEQ').replace('"size"', '"sizE"'))
    await expect(verifySignatures(reference, { keys })).rejects.toMatchObject(unsigned)
  })

  test('a push does not take signatures for the image, nor the image for signatures', async () => {
    const { reference, image } = await layout()
    await signImage(reference, { key: mine, signedAs: 'example.com/app:1' })
    const registry = await ownRegistry()
    await using source = await openSource(reference)
    expect((await push(await source.image(), `docker://${registry.host}/a/b:1`, settings())).digest).toBe(image.digest)
  })
})
