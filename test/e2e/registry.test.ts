import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copy, openRepository, openSink, openSource, openStore, type RegistryOptions } from 'plyfs'
import { describe, expect, test } from 'vitest'
import { append } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { ply } from '../cli/run-ply.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { valuesOf } from '../support/collect.ts'
import { sampleImage, withPlatform } from '../support/images.ts'
import { faultProxy } from '../transport/registry/fault-proxy.ts'
import { noisyImage, settings } from '../transport/registry/setting.ts'
import { debianRegistry, password, username } from './debian-registry.ts'
import { buildah, podman, root, run } from './tools.ts'
import { workspace } from './workspace.ts'

const here = hasProgram('docker-registry') && hasProgram('openssl')
if (process.env.CI && !here) throw new Error('docker-registry and openssl have to be there on CI')
const registryTest = testIf(here, 'docker-registry or openssl is not installed')
const toolsTest = testIf(
  here && root && ['skopeo', 'podman', 'buildah'].every(hasProgram),
  'needs root, docker-registry, skopeo, podman and buildah',
)

const sha256 = (bytes: Uint8Array) => `sha256:${execFileSync('sha256sum', { input: bytes }).toString().slice(0, 64)}`

/** Writes an image into a layout and answers its reference. */
async function layoutOf(directory: string, image: Awaited<ReturnType<typeof sampleImage>>): Promise<string> {
  const reference = `oci:${directory}:it`
  await using sink = await openSink(reference)
  await sink.write(image)
  return reference
}

async function transfer(from: string, to: string, registry: RegistryOptions) {
  await using source = await openSource(from, { registry })
  await using sink = await openSink(to, { registry })
  return await copy(source, sink)
}

