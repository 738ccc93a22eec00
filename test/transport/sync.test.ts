import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createIndex, openSink, openStore, parcelOf, parseSyncList, sync } from 'plyfs'
import { describe, expect, test } from 'vitest'
import { ply } from '../cli/run-ply.ts'
import { valuesOf } from '../support/collect.ts'
import { sampleImage, withPlatform } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { type OwnRegistry, ownRegistry } from './registry/own-registry.ts'
import { push, settings } from './registry/setting.ts'

const image = await sampleImage()
const arm = withPlatform(image, 'linux/arm64')
const list = (text: string) => parseSyncList(Buffer.from(text), 'list')

describe('a list', () => {
  test('of lines', () => {
    expect(list('# all\ndocker://h/a:1\n\n  oci:./x:1   docker://h/b:2 # why\ndocker://h:5/team/c:1.*\n')).toEqual([
      { from: 'docker://h/a:1' },
      { from: 'oci:./x:1', to: 'docker://h/b:2' },
      { from: 'docker://h:5/team/c', tags: /^1\..*$/ },
    ])
  })

  test('as skopeo has it, written as JSON', () => {
    const digest = `sha256:${'a'.repeat(64)}`
    const text = JSON.stringify({
      'h:5000': {
        images: { 'team/a': ['1', digest], b: [] },
        'images-by-tag-regex': { c: '^1\\.' },
        'tls-verify': false,
        'cert-dir': '/certs',
      },
    })
    const registry = { tlsVerify: false, certDirectory: '/certs' }
    expect(list(text)).toEqual([
      { from: 'docker://h:5000/team/a:1', registry },
      { from: `docker://h:5000/team/a@${digest}`, registry },
      { from: 'docker://h:5000/b', tags: /^/, registry },
      { from: 'docker://h:5000/c', tags: /^1\./, registry },
    ])
  })

  test.each([
    ['', 'PLY_BAD_DOCUMENT', 'no image'],
    ['a b c', 'PLY_BAD_DOCUMENT', 'line 1'],
    ['debian\nUPPER', 'PLY_BAD_DOCUMENT', 'line 2'],
    ['docker://h/a:* docker://h/b:1', 'PLY_BAD_DOCUMENT', 'line 1'],
    ['{', 'PLY_BAD_DOCUMENT', 'JSON'],
    ['{"h": {"images": {"a": "1"}}}', 'PLY_BAD_DOCUMENT', 'images'],
    ['{"h": {"images-by-tag-regex": {"a": "("}}}', 'PLY_BAD_DOCUMENT', 'regular expression'],
    ['{"h": {"images-by-semver": {"a": "1"}}}', 'PLY_UNSUPPORTED', 'images-by-semver'],
    ['{"h": {"credentials": {"username": "u", "password": "secret-7"}}}', 'PLY_UNSUPPORTED', 'ply login'],
  ])('that is wrong is refused: %s', (text, code, says) => {
    expect(() => list(text)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(new RegExp(`^(?!.*secret-7).*${says}`, 's')) }),
    )
  })
})

