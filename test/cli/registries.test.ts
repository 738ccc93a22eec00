import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { sampleImage } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { type OwnRegistryOptions, ownRegistry } from '../transport/registry/own-registry.ts'
import { seed } from '../transport/registry/setting.ts'
import { ply, type Surroundings } from './run-ply.ts'

/** A registry that has team/app:1, and somebody whose home is empty. */
async function place(options: OwnRegistryOptions = {}) {
  const registry = await ownRegistry(options)
  const image = await sampleImage()
  await seed(registry, image, 'team/app', '1')
  const home = temporary()
  const environment = { HOME: home, XDG_RUNTIME_DIR: home, CONTAINERS_REGISTRIES_CONF: '/dev/null' }
  const path = (name: string) => join(home, name)
  const run = (argv: readonly string[], more: Surroundings = {}) =>
    ply([...argv, '--root', path('store')], { environment, ...more })
  return { registry, image, path, run, app: `docker://${registry.host}/team/app` }
}

describe('ply login', () => {
  const asking = { basic: { me: 'secret' } }

  test.each<readonly [string, readonly string[], Surroundings]>([
    ['by the words of the command', ['-u', 'me', '-p', 'secret'], {}],
    ['by stdin, without the end of its line', ['-u', 'me', '--password-stdin'], { stdin: 'secret\n' }],
  ])('keeps a password that is right, told %s, until ply logout', async (_, words, surroundings) => {
    const { registry, path, run, app } = await place(asking)
    expect((await run(['tags', app])).code).not.toBe(0)
    const file = path('auth.json')
    const loggedIn = await run(['login', registry.host, ...words, '--authfile', file], surroundings)
    expect(loggedIn).toMatchObject({ code: 0, out: '', err: `logged in to ${registry.host} as me; kept in ${file}\n` })
    expect(readFileSync(file, 'utf8')).toContain(Buffer.from('me:secret').toString('base64'))
    expect(await run(['tags', app, '--authfile', file])).toMatchObject({ code: 0, out: '1\n' })
    expect(await run(['logout', registry.host, '--authfile', file])).toMatchObject({
      code: 0,
      err: `logged out of ${registry.host}\n`,
    })
    expect(readFileSync(file, 'utf8')).not.toContain(registry.host)
    expect(await run(['logout', registry.host, '--authfile', file])).toMatchObject({
      code: 1,
      err: `not logged in to ${registry.host} by ${file}\n`,
    })
  })

  test('keeps nothing that the registry refuses', async () => {
    const { registry, path, run } = await place(asking)
    const file = path('auth.json')
    const { code, err } = await run(['login', registry.host, '-u', 'me', '-p', 'wrong', '--authfile', file])
    expect([code, err]).toEqual([3, expect.stringContaining('(PLY_UNAUTHORIZED)')])
    expect(() => readFileSync(file)).toThrow('ENOENT')
  })

  test.each<readonly [string, readonly string[], string, string]>([
    ['there is nobody to ask for a name', [], '', 'user name: there is nobody to ask; say it with -u'],
    [
      'nobody to ask for a password',
      ['-u', 'me'],
      '',
      'password: there is nobody to ask; say it with --password-stdin',
    ],
    ['stdin has no password', ['-u', 'me', '--password-stdin'], '\n', 'there is no password on stdin'],
    ['stdin has no end', ['-u', 'me', '--password-stdin'], 'x'.repeat(70_000), 'is too long for a password'],
  ])('says so where %s, and asks the registry nothing', async (_, words, stdin, said) => {
    const { registry, run } = await place(asking)
    const { code, err } = await run(['login', registry.host, ...words], { stdin })
    expect([code, err]).toEqual([2, expect.stringContaining(said)])
    expect(registry.seen).toEqual([])
  })

  test('asks at a terminal, and shows the name alone', async () => {
    const { registry, path, run } = await place(asking)
    const { Readable } = await import('node:stream')
    const { main } = await import('../../src/cli/main.ts')
    expect((await run(['tags', `docker://${registry.host}/team/app`])).code).not.toBe(0)
    const typed = ['me\n', 'secret\n']
    const said: string[] = []
    // Typed when it is asked for, as somebody does it who reads.
    const stdin = new Readable({ read() {} })
    const { Writable } = await import('node:stream')
    const hear = new Writable({
      write(chunk, _encoding, done) {
        said.push(String(chunk))
        if (String(chunk).endsWith(': ')) setImmediate(() => stdin.push(typed.shift()))
        done()
      },
    })
    const code = await main(
      ['login', registry.host, '--authfile', path('auth.json'), '--root', path('store')],
      {
        ...{ stdin, stdinIsTerminal: true, stdout: Object.assign(new Writable(), { isTTY: true }), stderr: hear },
        ...{ columns: 80, environment: { HOME: path('.') }, signal: new AbortController().signal },
      },
      { name: 'plyfs', version: '0', root: '/' },
    )
    expect(code, said.join('')).toBe(0)
    expect(said.join('')).toContain('user name: ')
    expect(said.join('')).toContain('password: ')
    expect(said.join('')).not.toContain('secret')
  })
})

