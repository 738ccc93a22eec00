import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Image } from '../../../src/image/image.ts'
import { digestOf } from '../../../src/model/digest.ts'
import { openSource } from '../../../src/transport/open.ts'
import { retryAfter } from '../../../src/transport/registry/patience.ts'
import { prompt } from '../../support/prompt.ts'
import { temporary } from '../../support/temporary.ts'
import { hasTool, isRootFor } from '../../support/tools.ts'
import { makeCertificates } from './certificates.ts'
import { faultProxy } from './fault-proxy.ts'
import { ownRegistry, serve } from './own-registry.ts'
import { allOf, digestsOf, halfBlobs, namesOf, noisyImage, pull, push, seed, settings } from './setting.ts'

const secret = 'never-shown-4711'
const canMount =
  isRootFor('a disk without room for half blobs', 'mount a small one') && hasTool('unshare', '--mount', 'true')
const me = { kind: 'password', username: 'me', password: secret } as const

/** Milliseconds: longer than a busy machine keeps two parts of one process from talking to each other. */
const silence = 500

const isBlob = ({ method, url = '' }: IncomingMessage) => method === 'GET' && /\/blobs\/sha256:/.test(url)

/** A registry that does something to every n-th request for a blob, and has an image. */
async function flaky(
  image: Image,
  fault: (nth: number, request: IncomingMessage, response: ServerResponse) => boolean,
) {
  let asked = 0
  const registry = await ownRegistry({
    before: (request, response) => isBlob(request) && fault(++asked, request, response),
  })
  await seed(registry, image, 'app', '1')
  return { registry, reference: `docker://${registry.host}/app:1` }
}

