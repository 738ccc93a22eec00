import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openSource } from '../../../src/transport/open.ts'
import { challengesOf } from '../../../src/transport/registry/challenge.ts'
import { findCredentials } from '../../../src/transport/registry/credentials.ts'
import { login, logout, openRepository } from '../../../src/transport/registry/index.ts'
import type { RegistryOptions } from '../../../src/transport/registry/options.ts'
import { sampleImage } from '../../support/images.ts'
import { temporary } from '../../support/temporary.ts'
import { type OwnRegistry, ownRegistry } from './own-registry.ts'
import { allOf, noisyImage, pull, push, seed, settings } from './setting.ts'

const secret = 'p4ss:word-never-shown'
const me = { kind: 'password', username: 'me', password: secret } as const
const base64 = (text: string) => Buffer.from(text).toString('base64')

/** A home with files of credentials, and programs on PATH that keep some. */
function home(files: Readonly<Record<string, unknown>>, environment: NodeJS.ProcessEnv = {}) {
  const root = temporary()
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
    if (name.startsWith('bin/')) chmodSync(path, 0o755)
  }
  const options: RegistryOptions = {
    environment: {
      HOME: root,
      XDG_RUNTIME_DIR: join(root, 'run'),
      PATH: `${root}/bin:${process.env.PATH}`,
      CONTAINERS_REGISTRIES_CONF: '/dev/null',
      ...environment,
    },
    partialDirectory: false,
  }
  return {
    root,
    options,
    find: (registry: string, repository = 'app') => findCredentials(registry, repository, { options }),
  }
}

const entry = (username: string) => ({ auth: base64(`${username}:pw`) })
const named = (username: string) => ({ credentials: { kind: 'password', username, password: 'pw' } })

/** Keeps its secrets in files, one for each server, as the protocol of docker-credential-helpers has it. */
const helperProgram = `#!/bin/sh
dir="$(dirname "$0")/../kept"; mkdir -p "$dir"
echo "$1" >> "$dir/calls"
case "$1" in
  get) read -r server; file="$dir/$(printf %s "$server" | tr '/:' '__')"
    if [ -f "$file" ]; then cat "$file"; else echo "credentials not found in native keychain"; exit 1; fi;;
  store) input="$(cat)"; server="$(printf %s "$input" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/')"
    printf %s "$input" > "$dir/$(printf %s "$server" | tr '/:' '__')";;
  erase) read -r server; file="$dir/$(printf %s "$server" | tr '/:' '__')"
    if [ -f "$file" ]; then rm "$file"; else echo "credentials not found in native keychain"; exit 1; fi;;
esac
`