describe('sync', () => {
  const transfers = ({ seen }: OwnRegistry) =>
    seen.filter(
      ({ method, path }) => (method === 'GET' && /blobs|manifests/.test(path)) || /^(?:PUT|POST|PATCH)$/.test(method),
    )

  async function two() {
    const [from, to] = [await ownRegistry(), await ownRegistry()]
    const registry = settings()
    for (const tag of ['1.0', '1.1', '2.0'])
      await push(
        withPlatform(image, `linux/${tag === '2.0' ? 's390x' : 'amd64'}`),
        `docker://${from.host}/team/app:${tag}`,
        registry,
      )
    await using sink = await openSink(`docker://${from.host}/all:1`, { registry })
    await sink.writeParcel!(await createIndex([parcelOf(image), parcelOf(arm)]))
    const run = async (text: string, options: Partial<Parameters<typeof sync>[1]> = {}) => {
      from.seen.length = to.seen.length = 0
      return valuesOf(sync(list(text), { registry, target: `docker://${to.host}/copies`, ...options }))
    }
    return { from, to, registry, run }
  }

  test('brings what is not there, indexes whole, and the next time transfers nothing', async () => {
    const { from, to, run } = await two()
    const text = `docker://${from.host}/team/app:1.*\ndocker://${from.host}/all:1\n`
    const wanted = [
      [`docker://${from.host}/team/app:1.0`, `docker://${to.host}/copies/team/app:1.0`],
      [`docker://${from.host}/team/app:1.1`, `docker://${to.host}/copies/team/app:1.1`],
      [`docker://${from.host}/all:1`, `docker://${to.host}/copies/all:1`],
    ]
    const dry = await run(text, { dryRun: true })
    expect(dry.map(({ from, to, state }) => [from, to, state])).toEqual(wanted.map((one) => [...one, 'copied']))
    expect(to.manifests.size).toBe(0)
    expect((await run(text)).map(({ state }) => state)).toEqual(['copied', 'copied', 'copied'])
    expect(to.manifests.get('copies/all 1')!.raw).toEqual(from.manifests.get('all 1')!.raw)
    expect([...to.manifests.keys()]).toContain(`copies/all ${arm.digest}`)
    expect((await run(text)).map(({ state }) => state)).toEqual(['current', 'current', 'current'])
    expect([...transfers(from), ...transfers(to)]).toEqual([])
  })

  test('stops at the first failure, or goes on and says what failed', async () => {
    const { from, to, run } = await two()
    const text = `docker://${from.host}/team/app:9.*\ndocker://${from.host}/nothing:1\ndocker://${from.host}/team/app:2.0\n`
    await expect(run(text)).rejects.toMatchObject({ code: 'PLY_IMAGE_NOT_FOUND' })
    expect(to.manifests.size).toBe(0)
    const steps = await run(text, { keepGoing: true })
    expect(steps.map(({ state, error }) => [state, (error as { code?: string } | undefined)?.code])).toEqual([
      ['failed', 'PLY_IMAGE_NOT_FOUND'],
      ['failed', 'PLY_IMAGE_NOT_FOUND'],
      ['copied', undefined],
    ])
  })

  test('goes into a layout and into the store, one platform where that is asked', async () => {
    const { from, run } = await two()
    const directory = temporary()
    const text = `docker://${from.host}/all:1`
    const layout = { target: `oci:${directory}/layout` }
    expect((await run(text, layout)).map(({ state, to }) => [state, to])).toEqual([
      ['copied', `oci:${directory}/layout:all:1`],
    ])
    expect((await run(text, layout))[0]!.state).toBe('current')
    await using store = await openStore(join(directory, 'store'))
    const stored = { target: undefined, store, platform: 'linux/arm64' }
    expect((await run(text, stored))[0]).toMatchObject({ state: 'copied', digest: arm.digest })
    expect((await run(text, stored))[0]).toMatchObject({ state: 'current' })
    expect((await store.images()).map(({ name, digest }) => [name, digest])).toEqual([
      [`${from.host}/all:1`, arm.digest],
    ])
    expect((await run(`${from.host}/all:1`, { store })).map(({ state }) => state)).toEqual(['copied'])
    expect((await run(`${from.host}/all:1`, { store })).map(({ state }) => state)).toEqual(['current'])
  })

  test('does not let two images have one name', async () => {
    const { from, to, run } = await two()
    const other = await ownRegistry()
    await push(arm, `docker://${other.host}/all:1`, settings())
    const text = `docker://${from.host}/all:1\ndocker://${other.host}/all:1`
    await expect(run(text)).rejects.toMatchObject({ code: 'PLY_USAGE' })
    const scoped = await run(text, { scoped: true })
    expect(scoped.map(({ to }) => to)).toEqual(
      [from, other].map(({ host }) => `docker://${to.host}/copies/${host.replace(':', '-')}/all:1`),
    )
    await expect(run(`docker://${from.host}/all:1`, { target: 'tar:x' })).rejects.toMatchObject({ code: 'PLY_USAGE' })
  })

  test('on the command line', async () => {
    const { from, to } = await two()
    const home = temporary()
    const environment = { HOME: home, XDG_RUNTIME_DIR: home, CONTAINERS_REGISTRIES_CONF: '/dev/null' }
    const file = join(home, 'list')
    writeFileSync(file, JSON.stringify({ [from.host]: { images: { 'team/app': ['1.0'], missing: ['1'] } } }))
    const run = (...argv: string[]) => ply(['sync', ...argv, '--root', join(home, 'store')], { environment })
    const dry = await run(file, `docker://${to.host}/x`, '--dry-run', '--keep-going')
    expect(dry).toMatchObject({
      code: 3,
      out: expect.stringMatching(/^would copy docker:\S+\/team\/app:1.0 docker:\S+ sha256:/),
    })
    expect(dry.err).toContain('missing')
    expect(to.manifests.size).toBe(0)
    const done = await run(file, `docker://${to.host}/x`, '--keep-going')
    expect(done.out).toMatch(/^copied /)
    const again = await ply(['sync', '-', `docker://${to.host}/x`, '--json', '--root', join(home, 'store')], {
      environment,
      stdin: `docker://${from.host}/team/app:1.0\n`,
    })
    expect(JSON.parse(again.out)).toMatchObject([{ state: 'current' }])
  })
})