describe('a bad network', () => {
  test('a connection that is cut after every 64 KiB brings an image, and no byte twice', async () => {
    const registry = await ownRegistry()
    const image = noisyImage(2 << 20)
    await seed(registry, image, 'app', '1')
    const proxy = await faultProxy(registry.port, { cutDownAfter: 64 << 10 })
    const pulled = await pull(`docker://${proxy.host}/app:1`, settings())
    expect(digestsOf(pulled)).toEqual(namesOf(image.layers))
    expect(proxy.cuts()).toBeGreaterThan(30)
    const resumed = registry.seen.filter(({ headers }) => headers.range !== undefined)
    const starts = resumed.map(({ path, headers }) => `${path} ${headers.range}`)
    expect(new Set(starts).size).toBe(starts.length)
  })

  test('a push that is cut goes on from where the registry has it', async () => {
    const registry = await ownRegistry()
    const image = noisyImage(6 << 20)
    const proxy = await faultProxy(registry.port, { cutUpAfter: 1 << 20 })
    await push(image, `docker://${proxy.host}/app:1`, settings({ jobs: 1 }))
    expect(proxy.cuts()).toBeGreaterThan(4)
    const ranges = registry.seen.flatMap(({ headers }) => headers['content-range'] ?? [])
    expect(ranges.filter((range) => !range.startsWith('0-')).length).toBeGreaterThan(2)
    for (const { descriptor } of image.layers)
      expect(digestOf(registry.blobs.get(descriptor.digest)!)).toBe(descriptor.digest)
  })

  test('a server that knows no ranges is read again, and given up where nothing is gained', async () => {
    const image = noisyImage()
    const { registry, reference } = await flaky(image, (nth, request, response) => {
      delete request.headers.range
      const content = registry.blobs.get(request.url!.split('/').at(-1)!)!
      if (nth > 3) return false
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 100_000), () => response.destroy())
      return true
    })
    expect(digestsOf(await pull(reference, settings()))).toEqual(namesOf(image.layers))
    const never = await flaky(image, (_nth, request, response) => {
      const content = never.registry.blobs.get(request.url!.split('/').at(-1)!)!
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 100), () => response.destroy())
      return true
    })
    await expect(pull(never.reference, settings())).rejects.toMatchObject({ code: 'PLY_UNREACHABLE' })
  })

  for (const status of [429, 500, 502, 503, 408]) {
    test(`${status} is waited for, and told if it does not pass`, async () => {
      const image = noisyImage()
      const { reference } = await flaky(image, (nth, _, response) => {
        if (nth % 3 === 0) return false
        response.writeHead(status, { 'retry-after': '0' }).end('not JSON')
        return true
      })
      expect(digestsOf(await pull(reference, settings()))).toEqual(namesOf(image.layers))
      const { reference: dead } = await flaky(image, (_nth, _request, response) => {
        response.writeHead(status, status === 429 ? { 'retry-after': '3600' } : {})
        response.end(JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] }))
        return true
      })
      const start = performance.now()
      const code = status === 429 ? 'PLY_RATE_LIMITED' : 'PLY_REGISTRY'
      await expect(pull(dead, settings())).rejects.toMatchObject({
        code,
        message: expect.stringContaining('slow down'),
      })
      expect(performance.now() - start).toBeLessThan(3 * prompt)
    })
  }

  test('a slow drip is cut and begun anew, and ends in bounded time', async () => {
    const { reference } = await flaky(noisyImage(), (_, request, response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write('x'), 5)
      request.socket.on('close', () => clearInterval(drip))
      return true
    })
    const patience = { silence, slowest: 100_000, attempts: 3 }
    const start = performance.now()
    await expect(pull(reference, settings({ patience }))).rejects.toMatchObject({
      code: 'PLY_UNREACHABLE',
      message: expect.stringContaining('bytes a second'),
    })
    expect(performance.now() - start).toBeLessThan(3 * silence + 3 * prompt)
  })

  test('silence is not waited for without end', async () => {
    const { reference } = await flaky(noisyImage(), () => true)
    await expect(pull(reference, settings({ patience: { silence, attempts: 2 } }))).rejects.toMatchObject({
      code: 'PLY_UNREACHABLE',
      message: expect.stringContaining('no answer'),
    })
  })

  test('nobody listens: told at once', async () => {
    const start = performance.now()
    await expect(pull('docker://127.0.0.1:1/app:1', settings())).rejects.toMatchObject({ code: 'PLY_UNREACHABLE' })
    expect(performance.now() - start).toBeLessThan(3 * prompt)
    // How long it takes to learn that a name does not exist is up to who is asked.
    await expect(pull('docker://nowhere.invalid/app:1', settings())).rejects.toMatchObject({ code: 'PLY_UNREACHABLE' })
  })

  test('how long to wait is read as seconds and as a date', () => {
    expect(retryAfter('7')).toBe(7000)
    expect(retryAfter('Sun, 06 Nov 1994 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 30))).toBe(7000)
    for (const odd of [undefined, '', '-1', 'soon', 'Sun, 06 Nov 1994 08:49:37 GMT']) expect(retryAfter(odd)).toBe(0)
  })
})

describe('wrong bytes', () => {
  test('a blob of another length, another digest, a manifest of another digest: each has its code', async () => {
    const image = noisyImage()
    const { reference: short } = await flaky(image, (_nth, _request, response) => {
      response.writeHead(200, { 'content-length': 5 }).end('short')
      return true
    })
    await expect(pull(short, settings())).rejects.toMatchObject({ code: 'PLY_SIZE_MISMATCH' })
    const changed = await flaky(image, (_, request, response) => {
      const content = Buffer.from(changed.registry.blobs.get(request.url!.split('/').at(-1)!)!)
      content[content.length >> 1]! ^= 1
      serve(request, response, content)
      return true
    })
    const options = settings()
    await expect(pull(changed.reference, options)).rejects.toMatchObject({ code: 'PLY_DIGEST_MISMATCH' })
    const endless = await flaky(image, (_, request, response) => {
      const content = endless.registry.blobs.get(request.url!.split('/').at(-1)!)!
      response.writeHead(200)
      response.end(Buffer.concat([content, Buffer.alloc(100_000)]))
      return true
    })
    await expect(pull(endless.reference, settings())).rejects.toMatchObject({ code: 'PLY_SIZE_MISMATCH' })
    const { registry } = changed
    registry.manifests.set(`app ${image.digest}`, { raw: Buffer.from('{"schemaVersion":2}'), type: 'x' })
    await expect(pull(`docker://${registry.host}/app@${image.digest}`, settings())).rejects.toMatchObject({
      code: 'PLY_DIGEST_MISMATCH',
    })
  })

  test('a manifest that is called an index, and one of schema 1, are refused by name', async () => {
    const registry = await ownRegistry()
    const image = noisyImage(1000)
    const raw = Buffer.from(image.rawManifest)
    registry.manifests.set('app 1', { raw, type: 'application/vnd.oci.image.index.v1+json' })
    await expect(pull(`docker://${registry.host}/app:1`, settings())).rejects.toMatchObject({
      code: 'PLY_BAD_DOCUMENT',
    })
    const old = {
      raw: Buffer.from('{"schemaVersion":1,"fsLayers":[]}'),
      type: 'application/vnd.docker.distribution.manifest.v1+json',
    }
    registry.manifests.set('app 0', old)
    await expect(pull(`docker://${registry.host}/app:0`, settings())).rejects.toMatchObject({ code: 'PLY_UNSUPPORTED' })
  })
})

