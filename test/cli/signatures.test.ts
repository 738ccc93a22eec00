import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openStore, privateKeyFrom, signImage } from 'plyfs'
import { describe, expect, test } from 'vitest'
import { openKey, publicKey } from '../signature/sealed-fixture.ts'
import { sampleImage } from '../support/images.ts'
import { temporary } from '../support/temporary.ts'
import { type OwnRegistry, ownRegistry } from '../transport/registry/own-registry.ts'
import { seed, settings } from '../transport/registry/setting.ts'
import { ply } from './run-ply.ts'

const key = await privateKeyFrom(openKey)

/** A registry with two tags of an image, one of them signed, and a store that has it under a short name. */
async function place() {
  const registry = await ownRegistry()
  const image = await sampleImage()
  for (const tag of ['good', 'bad']) await seed(registry, image, 'team/app', tag)
  const named = (tag: string) => `${registry.host}/team/app:${tag}`
  await signImage(`docker://${named('good')}`, { key, registry: settings() })
  const root = temporary()
  const path = (name: string) => join(root, name)
  writeFileSync(path('pub'), publicKey)
  const environment = { HOME: root, XDG_RUNTIME_DIR: root, CONTAINERS_REGISTRIES_CONF: '/dev/null' }
  const run = (...argv: string[]) => ply([...argv, '--root', path('store')], { environment, stdin: '' })
  const required = (...argv: string[]) => run(...argv, '--require-signature', path('pub'))
  const kept = async (name: string) => {
    await using store = await openStore(path('store'))
    await store.write(image, name)
  }
  return { registry, image, named, path, run, required, kept }
}

const layersFetched = ({ seen }: OwnRegistry, digests: readonly string[]) =>
  seen.filter(({ path }) => digests.some((digest) => path.endsWith(digest)))