describe("Debian's registry", () => {
  registryTest('push, pull, mount, tags, index, referrers by the fallback tag, and deletion', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'))
    const options = settings()
    const image = await sampleImage()
    const from = await layoutOf(join(work.path, 'in'), image)
    const reference = `docker://${registry.host}/team/app:1`
    expect((await transfer(from, reference, options)).digest).toBe(image.digest)
    expect((await transfer(reference, `oci:${join(work.path, 'out')}:1`, options)).digest).toBe(image.digest)
    expect((await transfer(reference, `docker://${registry.host}/other/app:1`, options)).digest).toBe(image.digest)

    const repository = openRepository(reference, options)
    const arm = withPlatform(image, 'linux/arm64')
    await using sink = await openSink(`docker://${registry.host}/team/app:arm`, { registry: options })
    await sink.write(arm)
    const manifests = [image, arm].map(({ descriptor, config: { os, architecture } }) => ({
      ...descriptor,
      platform: { os, architecture },
    }))
    const mediaType = 'application/vnd.oci.image.index.v1+json'
    const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }))
    expect((await repository.putManifest(index, { tag: 'all' })).digest).toBe(sha256(index))
    await using source = await openSource(`docker://${registry.host}/team/app:all`, { registry: options })
    expect((await source.image(undefined, { platform: 'linux/arm64' })).digest).toBe(arm.digest)

    const { digest } = await repository.putBlob(Buffer.from('{}'))
    const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest, size: 2 }
    const manifest = {
      schemaVersion: 2,
      mediaType: image.descriptor.mediaType,
      artifactType: 'test/x',
      config,
      layers: [config],
    }
    const artifact = await repository.putManifest(
      Buffer.from(JSON.stringify({ ...manifest, subject: image.descriptor })),
    )
    const referrers: string[] = []
    for await (const one of repository.referrers(image.digest)) referrers.push(one.digest)
    expect(referrers).toEqual([artifact.digest])

    const tags: string[] = []
    for await (const tag of repository.tags({ pageSize: 2 })) tags.push(tag)
    expect(tags.sort()).toEqual(['1', 'all', 'arm', `sha256-${image.digest.slice(7)}`])
    expect(await repository.delete(arm.digest)).toBe(true)
    expect(await repository.resolve('arm')).toBeUndefined()
    expect(await repository.delete(arm.digest)).toBe(false)
  })

  registryTest(
    'with TLS and a password: login, push and pull on the command line, and nothing of it in what is said',
    async () => {
      await using work = workspace()
      await using registry = await debianRegistry(join(work.path, 'registry'), { secured: true })
      const environment = {
        HOME: work.path,
        XDG_RUNTIME_DIR: join(work.path, 'run'),
        XDG_CACHE_HOME: join(work.path, 'cache'),
      }
      const said: string[] = []
      const command = async (argv: readonly string[], stdin?: string) => {
        const answer = await ply([...argv, '--root', join(work.path, 'store')], {
          environment,
          ...(stdin !== undefined && { stdin }),
        })
        said.push(answer.out, answer.err)
        return answer
      }
      const image = await sampleImage()
      const from = await layoutOf(join(work.path, 'in'), image)
      const name = `${registry.host}/team/app:1`
      const trust = ['--cert-dir', registry.certDirectory]
      expect(await command(['copy', from, `docker://${name}`])).toMatchObject({
        code: 10,
        err: expect.stringContaining('--cert-dir'),
      })
      expect(await command(['copy', from, `docker://${name}`, ...trust])).toMatchObject({
        code: 3,
        err: expect.stringContaining('ply login'),
      })
      expect(
        await command(['login', registry.host, '-u', username, '--password-stdin', ...trust], 'wrong\n'),
      ).toMatchObject({ code: 3 })
      expect(
        await command(['login', registry.host, '-u', username, '--password-stdin', ...trust], `${password}\n`),
      ).toMatchObject({ code: 0 })
      expect((await command(['copy', from, `docker://${name}`, ...trust])).out).toBe(`${image.digest}\n`)
      expect((await command(['load', `docker://${name}`, '--tls-verify=false'])).out).toBe(`${name} ${image.digest}\n`)
      expect((await command(['save', name, `docker://${registry.host}/again:2`, ...trust])).out).toBe(
        `${image.digest}\n`,
      )
      expect((await command(['cat', `docker://${registry.host}/again:2`, '/etc/motd', ...trust])).out).toBe('changed\n')
      expect(JSON.parse((await command(['inspect', `docker://${name}`, ...trust])).out)[0].digest).toBe(image.digest)
      expect(await command(['inspect', `docker://${name}x`, '--json', ...trust])).toMatchObject({
        code: 3,
        out: expect.stringContaining('PLY_IMAGE_NOT_FOUND'),
      })
      expect(await command(['logout', registry.host])).toMatchObject({ code: 0 })
      expect(await command(['logout', registry.host])).toMatchObject({ code: 1 })
      expect(
        await command(['inspect', `docker://${name}`, '--json', '--creds', `${username}:nope-7`, ...trust]),
      ).toMatchObject({ code: 3 })
      for (const secret of [password, Buffer.from(`${username}:${password}`).toString('base64'), 'nope-7'])
        for (const text of said) expect(text).not.toContain(secret)
    },
  )

  registryTest('tags, what is attached, and deletion of a tag alone, on the command line', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'))
    const environment = { HOME: work.path, XDG_RUNTIME_DIR: work.path }
    const command = async (...argv: string[]) => {
      const answer = await ply([...argv, '--root', join(work.path, 'store')], { environment })
      return answer.code === 0 ? answer.out : `${answer.code} ${answer.err}`
    }
    const image = await sampleImage()
    const from = await layoutOf(join(work.path, 'in'), image)
    const repository = `docker://${registry.host}/team/app`
    for (const tag of ['1', '2']) await command('copy', from, `${repository}:${tag}`)
    expect(await command('tags', repository)).toBe('1\n2\n')
    expect(await command('tags', `docker://${registry.host}/team/none`)).toMatch(/^3 .*team\/none/)

    const file = join(work.path, 'sbom.json')
    writeFileSync(file, '{"bill": "of materials"}')
    const attach = ['attach', `${repository}:1`, file, '--type', 'application/spdx+json', '-a', 'by=us']
    const attached = (await command(...attach)).trim()
    expect(await command(...attach)).toBe(`${attached}\n`)
    const [referrer] = JSON.parse(await command('referrers', `${repository}:2`, '--json'))
    expect(referrer).toMatchObject({
      digest: attached,
      artifactType: 'application/spdx+json',
      annotations: { by: 'us' },
    })
    expect(await command('referrers', `${repository}:2`, '-q', '--type', 'application/x')).toBe('')
    const [shown] = JSON.parse(await command('inspect', '--all', `${repository}@${attached}`))
    expect(shown).toMatchObject({ digest: attached, document: { subject: { digest: image.digest } } })
    expect(await command('copy', '--all', `${repository}@${attached}`, `oci:${work.path}/sbom:it`)).toBe(
      `${attached}\n`,
    )

    // It deletes manifests only, with all their tags.
    expect(await command('rmi', `${repository}:1`)).toBe(`${repository}:1\n`)
    expect(await command('inspect', `${repository}:1`)).toMatch(/^3 /)
    expect(JSON.parse(await command('inspect', `${repository}:2`))[0].digest).toBe(image.digest)
    expect((await command('tags', repository)).split('\n')).not.toContain('1')
    expect(await command('rmi', `${repository}:1`)).toMatch(/^3 /)
    expect(await command('rmi', repository)).toMatch(/^2 .*TAG/)
    expect(await command('rmi', `${repository}@${image.digest}`)).toContain(image.digest)
    expect(await command('inspect', `${repository}:2`)).toMatch(/^3 /)
  })

  registryTest('large blobs in pieces, and blobs of another repository without any', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'))
    const image = noisyImage(3 << 20)
    await using sink = await openSink(`docker://${registry.host}/one:1`, {
      registry: settings({ uploadPiece: 400_000 }),
    })
    expect((await sink.write(image)).digest).toBe(image.digest)
    await using other = openRepository(`docker://${registry.host}/two`, settings())
    const layer = Buffer.concat(await valuesOf(image.layers[0]!.compressed()))
    expect(await other.putBlob(layer, { mountFrom: ['none', 'one'] })).toMatchObject({ how: 'mounted' })
    expect(await other.putBlob(layer)).toMatchObject({ how: 'there' })
    expect(await other.putBlob(Buffer.from('new'), { mountFrom: ['one'] })).toMatchObject({ how: 'sent' })
  })

  registryTest('certificates of the one host are found where podman and docker keep them', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'), { secured: true })
    const environment = { HOME: work.path, XDG_RUNTIME_DIR: work.path }
    const from = await layoutOf(join(work.path, 'in'), await sampleImage())
    const copyIt = ['copy', from, `docker://${registry.host}/app:1`, '--creds', `${username}:${password}`]
    expect(await ply(copyIt, { environment })).toMatchObject({ code: 10 })
    const directory = join(work.path, '.config/containers/certs.d', registry.host)
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'ca.crt'), registry.certificates!.ca)
    expect(await ply(copyIt, { environment })).toMatchObject({ code: 0 })
  })

  registryTest('looking at one small layer of a large image transfers it alone', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'))
    const proxy = await faultProxy(Number(registry.host.split(':')[1]), {})
    const environment = { HOME: work.path, XDG_RUNTIME_DIR: work.path }
    const base = noisyImage(8 << 20)
    const image = append(base, layerFrom({ '/etc/top': 'small' }), { created_by: 'top' })
    await using sink = await openSink(`docker://${registry.host}/app:1`, { registry: settings() })
    await sink.write(image)
    const reference = `docker://${proxy.host}/app:1`
    for (const [argv, out] of [
      [['inspect', '--raw', reference], Buffer.from(image.rawManifest).toString()],
      [['history', reference, '-q'], undefined],
      [['ls', reference, '/etc', '--alone'], 'top\n'],
      [['cat', reference, '/etc/top'], 'small'],
    ] as const) {
      const before = proxy.down()
      const answer = await ply(argv, { environment })
      expect(answer, argv[0]).toMatchObject({ code: 0, ...(out !== undefined && { out }) })
      expect(proxy.down() - before, argv[0]).toBeLessThan(1 << 20)
    }
  })

  // It keeps nothing of a request that broke off: on the way up only a network that recovers lets a blob through.
  registryTest('a connection that is cut every 64 KiB on the way down, and three times on the way up', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'))
    const port = Number(registry.host.split(':')[1])
    const up = await faultProxy(port, { cutUpAfter: 1 << 20, mercyAfter: 3 })
    const down = await faultProxy(port, { cutDownAfter: 64 << 10 })
    const image = noisyImage(6 << 20)
    await using sink = await openSink(`docker://${up.host}/app:1`, { registry: settings() })
    expect((await sink.write(image)).digest).toBe(image.digest)
    await using store = await openStore(join(work.path, 'store'))
    await using source = await openSource(`docker://${down.host}/app:1`, { registry: settings() })
    expect((await copy(source, store, { as: 'app' })).digest).toBe(image.digest)
    expect(up.cuts()).toBeGreaterThanOrEqual(3)
    expect(down.cuts()).toBeGreaterThan(60)
  })
})