describe('half a blob', () => {
  const partOf = (directory: string, image: Image) =>
    join(directory, `${image.layers[0]!.descriptor.digest.slice(7)}.part`)

  test('waits for the next attempt, which fetches the rest of it', async () => {
    const image = noisyImage()
    let dead = true
    const { registry, reference } = await flaky(image, (_, request, response) => {
      const content = registry.blobs.get(request.url!.split('/').at(-1)!)!
      if (!dead || content.length < 10_000) return false
      if (request.headers.range === undefined) {
        response.writeHead(200, { 'content-length': content.length })
        response.write(content.subarray(0, 300_000), () => response.destroy())
      } else response.writeHead(404).end()
      return true
    })
    const options = settings({ jobs: 1 })
    await expect(pull(reference, options)).rejects.toMatchObject({ code: expect.stringMatching(/^PLY_/) })
    const left = statSync(partOf(options.partialDirectory as string, image))
    expect(left.size).toBeGreaterThan(100_000)
    expect(left.mode & 0o777).toBe(0o600)
    dead = false
    registry.seen.length = 0
    expect(digestsOf(await pull(reference, options))).toEqual(namesOf(image.layers))
    expect(registry.seen.flatMap(({ headers }) => headers.range ?? [])).toContain(`bytes=${left.size}-`)
    expect(halfBlobs(options.partialDirectory as string)).toEqual([])
  })

  test('that is damaged, or too long, or of somebody else, is fetched anew', async () => {
    const image = noisyImage()
    const { size } = image.layers[0]!.descriptor
    for (const left of [Buffer.alloc(1000, 'x'), Buffer.alloc(size, 'y'), Buffer.alloc(size + 10, 'z')]) {
      const { reference } = await flaky(image, () => false)
      const options = settings()
      const directory = options.partialDirectory as string
      mkdirSync(directory)
      writeFileSync(partOf(directory, image), left)
      expect(digestsOf(await pull(reference, options))).toEqual(namesOf(image.layers))
      expect(halfBlobs(directory)).toEqual([])
    }
  })

  test('where nothing can be kept, an image is fetched all the same', async () => {
    const image = noisyImage()
    const { reference } = await flaky(image, () => false)
    for (const partialDirectory of ['/dev/null/x', false] as const)
      expect(digestsOf(await pull(reference, settings({ partialDirectory })))).toEqual(namesOf(image.layers))
  })

  test.skipIf(!canMount)('where there is no room to keep it, it is fetched all the same', async () => {
    const image = noisyImage(3 << 20)
    const { reference } = await flaky(image, () => false)
    const directory = temporary()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', directory])
    try {
      const options = settings({ partialDirectory: join(directory, 'partial') })
      expect(digestsOf(await pull(reference, options))).toEqual(namesOf(image.layers))
      expect(halfBlobs(join(directory, 'partial'))).toEqual([])
    } finally {
      execFileSync('umount', [directory])
    }
  })

  test('two that fetch the same at once both get it', async () => {
    const image = noisyImage()
    const { reference } = await flaky(image, () => false)
    const options = settings()
    const pulled = await Promise.all([pull(reference, options), pull(reference, options), pull(reference, options)])
    for (const one of pulled) expect(digestsOf(one)).toEqual(namesOf(image.layers))
  })
})

