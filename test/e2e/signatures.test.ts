import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRepository, openSink, openSource, privateKeyFrom, publicKeyFrom, signImage, verifySignatures } from 'plyfs'
import { describe, expect } from 'vitest'
import { ply } from '../cli/run-ply.ts'
import { openKey, publicKey, sealedKey, sealedPassphrase } from '../signature/sealed-fixture.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { sampleImage, withPlatform } from '../support/images.ts'
import { settings } from '../transport/registry/setting.ts'
import { debianRegistry } from './debian-registry.ts'
import { run } from './tools.ts'
import { workspace } from './workspace.ts'

const here = hasProgram('docker-registry') && hasProgram('openssl')
if (process.env.CI && !here) throw new Error('docker-registry and openssl have to be there on CI')
/** Debian builds skopeo and podman without sigstore; PLYFS_SKOPEO names one that has it. */
const skopeo = process.env.PLYFS_SKOPEO ?? 'skopeo'
const able = here && makesKeys(skopeo)
const skopeoTest = testIf(
  able,
  'needs a skopeo with sigstore, named by PLYFS_SKOPEO, beside docker-registry and openssl',
)
const registryTest = testIf(here, 'docker-registry or openssl is not installed')

/** Asked for help, one without the command is as content as one with it. */
function makesKeys(program: string): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'plyfs-e2e-'))
  try {
    writeFileSync(join(directory, 'word'), 'word')
    const prefix = join(directory, 'pair')
    const args = ['generate-sigstore-key', '--output-prefix', prefix, '--passphrase-file', join(directory, 'word')]
    return spawnSync(program, args).status === 0 && existsSync(`${prefix}.pub`)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

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

describe('signatures, and the tools that are there', () => {
  skopeoTest('skopeo takes what was signed here, and nothing else', async () => {
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

  skopeoTest('what skopeo has signed holds here, and stands beside what was signed here', async () => {
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

  skopeoTest('of an index skopeo takes the image that is signed itself: what --recursive is for', async () => {
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

  skopeoTest('a key pair that skopeo has made signs here', async () => {
    await using work = workspace()
    const path = (name: string) => join(work.path, name)
    writeFileSync(path('word'), 'a word')
    run(skopeo, 'generate-sigstore-key', '--output-prefix', path('pair'), '--passphrase-file', path('word'))
    const pair = readFileSync(path('pair.private'))
    const message = Buffer.from('message')
    try {
      const key = await privateKeyFrom(pair, { passphrase: 'a word' })
      expect(publicKeyFrom(readFileSync(path('pair.pub'))).verifies(message, key.sign(message))).toBe(true)
    } catch (error) {
      expect(error).toMatchObject({ code: 'PLY_UNSUPPORTED' })
    }
  })

  for (const form of ['tag', 'referrers'] as const) {
    registryTest(`openssl finds a signature right that lies in the registry (${form})`, async () => {
      await using work = workspace()
      await using registry = await debianRegistry(join(work.path, 'registry'))
      const reference = `docker://${registry.host}/team/app:1`
      const image = await pushed(reference)
      const options = { key: await privateKeyFrom(openKey), registry: settings(), form }
      const { signatures } = await signImage(reference, options)
      const get = async (path: string) => {
        const headers = {
          accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json',
        }
        const answer = await fetch(`http://${registry.host}/v2/team/app/${path}`, { headers })
        expect(answer.status).toBe(200)
        return Buffer.from(await answer.arrayBuffer())
      }
      const hex = image.digest.slice(7)
      const under =
        form === 'tag'
          ? `sha256-${hex}.sig`
          : JSON.parse((await get(`manifests/sha256-${hex}`)).toString()).manifests[0].digest
      const raw = await get(`manifests/${under}`)
      expect(`sha256:${createHash('sha256').update(raw).digest('hex')}`).toBe(signatures[0]!.manifest)
      const manifest = JSON.parse(raw.toString())
      const [layer] = manifest.layers
      const payload = await get(`blobs/${layer.digest}`)
      expect(JSON.parse(payload.toString())).toMatchObject({
        critical: {
          identity: { 'docker-reference': `${registry.host}/team/app:1` },
          image: { 'docker-manifest-digest': image.digest },
          type: 'cosign container image signature',
        },
      })
      const file = (name: string, content: Uint8Array | string) => {
        writeFileSync(join(work.path, name), content)
        return join(work.path, name)
      }
      const signature = Buffer.from(layer.annotations['dev.cosignproject.cosign/signature'], 'base64')
      const said = run(
        'openssl',
        'dgst',
        '-sha256',
        '-verify',
        file('pub', publicKey),
        '-signature',
        file('sig', signature),
        file('payload', payload),
      )
      expect(said.trim()).toBe('Verified OK')
      if (form === 'referrers') expect(manifest.subject.digest).toBe(image.digest)
      const signatureAgain = await signImage(reference, options)
      expect(signatureAgain.signatures).toMatchObject([{ added: false }])
    })
  }

  registryTest(
    'the command signs, verifies, and lets in only what is signed; what it is told stays secret',
    async () => {
      await using work = workspace()
      await using registry = await debianRegistry(join(work.path, 'registry'))
      const reference = `docker://${registry.host}/team/app:1`
      const image = await pushed(reference)
      const path = (name: string) => join(work.path, name)
      run(
        'openssl',
        'genpkey',
        '-algorithm',
        'EC',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-aes256',
        '-pass',
        'pass:hidden-word',
        '-out',
        path('key'),
      )
      writeFileSync(
        path('pub'),
        execFileSync('openssl', ['pkey', '-in', path('key'), '-passin', 'pass:hidden-word', '-pubout']),
      )
      writeFileSync(path('other.pub'), publicKey)
      writeFileSync(path('word'), 'hidden-word\n')
      const all: string[] = []
      const command = async (argv: readonly string[], environment: NodeJS.ProcessEnv = {}) => {
        const answer = await ply([...argv, '--root', path('store')], {
          stdin: '',
          environment: {
            HOME: work.path,
            XDG_RUNTIME_DIR: work.path,
            CONTAINERS_REGISTRIES_CONF: '/dev/null',
            PLY_LOG: 'debug',
            ...environment,
          },
        })
        all.push(answer.out, answer.err)
        return answer
      }
      const load = (...more: string[]) => command(['load', reference, '--require-signature', path('pub'), ...more])
      expect(await load()).toMatchObject({ code: 4, err: expect.stringContaining('no signature vouches for') })
      expect((await command(['images', '-q'])).out).toBe('')
      expect(await command(['sign', reference, '--key', path('key')])).toMatchObject({ code: 2 })
      expect(await command(['sign', reference, '--key', path('key')], { PLY_PASSPHRASE: 'wrong-word' })).toMatchObject({
        code: 2,
      })
      const signed = await command([
        'sign',
        reference,
        '--key',
        path('key'),
        '--passphrase-file',
        path('word'),
        '-a',
        'team=blue',
      ])
      expect(signed).toMatchObject({ code: 0, out: `${image.digest}\n` })
      expect(
        await command(['sign', reference, '--key', path('key'), '-a', 'team=blue', '--json'], {
          COSIGN_PASSWORD: 'hidden-word',
        }),
      ).toMatchObject({ code: 0, out: expect.stringContaining('"added": false') })
      const verify = (...more: string[]) => command(['verify', reference, '--key', path('pub'), ...more])
      expect(await verify('-q')).toMatchObject({ code: 0, out: `${image.digest}\n` })
      expect(JSON.parse((await verify('--json', '-a', 'team=blue')).out)).toMatchObject({
        digest: image.digest,
        signatures: [{ optional: { team: 'blue' } }],
      })
      for (const more of [
        ['-a', 'team=red'],
        ['--signed-as', 'example.com/app'],
      ])
        expect(await verify(...more)).toMatchObject({ code: 4 })
      expect(await command(['verify', reference, '--key', path('other.pub')])).toMatchObject({ code: 4 })
      expect(await command(['verify', reference, '--key', path('key')])).toMatchObject({ code: 2 })
      expect(await load('--signed-as', 'example.com/app')).toMatchObject({ code: 4 })
      expect(await load()).toMatchObject({ code: 0 })
      expect(await command(['ls', reference, '/', '--require-signature', path('other.pub')])).toMatchObject({ code: 4 })
      expect(await command(['ls', reference, '/', '--require-signature', path('pub')])).toMatchObject({ code: 0 })
      expect(
        await command(['copy', reference, `oci:${path('out')}:1`, '--require-signature', path('pub')]),
      ).toMatchObject({ code: 0 })
      const far = `docker://${registry.host}/far/app:1`
      expect(await command(['copy', reference, far, '--signatures', '--require-signature', path('pub')])).toMatchObject(
        { code: 0 },
      )
      const copied = ['verify', far, '--key', path('pub')]
      expect(await command(copied)).toMatchObject({ code: 4 })
      expect(await command([...copied, '--signed-as', `${registry.host}/team/app:1`])).toMatchObject({ code: 0 })
      const layout = `oci:${path('whole')}:1`
      expect(await command(['copy', '--all', reference, layout, '--signatures'])).toMatchObject({ code: 0 })
      expect(await command(['copy', '--all', layout, `dir:${path('dir')}`, '--signatures'])).toMatchObject({ code: 5 })
      expect(await command(['copy', layout, 'again:1', '--require-signature', path('pub')])).toMatchObject({ code: 0 })
      for (const more of [[], ['--all']])
        expect(await command(['copy', ...more, 'again:1', layout, '--require-signature', path('pub')])).toMatchObject({
          code: 4,
        })
      expect(all.join('')).not.toMatch(/hidden-word|wrong-word/)
    },
  )
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
