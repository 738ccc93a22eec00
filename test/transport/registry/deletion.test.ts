import type { IncomingMessage, ServerResponse } from 'node:http'
import { openRepository } from 'plyfs'
import { describe, expect, test } from 'vitest'
import { sampleImage } from '../../support/images.ts'
import { ownRegistry } from './own-registry.ts'
import { seed, settings } from './setting.ts'

const image = await sampleImage()

/** A registry with an image under two tags that refuses some deletions. */
async function refusing(refuses: (reference: string) => number | undefined) {
  const registry = await ownRegistry({
    before(request: IncomingMessage, response: ServerResponse) {
      const reference = /\/manifests\/(.+)$/.exec(request.url!)?.[1]
      const status = request.method === 'DELETE' && reference !== undefined ? refuses(reference) : undefined
      if (status === undefined) return false
      response.writeHead(status).end(JSON.stringify({ errors: [{ code: 'UNSUPPORTED', message: 'not here' }] }))
      return true
    },
  })
  for (const tag of ['1', '2']) await seed(registry, image, 'app', tag)
  const repository = openRepository(`docker://${registry.host}/app`, settings())
  const tags = async () => {
    const found: string[] = []
    for await (const tag of repository.tags()) found.push(tag)
    return found
  }
  return { registry, repository, tags }
}

describe('a tag is taken away alone', () => {
  test.each([
    ['where the registry does that', () => undefined],
    ['where it deletes manifests only', (reference: string) => (reference.includes(':') ? undefined : 405)],
    ['where it takes a tag for a bad digest', (reference: string) => (reference.includes(':') ? undefined : 400)],
  ] as const)('%s', async (_, refuses) => {
    const { repository, tags, registry } = await refusing(refuses)
    await using _repository = repository
    expect(await repository.delete('1')).toBe(true)
    expect(await tags()).toEqual(['2'])
    expect(await repository.resolve('2')).toBe(image.digest)
    expect([...registry.manifests.keys()].sort()).toEqual(['app 2', `app ${image.digest}`].sort())
    expect(await repository.delete('1')).toBe(false)
    expect(await repository.delete(image.digest)).toBe(true)
    expect(await tags()).toEqual([])
  })

  test.each([405, 400])('and stays what it is where nothing can be deleted (%s)', async (status) => {
    const { repository, tags, registry } = await refusing(() => status)
    await using _repository = repository
    await expect(repository.delete('1')).rejects.toMatchObject({
      code: status === 405 ? 'PLY_UNSUPPORTED' : 'PLY_REGISTRY',
    })
    expect(await tags()).toEqual(['1', '2'])
    expect(await repository.resolve('1')).toBe(image.digest)
    expect(registry.count('PUT', /manifests\/1$/)).toBe(0)
  })

  test('and is put back where the last step of it fails', async () => {
    let deletions = 0
    const { repository, tags } = await refusing((reference) =>
      reference.includes(':') ? (++deletions === 2 ? 403 : undefined) : 405,
    )
    await using _repository = repository
    await expect(repository.delete('1')).rejects.toMatchObject({ code: 'PLY_REFUSED' })
    expect(await tags()).toEqual(['1', '2'])
    expect(await repository.resolve('1')).toBe(image.digest)
  })
})

test('a blob is mounted from whichever repository has it', async () => {
  const registry = await ownRegistry()
  const content = Buffer.alloc(100_000, 'x')
  await using one = openRepository(`docker://${registry.host}/one`, settings())
  await one.putBlob(content)
  await using two = openRepository(`docker://${registry.host}/two`, settings())
  expect(await two.putBlob(content, { mountFrom: ['none', 'two', 'one', 'other'] })).toMatchObject({ how: 'mounted' })
  expect(registry.count('PATCH', /two/) + registry.count('PUT', /two/)).toBe(0)
  expect(registry.count('DELETE', /two\/blobs\/uploads/)).toBe(1)
  await using three = openRepository(`docker://${registry.host}/three`, settings())
  expect(await three.putBlob(content, { mountFrom: ['none', 'nowhere'] })).toMatchObject({ how: 'sent' })
})