describe('sent on to another host', () => {
  test('no request there has a name or a password, of the registry or of its tokens', async () => {
    const image = noisyImage()
    const store = await ownRegistry({
      address: '127.0.0.2',
      before(request, response) {
        serve(request, response, store.blobs.get(request.url!.split('/')[1]!.split('?')[0]!)!)
        return true
      },
    })
    await seed(store, image, 'app', '1')
    const redirect = (digest: string) => `${store.origin}/${digest}?signature=${secret}`
    for (const asking of [{ basic: { me: secret } }, { tokens: { users: { me: secret } } }]) {
      const registry = await ownRegistry({ ...asking, redirect })
      await seed(registry, image, 'app', '1')
      const options = settings({ credentials: me })
      expect(digestsOf(await pull(`docker://${registry.host}/app:1`, options))).toEqual(namesOf(image.layers))
      expect(registry.seen.some(({ headers }) => headers.authorization !== undefined)).toBe(true)
    }
    expect(store.seen.length).toBe(6)
    for (const { headers } of store.seen) {
      expect(headers.authorization).toBeUndefined()
      expect(headers.cookie).toBeUndefined()
    }
  })

  test('what fails there is told without the address, which is a secret itself', async () => {
    const image = noisyImage()
    for (const answer of [403, 404, 500]) {
      const store = await ownRegistry({
        address: '127.0.0.2',
        before(_, response) {
          response.writeHead(answer).end()
          return true
        },
      })
      const registry = await ownRegistry({ redirect: () => `${store.origin}/x?signature=${secret}` })
      await seed(registry, image, 'app', '1')
      const error = await pull(`docker://${registry.host}/app:1`, settings()).catch((one: unknown) => one)
      expect(error).toMatchObject({ code: expect.stringMatching(/^PLY_/) })
      expect(allOf(error)).not.toContain(secret)
    }
  })

  test('an upload that goes on at another host has no password with it', async () => {
    const uploads = await ownRegistry({
      address: '127.0.0.2',
      async before(request, response) {
        for await (const _ of request);
        response.writeHead(request.method === 'PUT' ? 201 : 202, { location: request.url!.split('&digest')[0]! }).end()
        return true
      },
    })
    const registry = await ownRegistry({
      basic: { me: secret },
      before(request, response) {
        if (request.method !== 'POST' || request.headers.authorization === undefined) return false
        response.writeHead(202, { location: `${uploads.origin}/up?signature=${secret}` }).end()
        return true
      },
    })
    await push(noisyImage(4 << 20), `docker://${registry.host}/app:1`, settings({ credentials: me }))
    expect(uploads.count('PATCH', /^\/up\?signature=/)).toBe(2)
    expect(uploads.count('PUT', /digest=sha256/)).toBe(3)
    for (const { headers } of uploads.seen) expect(headers.authorization).toBeUndefined()
  })

  test('a ring of redirects ends', async () => {
    const registry = await ownRegistry({ redirect: (digest) => `/v2/app/blobs/${digest}` })
    await seed(registry, noisyImage(), 'app', '1')
    await expect(pull(`docker://${registry.host}/app:1`, settings())).rejects.toMatchObject({ code: 'PLY_REGISTRY' })
  })

  test('from TLS nobody is sent on without', async () => {
    const certificates = makeCertificates(temporary())
    const store = await ownRegistry({ address: '127.0.0.2' })
    const registry = await ownRegistry({ tls: certificates, redirect: () => `${store.origin}/x` })
    await seed(registry, noisyImage(), 'app', '1')
    const options = settings({ environment: { SSL_CERT_FILE: certificates.caFile } })
    await expect(pull(`docker://${registry.host}/app:1`, options)).rejects.toMatchObject({
      code: 'PLY_REGISTRY',
      message: expect.stringContaining('without TLS'),
    })
    expect(store.seen).toEqual([])
  })
})