describe('where credentials are looked for', () => {
  test('the files of podman and docker in their order, the first that knows the registry wins', async () => {
    const files = {
      'run/containers/auth.json': { auths: { 'one.test': entry('runtime') } },
      '.config/containers/auth.json': { auths: { 'one.test': entry('no'), 'two.test': entry('config') } },
      '.docker/config.json': { auths: { 'two.test': entry('no'), 'three.test': entry('docker') } },
      '.dockercfg': { 'three.test': entry('no'), 'four.test': entry('old') },
    }
    const { find } = home(files)
    expect(await find('one.test')).toEqual(named('runtime'))
    expect(await find('two.test')).toEqual(named('config'))
    expect(await find('three.test')).toEqual(named('docker'))
    expect(await find('four.test')).toEqual(named('old'))
    expect(await find('five.test')).toEqual({ credentials: undefined })
  })

  test('DOCKER_CONFIG moves the file of docker; REGISTRY_AUTH_FILE and the option stand alone', async () => {
    const files = {
      'elsewhere/config.json': { auths: { 'one.test': entry('moved') } },
      '.docker/config.json': { auths: { 'one.test': entry('usual') } },
      'named.json': { auths: { 'two.test': entry('named') } },
    }
    const { root, options, find } = home(files)
    expect(await find('one.test')).toEqual(named('usual'))
    const environment = { ...options.environment, DOCKER_CONFIG: join(root, 'elsewhere') }
    expect(await findCredentials('one.test', 'app', { options: { environment } })).toEqual(named('moved'))
    const only = { ...environment, REGISTRY_AUTH_FILE: join(root, 'named.json') }
    expect(await findCredentials('one.test', 'app', { options: { environment: only } })).toEqual({
      credentials: undefined,
    })
    expect(await findCredentials('two.test', 'app', { options: { environment: only } })).toEqual(named('named'))
    const said = { environment: only, authFile: join(root, '.docker/config.json') }
    expect(await findCredentials('one.test', 'app', { options: said })).toEqual(named('usual'))
  })

  test('the longest path wins: a repository, its namespaces, the registry', async () => {
    const auths = {
      'r.test:5000': entry('registry'),
      'r.test:5000/team': entry('team'),
      'r.test:5000/team/sub/app': entry('app'),
    }
    const { find } = home({ 'run/containers/auth.json': { auths } })
    expect(await find('r.test:5000', 'other/app')).toEqual(named('registry'))
    expect(await find('r.test:5000', 'team/app')).toEqual(named('team'))
    expect(await find('r.test:5000', 'team/sub/app')).toEqual(named('app'))
    expect(await find('r.test:5000', 'team/sub/application')).toEqual(named('team'))
    expect(await find('r.test')).toEqual({ credentials: undefined })
  })

  test('the forms that entries have: pairs, identity tokens, tokens, addresses, padding', async () => {
    const auths = {
      'https://old.test/v1/': entry('old'),
      'identity.test': { ...entry('x'), identitytoken: 'id-token' },
      'bearer.test': { registrytoken: 'bearer-token' },
      'padded.test': { auth: Buffer.from('me:pw\0\0').toString('base64') },
      'colons.test': { auth: base64('me:a:b') },
      'apart.test': { username: 'me', password: 'pw' },
      'empty.test': {},
    }
    const { find } = home({ '.docker/config.json': { auths } })
    expect(await find('old.test')).toEqual(named('old'))
    expect(await find('identity.test')).toEqual({ credentials: { kind: 'identity', token: 'id-token' } })
    expect(await find('bearer.test')).toEqual({ credentials: { kind: 'bearer', token: 'bearer-token' } })
    expect(await find('padded.test')).toEqual(named('me'))
    expect(await find('colons.test')).toEqual({ credentials: { kind: 'password', username: 'me', password: 'a:b' } })
    expect(await find('apart.test')).toEqual(named('me'))
    expect(await find('empty.test')).toEqual({ credentials: undefined })
  })

  test('a program on PATH is asked for its registry, and for all of them; what it has comes before what is written', async () => {
    const { root, find } = home({
      '.docker/config.json': {
        auths: { 'one.test': entry('written'), 'two.test': {} },
        credHelpers: { 'one.test': 'kept' },
        credsStore: 'all',
      },
      'bin/docker-credential-kept': helperProgram,
      'bin/docker-credential-all': helperProgram,
      'kept/one.test': JSON.stringify({ ServerURL: 'one.test', Username: 'helped', Secret: 'pw' }),
      'kept/two.test': JSON.stringify({ ServerURL: 'two.test', Username: '<token>', Secret: 'id' }),
    })
    expect(await find('one.test')).toEqual(named('helped'))
    expect(await find('two.test')).toEqual({ credentials: { kind: 'identity', token: 'id' } })
    expect(await find('none.test')).toEqual({ credentials: undefined })
    expect(readFileSync(join(root, 'kept/calls'), 'utf8')).toBe('get\nget\nget\n')
  })

  test("a registry's own helper that fails is told; a store for all that is not here is told when it matters", async () => {
    const { find } = home({
      '.docker/config.json': { credHelpers: { 'one.test': 'missing', 'two.test': 'broken' }, credsStore: 'gone' },
      'bin/docker-credential-broken': `#!/bin/sh\necho "${secret} is not JSON"\n`,
    })
    await expect(find('one.test')).rejects.toMatchObject({
      code: 'PLY_CREDENTIALS',
      message: expect.stringContaining('no docker-credential-missing on PATH'),
    })
    const broken = await find('two.test').catch((error: unknown) => error)
    expect(broken).toMatchObject({ code: 'PLY_CREDENTIALS' })
    expect(allOf(broken)).not.toContain(secret)
    expect(await find('three.test')).toMatchObject({ obstacle: expect.stringContaining('docker-credential-gone') })
  })

  test('a file that is damaged is named, and nothing of it is quoted', async () => {
    for (const content of [
      `{"auths": {"r.test": {"auth": ${base64(secret)}`,
      { auths: { 'r.test': { auth: base64(secret.replaceAll(':', '')) } } },
      { auths: { 'r.test': { auth: [secret] } } },
    ]) {
      const { find } = home({ '.docker/config.json': content })
      const error = await find('r.test').catch((one: unknown) => one)
      expect(error).toMatchObject({ code: 'PLY_BAD_DOCUMENT', message: expect.stringContaining('config.json') })
      for (const text of [secret, base64(secret), base64(secret).slice(0, 12)]) expect(allOf(error)).not.toContain(text)
    }
  })
})

