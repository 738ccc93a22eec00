import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { historyOf } from '../../src/image/history.ts'
import { validateImage } from '../../src/image/validate.ts'
import { detectReference, openSource } from '../../src/transport/index.ts'
import { tarOf } from '../cli/run-ply.ts'
import { makePlace } from '../support/places.ts'

const id = (digit: string) => digit.repeat(64)

/** What `docker save` wrote before 1.10: two images that share their base, one of them under two names. */
async function legacy(change: (members: Record<string, Uint8Array | string>) => void = () => {}): Promise<Buffer> {
  const step = (own: string, parent: string | undefined, more: object = {}) =>
    JSON.stringify({
      id: id(own),
      ...(parent && { parent: id(parent) }),
      created: `2014-01-0${own}T00:00:00Z`,
      container_config: { Cmd: ['/bin/sh', '-c', `step ${own}`] },
      architecture: 'amd64',
      os: 'linux',
      ...more,
    })
  const members: Record<string, Uint8Array | string> = {
    [`${id('1')}/VERSION`]: '1.0',
    [`${id('1')}/json`]: step('1', undefined),
    [`${id('1')}/layer.tar`]: await tarOf({ 'etc/motd': 'one' }),
    [`${id('2')}/json`]: step('2', '1', { config: { Cmd: ['/two'] }, author: 'somebody' }),
    [`${id('2')}/layer.tar`]: await tarOf({ 'etc/issue': 'two' }),
    [`${id('3')}/json`]: step('3', '1', { config: { Env: ['A=1'] }, comment: 'only configuration' }),
    [`${id('3')}/layer.tar`]: Buffer.alloc(1024),
    repositories: JSON.stringify({ app: { 1: id('2'), latest: id('2') }, 'other/app': { old: id('3') } }),
  }
  change(members)
  return tarOf(members)
}

describe('a docker-archive from before manifest.json', () => {
  test('is found by its content, lists its names, and gives images with the config that it lacks', async () => {
    using place = makePlace()
    const path = place.at('old.tar')
    writeFileSync(path, await legacy())
    expect(await detectReference(path)).toBe(`docker-archive:${path}`)
    await using source = await openSource(`docker-archive:${path}`)
    const names: (string | undefined)[] = []
    for await (const { name } of source.list()) names.push(name)
    expect(names).toEqual(['app:1', 'app:latest', 'other/app:old'])
    const image = await source.image('app:1')
    expect(await validateImage(image)).toEqual([])
    expect(image.config).toMatchObject({
      architecture: 'amd64',
      os: 'linux',
      author: 'somebody',
      created: '2014-01-02T00:00:00Z',
      config: { Cmd: ['/two'] },
    })
    expect(historyOf(image).map(({ step, layer }) => [step.created_by, layer !== undefined])).toEqual([
      ['/bin/sh -c step 1', true],
      ['/bin/sh -c step 2', true],
    ])
    const other = await source.image('other/app:old')
    expect(other.layers).toHaveLength(1)
    expect(other.config.history?.at(-1)).toMatchObject({ comment: 'only configuration', empty_layer: true })
    expect(other.layers[0]!.diffId).toBe(image.layers[0]!.diffId)
    await using again = await openSource(`docker-archive:${path}:app:latest`)
    expect((await again.image()).digest).toBe(image.digest)
  })

  for (const [what, reason, change] of [
    ['a step is missing', /lacks 1+\/json/, (members) => void delete members[`${id('1')}/json`]],
    ['a layer is missing', /lacks 2+\/layer\.tar/, (members) => void delete members[`${id('2')}/layer.tar`]],
    [
      'parents go in a circle',
      /circle/,
      (members) => void (members[`${id('1')}/json`] = JSON.stringify({ parent: id('2') })),
    ],
    [
      'a parent leads elsewhere',
      /lacks \.\.\/x\/json/,
      (members) => void (members[`${id('1')}/json`] = JSON.stringify({ parent: '../x' })),
    ],
  ] as const satisfies readonly (readonly [string, RegExp, (members: Record<string, Uint8Array | string>) => void])[]) {
    test(`is refused where ${what}`, async () => {
      using place = makePlace()
      const path = place.at('old.tar')
      writeFileSync(path, await legacy(change))
      await using source = await openSource(`docker-archive:${path}:app:1`)
      await expect(source.image()).rejects.toMatchObject({
        code: 'PLY_BAD_ARCHIVE',
        message: expect.stringMatching(reason),
      })
    })
  }
})
