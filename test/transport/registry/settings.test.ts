import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { codeOf } from '../../../src/model/errors.ts'
import { pullEndpoints, pushEndpoint } from '../../../src/transport/registry/mirrors.ts'
import type { RegistryOptions } from '../../../src/transport/registry/options.ts'
import { forgetOldParts } from '../../../src/transport/registry/part-file.ts'
import { proxyFor } from '../../../src/transport/registry/proxy.ts'
import { isLoopback, remoteName } from '../../../src/transport/registry/remote-name.ts'
import { parseToml } from '../../../src/transport/registry/toml.ts'
import { temporary } from '../../support/temporary.ts'
import { makeCertificates } from './certificates.ts'
import { ownRegistry } from './own-registry.ts'
import { noisyImage, pull, push, seed, settings } from './setting.ts'

describe('names', () => {
  test.each([
    ['debian', 'docker.io', 'library/debian', 'latest', 'debian:latest'],
    ['team/app:1', 'docker.io', 'team/app', '1', 'team/app:1'],
    ['localhost:5000/app', 'localhost:5000', 'app', 'latest', 'localhost:5000/app:latest'],
    ['[::1]:5000/a/b/c:x', '[::1]:5000', 'a/b/c', 'x', '[::1]:5000/a/b/c:x'],
  ])('%s', (text, registry, repository, tag, name) => {
    expect(remoteName(text)).toMatchObject({ registry, repository, tag, name, digest: undefined })
  })

  test('this machine is known by its names and addresses', () => {
    for (const host of ['localhost', 'localhost:1', '127.0.0.1', '127.9.8.7:1', '[::1]', '[::1]:1', 'a.localhost'])
      expect(isLoopback(host), host).toBe(true)
    for (const host of ['127.0.0.1.test', 'localhost.test', '128.0.0.1', '10.0.0.1:127', 'x127.0.0.1'])
      expect(isLoopback(host), host).toBe(false)
  })
})