describe('login and logout', () => {
  test('a password is tried, kept where only its owner reads it, used, and forgotten', async () => {
    const registry = await ownRegistry({ basic: { me: secret } })
    await seed(registry, await sampleImage(), 'app', '1')
    const { root, options } = home({})
    await expect(login(registry.host, { ...me, password: 'wrong' }, options)).rejects.toMatchObject({
      code: 'PLY_UNAUTHORIZED',
      message: expect.stringContaining('what is given to log in with is not accepted'),
    })
    const file = join(root, 'run/containers/auth.json')
    expect(await login(registry.host, me, options)).toEqual({ registry: registry.host, username: 'me', file })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      auths: { [registry.host]: { auth: base64(`me:${secret}`) } },
    })
    await pull(`docker://${registry.host}/app:1`, options)
    expect(await logout(registry.host, options)).toMatchObject({ removed: true, elsewhere: [] })
    expect(await logout(registry.host, options)).toMatchObject({ removed: false })
    await expect(pull(`docker://${registry.host}/app:1`, options)).rejects.toMatchObject({ code: 'PLY_UNAUTHORIZED' })
  })

  test('what else is in the file stays, and a helper that it names keeps the password', async () => {
    const registry = await ownRegistry({ basic: { me: secret } })
    const before = { auths: { 'other.test': entry('other') }, credsStore: 'all', HttpHeaders: { 'X-Meta': '1' } }
    const { root, options } = home({ 'auth.json': before, 'bin/docker-credential-all': helperProgram })
    const said = { ...options, authFile: join(root, 'auth.json') }
    expect(await login(registry.host, me, said)).toMatchObject({ helper: 'all' })
    const text = readFileSync(join(root, 'auth.json'), 'utf8')
    expect(text).not.toContain(base64(`me:${secret}`))
    expect(JSON.parse(text)).toEqual({ ...before, auths: { ...before.auths, [registry.host]: {} } })
    expect(await findCredentials(registry.host, 'app', { options: said })).toEqual({ credentials: me })
    expect(await logout(registry.host, said)).toMatchObject({ removed: true })
    expect(await findCredentials(registry.host, 'app', { options: said })).toEqual({ credentials: undefined })
    expect(JSON.parse(readFileSync(join(root, 'auth.json'), 'utf8'))).toEqual(before)
  })
})

