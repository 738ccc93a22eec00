import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openRepository, openSink, openSource, privateKeyFrom, publicKeyFrom, signImage, verifySignatures } from 'plyfs'
import { describe, expect, test } from 'vitest'
import { debianRegistry } from '../e2e/debian-registry.ts'
import { run } from '../e2e/tools.ts'
import { workspace } from '../e2e/workspace.ts'
import { openKey, publicKey, sealedKey, sealedPassphrase } from '../signature/sealed-fixture.ts'
import { sampleImage, withPlatform } from '../support/images.ts'
import { settings } from '../transport/registry/setting.ts'

/** One that has sigstore: Debian 12 builds it without. */
const skopeo = process.env.PLYFS_SKOPEO ?? 'skopeo'

const other = execFileSync('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'], {
  encoding: 'utf8',
  stdio: ['ignore', 'pipe', 'ignore'],
})
const publicOf = (key: string) =>
  execFileSync('openssl', ['pkey', '-pubout'], { encoding: 'utf8', input: key, stdio: ['pipe', 'pipe', 'ignore'] })

/** What skopeo and podman are to demand of images of a registry, and where they look for signatures. */
function demand(directory: string, host: string, key: string, identity?: object) {
  mkdirSync(join(directory, 'registries.d'), { recursive: true })
  const path = (name: string) => join(directory, name)
  writeFileSync(path('registries.d/here.yaml'), `docker: {'${host}': {use-sigstore-attachments: true}}\n`)
  writeFileSync(path('demanded.pub'), key)
  const signed = {
    type: 'sigstoreSigned',
    keyPath: path('demanded.pub'),
    ...(identity && { signedIdentity: identity }),
  }
  const policy = { default: [{ type: 'reject' }], transports: { docker: { [host]: [signed] } } }
  writeFileSync(path('policy.json'), JSON.stringify(policy))
  writeFileSync(path('anything.json'), JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }))
  return { policy: path('policy.json'), anything: path('anything.json'), registries: path('registries.d') }
}

async function pushed(reference: string) {
  const image = await sampleImage()
  await using sink = await openSink(reference, { registry: settings() })
  await sink.write(image)
  return image
}