describe('what lies beside an image', () => {
  test.each([['with a list of referrers', true] as const, ['without one', false] as const])(
    'is attached, listed and told apart by type, in a registry %s',
    async (_, referrers) => {
      const { registry, image, path, run, app } = await place({ referrers })
      expect(await run(['referrers', `${app}:1`])).toMatchObject({
        code: 0,
        out: expect.not.stringContaining('sha256'),
      })
      writeFileSync(path('sbom.json'), '{"packages":[]}')
      writeFileSync(path('report.txt'), 'fine\n')
      const attach = (...words: string[]) => run(['attach', `${app}:1`, ...words])
      const first = await attach(path('sbom.json'), '--type', 'application/spdx+json', '-a', 'by=me')
      expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/^sha256:[0-9a-f]{64}\n$/) })
      // The same files are the same artifact.
      const again = await attach(path('sbom.json'), '--type', 'application/spdx+json', '-a', 'by=me')
      expect(again.out).toBe(first.out)
      const second = await attach(path('report.txt'), path('sbom.json'), '--type', 'text/plain')
      expect(second.code, second.err).toBe(0)
      const listed = await run(['referrers', `${app}:1`])
      expect(listed.out).toMatch(new RegExp(`${first.out.trim()} +application/spdx`))
      expect(listed.out).toMatch(new RegExp(`${second.out.trim()} +text/plain`))
      const spdx = ['--type', 'application/spdx+json', '-q']
      expect(await run(['referrers', `${app}:1`, ...spdx])).toMatchObject({ code: 0, out: first.out })
      expect(await run(['referrers', `${app}@${image.digest}`, ...spdx])).toMatchObject({ code: 0, out: first.out })
      const manifest = (digest: string) =>
        JSON.parse(registry.manifests.get(`team/app ${digest.trim()}`)!.raw.toString())
      expect(manifest(first.out)).toMatchObject({
        artifactType: 'application/spdx+json',
        subject: { digest: image.digest },
        annotations: { by: 'me' },
        layers: [
          {
            mediaType: 'application/spdx+json',
            annotations: { 'org.opencontainers.image.title': 'sbom.json' },
            size: 15,
          },
        ],
      })
      expect(manifest(second.out).layers.map((layer: { mediaType: string }) => layer.mediaType)).toEqual([
        'application/octet-stream',
        'application/octet-stream',
      ])
    },
  )

  test('can lie in a layout as well', async () => {
    const { path, run, app } = await place()
    expect((await run(['copy', `${app}:1`, `oci:${path('layout')}:1`])).code).toBe(0)
    writeFileSync(path('note'), 'x')
    const attached = await run(['attach', `oci:${path('layout')}:1`, path('note'), '--type', 'text/plain'])
    expect(attached.code, attached.err).toBe(0)
    expect(await run(['referrers', '-q', `oci:${path('layout')}:1`])).toMatchObject({ out: attached.out })
  })

  test('has no place in archives of Docker and in directories', async () => {
    const { path, run, app } = await place()
    writeFileSync(path('note'), 'x')
    const said = expect.stringContaining('only registries and layouts (oci:DIR) keep something beside an image')
    for (const place of ['docker-archive', 'dir'].map((transport) => `${transport}:${path(transport)}`)) {
      expect((await run(['copy', `${app}:1`, place])).code).toBe(0)
      const type = ['--type', 'text/plain']
      expect(await run(['attach', place, path('note'), ...type])).toMatchObject({ code: 5, out: '', err: said })
    }
  })

  test.each<readonly [string, readonly string[], number, string]>([
    ['a type that is none', ['note', '--type', 'sbom'], 2, 'sbom is no type: write it as application/spdx+json'],
    ['a file that is not there', ['nothing', '--type', 'text/plain'], 3, 'ENOENT'],
  ])('is refused with %s, and nothing is sent', async (_, words, status, said) => {
    const { registry, path, run, app } = await place()
    writeFileSync(path('note'), 'x')
    const { code, err } = await run(['attach', `${app}:1`, path(words[0]!), ...words.slice(1)])
    expect([code, err]).toEqual([status, expect.stringContaining(said)])
    expect(registry.count('PUT', /./) + registry.count('POST', /./)).toBe(0)
  })
})

describe('ply rmi', () => {
  test('takes a tag away in a registry, or a manifest with all its tags', async () => {
    const { image, registry, run, app } = await place()
    await seed(registry, image, 'team/app', '2')
    expect(await run(['rmi', `${app}:1`])).toMatchObject({ code: 0, out: `${app}:1\n` })
    expect(await run(['tags', app])).toMatchObject({ code: 0, out: '2\n' })
    expect(await run(['rmi', `${app}@${image.digest}`])).toMatchObject({ code: 0, out: `${app}@${image.digest}\n` })
    expect(await run(['tags', app])).toMatchObject({ code: 3, out: '' })
  })

  test('takes none away that was not named, and tries all', async () => {
    const { run, app } = await place()
    const { code, out, err } = await run(['rmi', app, `${app}:nothing`, `${app}:1`])
    // The first failure is the one that is reported.
    expect([code, err]).toEqual([2, expect.stringContaining('say which, docker://HOST/NAME:TAG')])
    expect(out).toBe(`${app}:1\n`)
    expect((await run(['rmi', `${app}:nothing`])).code).toBe(3)
  })
})

test.each<readonly [string, readonly string[], NodeJS.ProcessEnv, string]>([
  ['--creds without a name', ['--creds', ':secret'], {}, '--creds: write USER:PASSWORD'],
  ['PLY_JOBS that is no number', [], { PLY_JOBS: 'many' }, 'PLY_JOBS=many: write a number from 1'],
])('%s is wrong use, and no secret is shown', async (_, words, environment, said) => {
  const { code, err } = await ply(['tags', 'docker://127.0.0.1:1/a', ...words], { environment })
  expect([code, err]).toEqual([2, expect.stringContaining(said)])
  expect(err).not.toContain('secret')
})