describe('registries.conf', () => {
  const conf = (text: string): RegistryOptions => {
    const path = join(temporary(), 'registries.conf')
    writeFileSync(path, text)
    return { environment: { CONTAINERS_REGISTRIES_CONF: path } }
  }
  const places = (details: string, options: RegistryOptions) =>
    pullEndpoints(remoteName(details), options).map(
      ({ host, repository, insecure }) => `${host}/${repository}${insecure ? ' insecure' : ''}`,
    )

  test('mirrors come before the registry, the longest prefix decides, and a push goes to none', () => {
    const options = conf(`
      unqualified-search-registries = ["docker.io"]  # nobody is guessed
      [[registry]]
      prefix = "r.test/team"
      location = "inside.test/teams/team"
      insecure = true
      [[registry.mirror]]
      location = "near.test:5000/cache"
      [[registry.mirror]]
      location = 'digests.test'
      pull-from-mirror = "digest-only"
      insecure = true
      [[registry]]
      location = "r.test"
      [[registry]]
      prefix = "*.wild.test"
      location = "proxy.test/wild"
      [[registry]]
      prefix = "bad.test"
      blocked = true
    `)
    const digest = `sha256:${'a'.repeat(64)}`
    expect(places('r.test/team/app:1', options)).toEqual([
      'near.test:5000/cache/app',
      'inside.test/teams/team/app insecure',
    ])
    expect(places(`r.test/team/app@${digest}`, options)).toEqual([
      'near.test:5000/cache/app',
      'digests.test/app insecure',
      'inside.test/teams/team/app insecure',
    ])
    expect(places('r.test/teams/app:1', options)).toEqual(['r.test/teams/app'])
    expect(places('a.wild.test/x/app:1', options)).toEqual(['proxy.test/wild/x/app'])
    expect(pushEndpoint(remoteName('r.test/team/app:1'), options).host).toBe('inside.test')
    expect(() => places('bad.test/app', options)).toThrow(expect.objectContaining({ code: 'PLY_REFUSED' }))
  })

  test('a mirror that has nothing, or is not there, is passed over; the registry has the last word', async () => {
    const image = noisyImage(1 << 18)
    const [mirror, registry] = [await ownRegistry(), await ownRegistry()]
    await seed(registry, image, 'app', '1')
    const text = `[[registry]]\nprefix = "r.test"\nlocation = "${registry.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}/cached"\n[[registry.mirror]]\nlocation = "127.0.0.1:1"\n`
    const options = settings(conf(text))
    expect((await pull('docker://r.test/app:1', options)).image.digest).toBe(image.digest)
    expect(mirror.seen.length).toBeGreaterThan(0)
    await seed(mirror, image, 'cached/app', '1')
    const before = registry.seen.length
    expect((await pull('docker://r.test/app:1', options)).image.digest).toBe(image.digest)
    expect(registry.seen.length).toBe(before)
    await expect(pull('docker://r.test/app:2', options)).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })
  })

  test('TOML as it is written by hand', () => {
    const text = `a = 1\r\n"b c" = 'x\\y'\n[t.u]\nlist = [\n "1", # one\n "2\\u0041",\n]\nnested = { x = true, y = { z = [] } }\n[[t.v]]\n[[t.v]]\nn = -1_000\nf = 1.5\nm = """\nx"""\n`
    expect(JSON.parse(JSON.stringify(parseToml(text, 'f')))).toEqual({
      a: 1,
      'b c': 'x\\y',
      t: { u: { list: ['1', '2A'], nested: { x: true, y: { z: [] } } }, v: [{}, { n: -1000, f: 1.5, m: 'x' }] },
    })
    for (const [bad, line] of [
      ['a', 1],
      ['\na = ', 2],
      ['a = 1\na = 2', 2],
      ['[a\n', 1],
      ['a = "x', 1],
      ['a = [1', 1],
      ['a = 1 b', 1],
      ['a = "\\U99999999"', 1],
      ['__proto__ = 1', 1],
      ['a = 1\n[a]', 2],
      [`a = ${'['.repeat(100)}`, 1],
    ] as const)
      expect(() => parseToml(bad, 'f'), bad).toThrow(
        expect.objectContaining({ code: 'PLY_BAD_DOCUMENT', message: expect.stringContaining(`line ${line}`) }),
      )
  })

  test('no text makes the reader fail with anything but its code', () => {
    const piece = fc.constantFrom(
      '[',
      ']',
      '[[',
      ']]',
      '=',
      '"',
      "'",
      '\\',
      '\n',
      '#',
      '.',
      ',',
      '{',
      '}',
      'a',
      'true',
      '1',
      ' ',
      '__proto__',
      '\u0000',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          parseToml(pieces.join(''), 'f')
        } catch (error) {
          expect(codeOf(error)).toBe('PLY_BAD_DOCUMENT')
        }
        expect(({} as Record<string, unknown>).a).toBeUndefined()
      }),
    )
  })
})