describe('signatures, and skopeo', () => {
  test('skopeo takes what was signed here, and nothing else', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'))
    const reference = `docker://${registry.host}/team/app:1`
    const image = await pushed(reference)
    const { policy, registries } = demand(work.path, registry.host, publicKey)
    const take = (from = reference) =>
      run(
        skopeo,
        '--policy',
        policy,
        '--registries.d',
        registries,
        'copy',
        '--src-tls-verify=false',
        '--remove-signatures',
        from,
        `oci:${work.path}/out:1`,
      )
    expect(() => take()).toThrow(/signature/)
    const options = { registry: settings(), created: 1_700_000_000 }
    await signImage(reference, { ...options, key: await privateKeyFrom(other) })
    expect(() => take()).toThrow(/signature/)
    const signed = await signImage(reference, {
      ...options,
      key: await privateKeyFrom(openKey),
      annotations: { team: 'a<b>&c' },
    })
    expect(signed).toMatchObject({ digest: image.digest, signatures: [{ added: true, form: 'tag' }] })
    take()
    await using sink = await openSink(`docker://${registry.host}/team/app:2`, { registry: settings() })
    await sink.write(image)
    expect(() => take(`docker://${registry.host}/team/app:2`)).toThrow(/signature/)
    take(`docker://${registry.host}/team/app@${image.digest}`)
  })

  test('what skopeo has signed holds here, and stands beside what was signed here', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'))
    const reference = `docker://${registry.host}/team/app:1`
    const image = await pushed(`oci:${work.path}/in:1`)
    const { anything, registries, policy } = demand(work.path, registry.host, publicKey)
    writeFileSync(join(work.path, 'key'), sealedKey)
    writeFileSync(join(work.path, 'passphrase'), sealedPassphrase)
    const sign = (to: string) =>
      run(
        skopeo,
        '--policy',
        anything,
        '--registries.d',
        registries,
        'copy',
        '--dest-tls-verify=false',
        '--preserve-digests',
        '--sign-by-sigstore-private-key',
        join(work.path, 'key'),
        '--sign-passphrase-file',
        join(work.path, 'passphrase'),
        `oci:${work.path}/in:1`,
        to,
      )
    sign(reference)
    const keys = [publicKeyFrom(publicKey)]
    const found = await verifySignatures(reference, { keys, registry: settings() })
    expect(found).toMatchObject({
      image: image.digest,
      signatures: [{ form: 'tag', signedAs: `${registry.host}/team/app:1`, key: keys[0]!.fingerprint }],
    })
    await expect(
      verifySignatures(reference, { keys: [publicKeyFrom(publicOf(other))], registry: settings() }),
    ).rejects.toMatchObject({ code: 'PLY_UNSIGNED' })
    const mine = await signImage(reference, { key: await privateKeyFrom(other), registry: settings() })
    expect(mine.signatures[0]!.added).toBe(true)
    expect(
      (await verifySignatures(reference, { keys: [...keys, publicKeyFrom(publicOf(other))], registry: settings() }))
        .signatures,
    ).toHaveLength(2)
    sign(`docker://${registry.host}/team/app:2`)
    const both = await verifySignatures(`docker://${registry.host}/team/app:2`, { keys, registry: settings() })
    expect(both.signatures.map(({ signedAs }) => signedAs)).toEqual([`${registry.host}/team/app:2`])
    expect(both.refused).toHaveLength(2)
    run(
      skopeo,
      '--policy',
      policy,
      '--registries.d',
      registries,
      'copy',
      '--src-tls-verify=false',
      '--remove-signatures',
      reference,
      `oci:${work.path}/out:1`,
    )
    const tag = `sha256-${image.digest.slice(7)}.sig`
    await using repository = openRepository(reference, settings())
    const manifest = JSON.parse((await repository.manifest(tag))!.raw.toString())
    expect(manifest.layers).toHaveLength(3)
    await using source = await openSource(reference, { registry: settings(), signatures: { keys } })
    expect((await source.image()).digest).toBe(image.digest)
  })

  test('of an index skopeo takes the image that is signed itself: what --recursive is for', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'))
    const reference = await indexAt(registry.host)
    const { policy, registries } = demand(work.path, registry.host, publicKey)
    const take = (...more: string[]) =>
      run(
        skopeo,
        '--policy',
        policy,
        '--registries.d',
        registries,
        'copy',
        ...more,
        '--src-tls-verify=false',
        '--remove-signatures',
        reference,
        `oci:${work.path}/out:1`,
      )
    const signing = { key: await privateKeyFrom(openKey), registry: settings() }
    expect((await signImage(reference, signing)).signatures).toHaveLength(1)
    expect(() => take()).toThrow(/signature/)
    const all = await signImage(reference, { ...signing, recursive: true })
    expect(all.signatures.map(({ added }) => added)).toEqual([false, true, true])
    take()
    take('--all')
  })

  test('a key pair that skopeo has made signs here', async () => {
    await using work = workspace()
    const path = (name: string) => join(work.path, name)
    writeFileSync(path('word'), 'a word')
    run(skopeo, 'generate-sigstore-key', '--output-prefix', path('pair'), '--passphrase-file', path('word'))
    const pair = readFileSync(path('pair.private'))
    const message = Buffer.from('message')
    const key = await privateKeyFrom(pair, { passphrase: 'a word' })
    expect(publicKeyFrom(readFileSync(path('pair.pub'))).verifies(message, key.sign(message))).toBe(true)
  })
})

/** An index of two images, in a registry. */
async function indexAt(host: string): Promise<string> {
  const image = await sampleImage()
  const reference = `docker://${host}/team/app:all`
  await using repository = openRepository(reference, settings())
  const manifests: object[] = []
  for (const architecture of ['amd64', 'arm64'] as const) {
    const one = withPlatform(image, `linux/${architecture}`)
    await using sink = await openSink(`docker://${host}/team/app:${architecture}`, { registry: settings() })
    await sink.write(one)
    manifests.push({ ...one.descriptor, platform: { os: 'linux', architecture } })
  }
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  await repository.putManifest(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })), { tag: 'all' })
  return reference
}