describe('beside skopeo, podman and buildah', () => {
  toolsTest('they pull what was pushed here, and what they push is pulled here, with the same digests', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'), { secured: true })
    const options = { ...settings({ certDirectory: registry.certDirectory }), authFile: join(work.path, 'auth.json') }
    const auth = Buffer.from(`${username}:${password}`).toString('base64')
    writeFileSync(options.authFile, JSON.stringify({ auths: { [registry.host]: { auth } } }))
    const image = await sampleImage()
    const from = await layoutOf(join(work.path, 'in'), image)
    const name = `${registry.host}/team/app:1`
    await transfer(from, `docker://${name}`, options)

    const access = ['--authfile', options.authFile, '--cert-dir', registry.certDirectory]
    const raw = execFileSync('skopeo', ['inspect', '--raw', ...access, `docker://${name}`])
    expect(raw).toEqual(Buffer.from(image.rawManifest))
    run(
      'skopeo',
      'copy',
      '-q',
      '--preserve-digests',
      '--src-authfile',
      options.authFile,
      '--src-cert-dir',
      registry.certDirectory,
      `docker://${name}`,
      `oci:${join(work.path, 'theirs')}:1`,
    )
    expect(JSON.parse(readFileSync(join(work.path, 'theirs/index.json'), 'utf8')).manifests[0].digest).toBe(
      image.digest,
    )
    for (const [tool, pushed] of [
      [podman, 'podman'],
      [buildah, 'buildah'],
    ] as const) {
      const storage = join(work.path, pushed)
      mkdirSync(storage)
      tool(storage, 'pull', '-q', ...access, name)
      expect(tool(storage, 'images', '--digests', '--format', '{{.Digest}}').trim()).toBe(image.digest)
      const digestFile = join(storage, 'digest')
      tool(
        storage,
        'push',
        '-q',
        ...access,
        '--digestfile',
        digestFile,
        name,
        `docker://${registry.host}/by/${pushed}:1`,
      )
      const { digest } = await transfer(
        `docker://${registry.host}/by/${pushed}:1`,
        `oci:${join(work.path, `from-${pushed}`)}:1`,
        options,
      )
      expect(digest).toBe(readFileSync(digestFile, 'utf8').trim())
    }
    run(
      'skopeo',
      'copy',
      '-q',
      '--format',
      'v2s2',
      '--dest-authfile',
      options.authFile,
      '--dest-cert-dir',
      registry.certDirectory,
      from,
      `docker://${registry.host}/by/skopeo:1`,
    )
    const docker = execFileSync('skopeo', ['inspect', '--raw', ...access, `docker://${registry.host}/by/skopeo:1`])
    const there = await transfer(`docker://${registry.host}/by/skopeo:1`, `docker://${registry.host}/by/us:1`, options)
    expect(there).toMatchObject({
      digest: sha256(docker),
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    })
    expect(execFileSync('skopeo', ['inspect', '--raw', ...access, `docker://${registry.host}/by/us:1`])).toEqual(docker)
  })

  toolsTest('indexes go from here to them and back whole, with the same digests', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'))
    const environment = { HOME: work.path, XDG_RUNTIME_DIR: work.path }
    const image = await sampleImage()
    const layouts: string[] = []
    for (const platform of ['linux/amd64', 'linux/arm64'])
      layouts.push(await layoutOf(join(work.path, platform.slice(6)), withPlatform(image, platform)))
    const name = `${registry.host}/team/multi:1`
    const made = await ply(['index', 'create', `docker://${name}`, ...layouts, '--root', join(work.path, 'store')], {
      environment,
    })
    const digest = made.out.trim()
    const plain = ['--src-tls-verify=false', '--dest-tls-verify=false']
    run(
      'skopeo',
      'copy',
      '-q',
      '--all',
      '--preserve-digests',
      ...plain,
      `docker://${name}`,
      `oci:${work.path}/theirs:1`,
    )
    const index = JSON.parse(readFileSync(join(work.path, 'theirs/index.json'), 'utf8'))
    expect(index.manifests[0].digest).toBe(digest)
    run(
      'skopeo',
      'copy',
      '-q',
      '--all',
      '--preserve-digests',
      ...plain,
      `oci:${work.path}/theirs:1`,
      `docker://${registry.host}/by/skopeo:1`,
    )
    const back = await ply(['copy', '--all', `docker://${registry.host}/by/skopeo:1`, `oci:${work.path}/back:1`], {
      environment,
    })
    expect(back.out.trim()).toBe(digest)

    const storage = join(work.path, 'podman')
    mkdirSync(storage)
    const inspected = JSON.parse(run('skopeo', 'inspect', '--raw', '--tls-verify=false', `docker://${name}`))
    expect(inspected.manifests.map(({ platform }: { platform: object }) => platform)).toEqual([
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm64', os: 'linux' },
    ])
    podman(storage, 'pull', '-q', '--tls-verify=false', '--platform', 'linux/arm64', name)
    expect(podman(storage, 'image', 'inspect', '--format', '{{.Architecture}}', name).trim()).toBe('arm64')
    podman(storage, 'manifest', 'create', 'theirs')
    podman(storage, 'manifest', 'add', '--all', '--tls-verify=false', 'theirs', `docker://${name}`)
    podman(
      storage,
      'manifest',
      'push',
      '--all',
      '--tls-verify=false',
      'theirs',
      `docker://${registry.host}/by/podman:1`,
    )
    const theirs = execFileSync('skopeo', [
      'inspect',
      '--raw',
      '--tls-verify=false',
      `docker://${registry.host}/by/podman:1`,
    ])
    const fromPodman = await ply(
      ['copy', '--all', `docker://${registry.host}/by/podman:1`, `oci:${work.path}/podman-back:1`],
      { environment },
    )
    expect(fromPodman.out.trim()).toBe(sha256(theirs))
  })

  toolsTest('who logs in with podman is logged in here, and the other way round', async () => {
    await using work = workspace()
    await using registry = await debianRegistry(join(work.path, 'registry'), { secured: true })
    const authFile = join(work.path, 'auth.json')
    const trust = ['--cert-dir', registry.certDirectory]
    const environment = { HOME: work.path, REGISTRY_AUTH_FILE: authFile }
    const image = await sampleImage()
    const from = await layoutOf(join(work.path, 'in'), image)
    run('podman', 'login', '--authfile', authFile, ...trust, '-u', username, '-p', password, registry.host)
    expect(await ply(['copy', from, `docker://${registry.host}/app:1`, ...trust], { environment })).toMatchObject({
      code: 0,
    })
    run('podman', 'logout', '--authfile', authFile, registry.host)
    expect(await ply(['inspect', `docker://${registry.host}/app:1`, ...trust], { environment })).toMatchObject({
      code: 3,
    })
    const login = ['login', registry.host, '-u', username, '--password-stdin', ...trust]
    expect(await ply(login, { environment, stdin: password })).toMatchObject({ code: 0 })
    expect(run('podman', 'login', '--authfile', authFile, '--get-login', registry.host).trim()).toBe(username)
    run('skopeo', 'inspect', '--authfile', authFile, ...trust, `docker://${registry.host}/app:1`)
  })
})

test('what runs here without a registry is said', () => {
  if (!here) console.log('skipped: the tests with docker-registry: it, or openssl, is not installed')
})