describe('--require-signature', () => {
  const looks: readonly (readonly [string, (reference: string) => readonly string[]])[] = [
    ['inspect', (reference) => ['inspect', reference]],
    ['inspect --raw', (reference) => ['inspect', '--raw', reference]],
    ['inspect --config', (reference) => ['inspect', '--config', reference]],
    ['inspect --all', (reference) => ['inspect', '--all', reference]],
    ['history', (reference) => ['history', reference]],
    ['blame', (reference) => ['blame', reference, '/etc/motd']],
    ['diff', (reference) => ['diff', reference, reference]],
    ['diff --config', (reference) => ['diff', '--config', reference, reference]],
    ['diff --layers', (reference) => ['diff', '--layers', reference, reference]],
    ['ls', (reference) => ['ls', reference, '/']],
  ]

  for (const [name, argv] of looks) {
    test(`${name} shows what is signed, and fetches no layer of anything else`, async () => {
      const { registry, image, named, required, kept } = await place()
      const layers = image.layers.map(({ descriptor }) => descriptor.digest)
      const bad = await required(...argv(`docker://${named('bad')}`))
      expect(bad).toMatchObject({ code: 4, out: '', err: expect.stringContaining('no signature vouches for') })
      expect(layersFetched(registry, layers)).toEqual([])
      const good = await required(...argv(`docker://${named('good')}`))
      expect(good.code, good.err).toBe(0)
      await kept('app:1')
      const inside = await required(...argv('app:1'))
      expect(inside).toMatchObject({
        code: 4,
        out: '',
        err: expect.stringMatching(/keeps no signatures|no signatures are kept/),
      })
      expect((await required(...argv('container:work'))).code).not.toBe(0)
    })
  }

  test('diff asks it of both sides', async () => {
    const { named, required } = await place()
    const [good, bad] = ['good', 'bad'].map((tag) => `docker://${named(tag)}`) as [string, string]
    for (const more of [[], ['--config'], ['--layers']]) {
      expect(await required('diff', ...more, good, bad)).toMatchObject({ code: 4, out: '' })
      expect(await required('diff', ...more, bad, good)).toMatchObject({ code: 4, out: '' })
    }
  })

  test('build takes a base with a registry in its name from there, whatever the store has under it', async () => {
    const { named, path, run, required, kept } = await place()
    for (const tag of ['good', 'bad']) await kept(named(tag))
    const dockerfile = (...lines: string[]) => {
      mkdirSync(path('context'), { recursive: true })
      writeFileSync(path('context/Dockerfile'), `${lines.join('\n')}\n`)
      return path('context')
    }
    for (const from of [named('bad'), `docker://${named('bad')}`]) {
      const answer = await required('build', '-t', 'made:1', dockerfile(`FROM ${from}`, 'LABEL a=b'))
      expect(answer).toMatchObject({ code: 4, err: expect.stringContaining('no signature vouches for') })
    }
    const through = await required('build', dockerfile('FROM scratch', `COPY --from=${named('bad')} /etc /etc`))
    expect(through).toMatchObject({ code: 4 })
    const context = dockerfile('FROM base', 'LABEL a=b')
    const given = (tag: string) => ['--build-context', `base=docker-image://${named(tag)}`, context]
    expect(await required('build', ...given('bad'))).toMatchObject({ code: 4 })
    expect(await required('build', ...given('good'))).toMatchObject({ code: 0 })
    expect((await run('images', '-q')).out).not.toContain('made')
    const made = await required('build', '-t', 'made:1', dockerfile(`FROM ${named('good')}`, 'LABEL a=b'))
    expect(made.code, made.err).toBe(0)
    expect(await run('build', '-t', 'made:2', dockerfile(`FROM ${named('bad')}`, 'LABEL a=b'))).toMatchObject({
      code: 0,
    })
  })

  test('build says what to do about a base that is in the store', async () => {
    const { path, run, required, kept } = await place()
    await kept('base:1')
    mkdirSync(path('context'))
    for (const from of ['base:1', 'store:base:1']) {
      writeFileSync(path('context/Dockerfile'), `FROM ${from}\nLABEL a=b\n`)
      const answer = await required('build', path('context'))
      expect(answer.code).toBe(4)
      expect(answer.err).toMatch(/base:1.*in the store.*docker:\/\/HOST\/NAME:TAG.*leave --require-signature out/s)
      expect(await run('build', path('context'))).toMatchObject({ code: 0 })
    }
  })

  test('sync takes what is signed to each kind of place, and finds it there the next time', async () => {
    const { image, named, path, run, required } = await place()
    const list = path('list')
    for (const target of [[], [`oci:${path('out')}`], [`docker://${named('good').split('/')[0]}/copies`]]) {
      writeFileSync(list, `docker://${named('bad')}\n`)
      expect(await required('sync', list, ...target)).toMatchObject({ code: 4, out: '' })
      expect(await required('sync', list, ...target, '--dry-run')).toMatchObject({ code: 4, out: '' })
      writeFileSync(list, `docker://${named('good')}\n`)
      const first = await required('sync', list, ...target)
      expect(first, first.err).toMatchObject({ code: 0, out: expect.stringMatching(/^copied /) })
      expect(await required('sync', list, ...target)).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^current /),
      })
    }
    expect((await run('images', '--digests')).out).not.toContain('bad')
    writeFileSync(list, `docker://${named('bad')}\ndocker://${named('good')}\n`)
    const both = await required('sync', list, '--keep-going')
    expect(both).toMatchObject({ code: 4, out: expect.stringMatching(/^current .*:good sha256:[0-9a-f]{64}\n$/s) })
    // The other tag has the same digest, and is in the store from before the signature was asked for.
    expect(await run('sync', list)).toMatchObject({ code: 0 })
    expect(await required('sync', list)).toMatchObject({ code: 4 })
    writeFileSync(list, `${named('good')} oci:${path('from-store')}:1\n`)
    expect(await required('sync', list)).toMatchObject({ code: 4, err: expect.stringContaining('in the store') })
    expect(await run('sync', list)).toMatchObject({ code: 0, out: expect.stringContaining(image.digest) })
  })
})
