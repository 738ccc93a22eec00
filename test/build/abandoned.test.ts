import { join } from 'node:path'
import { expect, test } from 'vitest'
import { execute } from '../../src/build/run/execute.ts'
import { openStore, type Store, scratch } from '../../src/index.ts'
import { buildGround } from '../../src/store/builds/ground.ts'
import { temporary } from '../support/temporary.ts'

/** A store whose containers are made, and then something else happens before anybody has opened one again. */
function interrupted(store: Store, meanwhile: () => Promise<void>): Store {
  const create: Store['containers']['create'] = async (...given) => {
    const made = await store.containers.create(...given)
    const close = async () => {
      await made.close()
      await meanwhile()
    }
    return Object.create(made, { close: { value: close } })
  }
  return Object.create(store, {
    containers: { value: Object.create(store.containers, { create: { value: create } }) },
  })
}

const asked = {
  ...{
    image: scratch,
    words: ['true'],
    scripts: [],
    environment: [],
    directory: '/',
    user: '',
    network: 'none' as const,
  },
  mounts: { binds: [], temporary: {}, environment: [], [Symbol.asyncDispose]: async () => {} },
  ...{ epoch: 0, history: {}, runtime: undefined, opening: {}, onOutput: () => {}, operation: {} },
  finish: <Image>(image: Image) => image,
  failed: (how: string) => new Error(how),
}

test('a build that begins while another is about to run a step leaves that one’s container, and takes what nobody builds in', async () => {
  const root = join(temporary(), 'store')
  await using store = await openStore(root)
  await using other = await openStore(root)
  const names = async () => (await other.containers.list()).map(({ name }) => name)
  let seen: readonly string[] = []
  const another = async () => {
    await other[buildGround].removeAbandoned()
    seen = await names()
    throw new Error('enough was seen')
  }
  await expect(execute({ ...asked, store: interrupted(store, another) })).rejects.toThrow('enough was seen')
  expect(seen).toEqual([expect.stringMatching(/^build-[0-9a-f]{16}$/)])
  // Nobody holds it any more, as after a kill.
  expect(await names()).toEqual(seen)
  await other[buildGround].removeAbandoned()
  expect(await names()).toEqual([])
})
