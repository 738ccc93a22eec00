import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSink, privateKeyFrom, signImage } from 'plyfs'
import { describe, expect } from 'vitest'
import { ply } from '../cli/run-ply.ts'
import { openKey, publicKey } from '../signature/sealed-fixture.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { sampleImage } from '../support/images.ts'
import { settings } from '../transport/registry/setting.ts'
import { debianRegistry } from './debian-registry.ts'
import { run } from './tools.ts'
import { workspace } from './workspace.ts'

const here = hasProgram('docker-registry') && hasProgram('openssl')
if (process.env.CI && !here) throw new Error('docker-registry and openssl have to be there on CI')
const registryTest = testIf(here, 'docker-registry or openssl is not installed')

async function pushed(reference: string) {
  const image = await sampleImage()
  await using sink = await openSink(reference, { registry: settings() })
  await sink.write(image)
  return image
}

describe('signatures, and the tools that are there', () => {
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