describe('TLS', () => {
  test('a certificate that nobody vouches for is refused before anything is said; each way to trust it works', async () => {
    const directory = temporary()
    const certificates = makeCertificates(directory)
    const registry = await ownRegistry({ tls: certificates, basic: { me: secret } })
    const image = noisyImage(1000)
    await seed(registry, image, 'app', '1')
    const reference = `docker://${registry.host}/app:1`
    const error = await pull(reference, settings({ credentials: me })).catch((one: unknown) => one)
    expect(error).toMatchObject({ code: 'PLY_TLS', message: expect.stringContaining('--cert-dir') })
    expect(registry.seen.filter(({ headers }) => headers.authorization !== undefined)).toEqual([])

    const certDirectory = join(directory, 'given')
    mkdirSync(certDirectory)
    writeFileSync(join(certDirectory, 'ca.crt'), certificates.ca)
    const config = join(directory, 'config')
    mkdirSync(join(config, 'containers/certs.d', registry.host), { recursive: true })
    writeFileSync(join(config, 'containers/certs.d', registry.host, 'ca.crt'), certificates.ca)
    for (const trust of [
      { certDirectory },
      { tlsVerify: false },
      { environment: { SSL_CERT_FILE: certificates.caFile } },
      { environment: { NODE_EXTRA_CA_CERTS: certificates.caFile } },
      { environment: { XDG_CONFIG_HOME: config } },
    ]) {
      const pulled = await pull(reference, settings({ ...trust, credentials: me }))
      expect(pulled.image.digest).toBe(image.digest)
    }
  })

  test('a registry that wants to see a certificate is shown the one for it', async () => {
    const directory = temporary()
    const certificates = makeCertificates(directory)
    let shown: string | undefined
    const registry = await ownRegistry({
      tls: { ...certificates, requestCert: true },
      before(request) {
        const { subject } = (request.socket as import('node:tls').TLSSocket).getPeerCertificate()
        shown = String(subject?.CN)
        return false
      },
    })
    await seed(registry, noisyImage(1000), 'app', '1')
    const certDirectory = join(directory, 'given')
    mkdirSync(certDirectory)
    for (const [name, content] of [
      ['ca.crt', certificates.ca],
      ['me.cert', certificates.client.cert],
      ['me.key', certificates.client.key],
    ] as const)
      writeFileSync(join(certDirectory, name), content)
    await pull(`docker://${registry.host}/app:1`, settings({ certDirectory }))
    expect(shown).toBe('client')
    writeFileSync(join(certDirectory, 'other.cert'), certificates.client.cert)
    await expect(pull(`docker://${registry.host}/app:1`, settings({ certDirectory }))).rejects.toMatchObject({
      code: 'PLY_USAGE',
    })
  })

  test('a connection that breaks while TLS is spoken is a coded failure', async () => {
    const certificates = makeCertificates(temporary())
    const registry = await ownRegistry({ tls: certificates })
    const proxy = await faultProxy(registry.port, { cutDownAfter: 10 })
    await expect(openSource(`docker://${proxy.host}/app:1`, { registry: settings() })).rejects.toMatchObject({
      code: expect.stringMatching(/^PLY_(UNREACHABLE|TLS)$/),
    })
  })
})

test('no byte is handed on as checked that was not', async () => {
  const image = noisyImage()
  const changed = await flaky(image, (nth, request, response) => {
    const content = Buffer.from(changed.registry.blobs.get(request.url!.split('/').at(-1)!)!)
    if (nth > 1) content[0]! ^= 1
    serve(request, response, content)
    return true
  })
  await using source = await openSource(changed.reference, { registry: settings() })
  const { layers } = await source.image()
  for (const layer of layers) {
    const hash = createHash('sha256')
    const reading = async () => {
      for await (const chunk of layer.compressed()) hash.update(chunk)
    }
    await expect(reading()).rejects.toMatchObject({ code: 'PLY_DIGEST_MISMATCH' })
  }
})