describe('proxies', () => {
  const proxied = (url: string, environment: NodeJS.ProcessEnv) => proxyFor(new URL(url), environment)?.host

  test('the environment says which, and for whom not', () => {
    const all = { HTTPS_PROXY: 'http://p.test:1', http_proxy: 'q.test:2' }
    expect(proxied('https://r.test/', all)).toBe('p.test:1')
    expect(proxied('http://r.test/', all)).toBe('q.test:2')
    expect(proxied('https://localhost:5000/', all)).toBeUndefined()
    for (const [list, url, free] of [
      ['*', 'https://r.test/', true],
      ['r.test', 'https://r.test/', true],
      ['r.test', 'https://a.r.test/', true],
      ['r.test', 'https://ar.test/', false],
      ['.r.test', 'https://r.test/', false],
      ['*.r.test', 'https://a.r.test/', true],
      ['r.test:443', 'https://r.test/', true],
      ['r.test:444', 'https://r.test/', false],
      ['10.0.0.0/8', 'https://10.1.2.3/', true],
      ['10.0.0.0/8', 'https://11.1.2.3/', false],
      ['x, 10.1.2.3 ,y', 'https://10.1.2.3/', true],
      ['', 'https://r.test/', false],
    ] as const)
      expect(proxied(url, { ...all, NO_PROXY: list }) === undefined, `${list} ${url}`).toBe(free)
    const bad = { HTTPS_PROXY: 'socks5://user:secret@p.test' }
    expect(() => proxied('https://r.test/', bad)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('secret') }),
    )
  })

  test('with TLS through a tunnel, without TLS by the whole address; the proxy alone gets its password', async () => {
    const directory = temporary()
    const certificates = makeCertificates(directory)
    const image = noisyImage(1 << 18)
    const secured = await ownRegistry({ tls: certificates })
    const plain = await ownRegistry()
    await seed(secured, image, 'app', '1')
    await seed(plain, image, 'app', '1')
    const asked: string[] = []
    // It stands for every host, so that names need not exist.
    const proxy = http.createServer((request, response) => {
      asked.push(`${request.method} ${request.headers['proxy-authorization']}`)
      const { pathname, search } = new URL(request.url!)
      const { 'proxy-authorization': _, ...headers } = request.headers
      const onward = http.request({
        port: plain.port,
        host: '127.0.0.1',
        method: request.method,
        path: pathname + search,
        headers,
      })
      onward.on('response', (answer) => answer.pipe(response.writeHead(answer.statusCode!, answer.headers)))
      request.pipe(onward)
    })
    proxy.on('connect', (request, socket: net.Socket) => {
      asked.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']}`)
      if (!request.url!.startsWith('registry.test:')) return void socket.end('HTTP/1.1 502 No\r\n\r\n')
      const onward = net.connect(secured.port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
      onward.pipe(socket).pipe(onward)
      for (const one of [onward, socket]) one.on('error', () => {})
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      proxy.closeAllConnections()
      proxy.close()
    })
    const address = `http://me:p%40ss@127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const environment = { HTTPS_PROXY: address, HTTP_PROXY: address }
    const password = `Basic ${Buffer.from('me:p@ss').toString('base64')}`

    const trusting = settings({ tlsVerify: false, environment })
    expect((await pull('docker://registry.test/app:1', trusting)).image.digest).toBe(image.digest)
    expect(new Set(asked)).toEqual(new Set([`CONNECT registry.test:443 ${password}`]))
    const checked = settings({ environment: { ...environment, SSL_CERT_FILE: certificates.caFile } })
    // The certificate is for another name: the tunnel is no way around looking at it.
    await expect(pull('docker://registry.test/app:1', checked)).rejects.toMatchObject({ code: 'PLY_TLS' })
    for (const { headers } of secured.seen) expect(headers['proxy-authorization']).toBeUndefined()
    const refused = pull('docker://refused.test/app:1', settings({ environment, patience: { attempts: 2 } }))
    await expect(refused).rejects.toMatchObject({ code: 'PLY_UNREACHABLE', message: expect.stringContaining('502') })
  })
})

test('half blobs that nobody came back for in a week are taken away, and nothing else', async () => {
  const directory = temporary()
  const [old, young, other] = [`${'a'.repeat(64)}.part`, `${'b'.repeat(64)}.part`, 'notes.txt']
  mkdirSync(directory, { recursive: true })
  for (const name of [old, young, other]) writeFileSync(join(directory, name), 'x')
  const then = (Date.now() - 8 * 24 * 3600 * 1000) / 1000
  for (const name of [old, other]) utimesSync(join(directory, name), then, then)
  await forgetOldParts(directory)
  const { readdirSync } = await import('node:fs')
  expect(readdirSync(directory).sort()).toEqual([young, other].sort())
})

test('a push through a registry that is named in the settings by another name', async () => {
  const registry = await ownRegistry()
  const path = join(temporary(), 'registries.conf')
  writeFileSync(path, `[[registry]]\nprefix = "r.test"\nlocation = "${registry.host}/moved"\n`)
  const options = settings({ environment: { CONTAINERS_REGISTRIES_CONF: path } })
  const image = noisyImage(1000)
  await push(image, 'docker://r.test/app:1', options)
  expect(registry.manifests.has('moved/app 1')).toBe(true)
})