describe('what a registry asks for', () => {
  test('challenges are read as they are written', () => {
    expect(challengesOf('Bearer realm="https://a.test/token",service="a, b",scope="repository:x:pull,push"')).toEqual([
      {
        scheme: 'bearer',
        parameters: { realm: 'https://a.test/token', service: 'a, b', scope: 'repository:x:pull,push' },
      },
    ])
    expect(challengesOf('Negotiate, Basic realm="x\\"y", bearer REALM=z')).toEqual([
      { scheme: 'other', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'x"y' } },
      { scheme: 'bearer', parameters: { realm: 'z' } },
    ])
    for (const odd of [undefined, '', '=', '"', 'a=b', ',,,', '\u0000']) expect(challengesOf(odd)).toEqual([])
    const start = process.cpuUsage()
    challengesOf(`Bearer ${'a="b",'.repeat(100_000)}`)
    challengesOf(`Bearer a="${'\\'.repeat(100_000)}`)
    const { user, system } = process.cpuUsage(start)
    expect((user + system) / 1000).toBeLessThan(500)
  })

  test('tokens have the scopes that are needed and no more, one for each, whoever asks', async () => {
    const registry = await ownRegistry({ tokens: { users: { me: secret } } })
    const options = settings({ credentials: me })
    const image = await sampleImage()
    await push(image, `docker://${registry.host}/team/app:1`, options)
    expect(registry.issued).toEqual([{ scopes: ['repository:team/app:pull,push'], user: 'me' }])
    await pull(`docker://${registry.host}/team/app:1`, options)
    expect(registry.issued.slice(1)).toEqual([{ scopes: ['repository:team/app:pull'], user: 'me' }])
    expect(registry.seen.filter(({ status }) => status === 401).length).toBe(2)
  })

  test('mounting asks for the other repository as well, and goes on without where that is refused', async () => {
    const registry = await ownRegistry({ tokens: { users: { me: secret } } })
    const options = settings({ credentials: me })
    const image = noisyImage(1 << 18)
    await push(image, `docker://${registry.host}/one:1`, options)
    await using source = await openSource(`docker://${registry.host}/one:1`, { registry: options })
    await push(await source.image(), `docker://${registry.host}/two:1`, options)
    expect(registry.issued.map(({ scopes }) => scopes)).toContainEqual([
      'repository:two:pull,push',
      'repository:one:pull',
    ])
    expect(registry.count('PATCH', /two/) + registry.count('PUT', /two\/blobs/)).toBe(1)
  })

  test('without a name a token is asked for all the same', async () => {
    const registry = await ownRegistry({ tokens: { users: { '': '' } } })
    await seed(registry, await sampleImage(), 'app', '1')
    await pull(`docker://${registry.host}/app:1`, settings())
    expect(registry.issued[0]!.user).toBeUndefined()
  })

  test('an identity token is exchanged by POST, and is in no address', async () => {
    const registry = await ownRegistry({ tokens: { users: {}, identity: 'identity-token' } })
    await seed(registry, await sampleImage(), 'app', '1')
    await pull(
      `docker://${registry.host}/app:1`,
      settings({ credentials: { kind: 'identity', token: 'identity-token' } }),
    )
    expect(registry.count('POST', /^\/token$/)).toBe(1)
    expect(registry.seen.some(({ path }) => path.includes('identity-token'))).toBe(false)
  })

  test('a token that ends in the middle is replaced, for every request if need be', async () => {
    const registry = await ownRegistry({ tokens: { users: { me: secret }, uses: 2 } })
    const options = settings({ credentials: me, uploadPiece: 100_000 })
    const image = noisyImage()
    await push(image, `docker://${registry.host}/app:1`, options)
    expect((await pull(`docker://${registry.host}/app:1`, options)).image.digest).toBe(image.digest)
    expect(registry.issued.length).toBeGreaterThan(6)
  })

  test('a token that is about to end is not used', async () => {
    const registry = await ownRegistry({ tokens: { users: { me: secret }, expiresIn: 1 } })
    await seed(registry, await sampleImage(), 'app', '1')
    await pull(`docker://${registry.host}/app:1`, settings({ credentials: me }))
    expect(registry.issued.length).toBeGreaterThan(2)
    expect(registry.seen.filter(({ status }) => status === 401).length).toBe(1)
  })

  test('a registry that always says no is asked twice', async () => {
    const registry = await ownRegistry({ tokens: { users: { me: secret }, uses: 0 } })
    await seed(registry, await sampleImage(), 'app', '1')
    const error = await pull(`docker://${registry.host}/app:1`, settings({ credentials: me })).catch(
      (one: unknown) => one,
    )
    expect(error).toMatchObject({ code: 'PLY_UNAUTHORIZED', message: expect.stringContaining('ply login') })
    expect(registry.count('GET', /manifests/)).toBe(2)
  })

  for (const [what, options] of [
    ['a password', { basic: { me: 'other' } }],
    ['a token', { tokens: { users: { me: 'other' } } }],
  ] as const) {
    test(`a wrong password for ${what} is refused once, and shown nowhere`, async () => {
      const registry: OwnRegistry = await ownRegistry(options)
      const error = await pull(`docker://${registry.host}/app:1`, settings({ credentials: me })).catch(
        (one: unknown) => one,
      )
      expect(error).toMatchObject({ code: 'PLY_UNAUTHORIZED' })
      for (const text of [secret, base64(`me:${secret}`)]) expect(allOf(error)).not.toContain(text)
      const tries = registry.seen.filter(({ headers }) => headers.authorization !== undefined)
      expect(tries.length).toBe(1)
    })
  }

  test('a token service without TLS gets no password, unless it is on this machine', async () => {
    const registry = await ownRegistry({ tokens: { users: { me: secret }, realm: 'http://tokens.test/token' } })
    const error = await pull(`docker://${registry.host}/app:1`, settings({ credentials: me })).catch(
      (one: unknown) => one,
    )
    expect(error).toMatchObject({
      code: 'PLY_REGISTRY',
      message: expect.stringContaining('tokens.test is without TLS'),
    })
  })

  test('deleting asks for the right to delete', async () => {
    const registry = await ownRegistry({ tokens: { users: { me: secret } } })
    await seed(registry, await sampleImage(), 'app', '1')
    const repository = openRepository(`docker://${registry.host}/app`, settings({ credentials: me }))
    expect(await repository.delete('1')).toBe(true)
    expect(registry.issued[0]!.scopes).toEqual(['repository:app:delete', 'repository:app:pull'])
  })
})
