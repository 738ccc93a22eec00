import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Operation } from 'plyfs'
import { copy, openSink, openSource, openStore } from 'plyfs'
import { describe, expect } from 'vitest'
import { prompt } from '../support/prompt.ts'
import { image, realTest } from './tools.ts'
import { workspace } from './workspace.ts'

/** Every file with its size. Locks are only ever locked, and `%.index-seen` is the time of another file. */
const contents = (directory: string): string[] =>
  (readdirSync(directory, { recursive: true }) as string[])
    .filter((path) => !path.startsWith('locks') && !path.includes('%.index-seen'))
    .map(
      (path) =>
        `${path} ${statSync(join(directory, path)).isFile() ? statSync(join(directory, path)).size : 'directory'}`,
    )
    .sort()

/** Runs it once to the end to know how long it takes, then aborts it at random moments. */
async function abortAtRandom(
  act: (operation: Operation) => Promise<unknown>,
  unchanged: () => void,
  seed: number,
): Promise<void> {
  let state = seed
  const random = () => (state = (state * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff
  const times = []
  let started = performance.now()
  await act({})
  let whole = performance.now() - started
  let tried = 0
  for (; times.length < 5 && tried < 30; tried++) {
    const controller = new AbortController()
    let aborted = 0
    started = performance.now()
    const timer = setTimeout(
      () => {
        aborted = performance.now()
        controller.abort()
      },
      random() * 0.8 * whole,
    )
    try {
      await act({ signal: controller.signal })
      // It was done before the abort came: the first time takes longer than others.
      whole = Math.min(whole, performance.now() - started)
    } catch (error) {
      expect((error as { code?: string }).code).toBe('PLY_ABORTED')
      times.push(performance.now() - aborted)
      unchanged()
    } finally {
      clearTimeout(timer)
    }
  }
  console.log(
    `seed ${seed}: aborted ${times.length} of ${tried}, answered after ${times.map((time) => time.toFixed(0)).join(', ')} ms`,
  )
  expect(times.length).toBe(5)
  expect(Math.max(...times)).toBeLessThan(prompt)
}

/** On a tmpfs: how long a disk holds up an unlink while it writes its journal is the disk's own affair. */
describe('a long call that is aborted at a random moment', () => {
  realTest('import returns within 100 ms and leaves nothing behind', async () => {
    await using work = workspace({ inMemory: true })
    const root = join(work.path, 'store')
    await using store = await openStore(root)
    const before = contents(root)
    await abortAtRandom(
      async (operation) => {
        await copy(await openSource(`oci:${join(image(), 'oci')}:latest`), store, { as: 'real', ...operation })
        await store.untag('real')
        await store.collect()
      },
      () => expect(contents(root)).toEqual(before),
      20261122,
    )
  })

  realTest('export returns within 100 ms and leaves nothing behind', async () => {
    await using work = workspace({ inMemory: true })
    await using store = await openStore(join(work.path, 'store'))
    await copy(await openSource(`oci:${join(image(), 'oci')}:latest`), store, { as: 'real' })
    const stored = await store.image('real')
    const out = join(work.path, 'out.tar')
    await abortAtRandom(
      async (operation) => {
        await using sink = await openSink(`docker-archive:${out}`)
        await sink.write(stored, 'real', operation)
      },
      () => expect(readdirSync(work.path).filter((name) => name !== 'store' && name !== 'out.tar')).toEqual([]),
      7,
    )
  })

  realTest('commit returns within 100 ms and leaves nothing behind', async () => {
    await using work = workspace({ inMemory: true })
    const root = join(work.path, 'store')
    await using store = await openStore(root)
    await copy(await openSource(`oci:${join(image(), 'oci')}:latest`), store, { as: 'real' })
    await using container = await store.containers.create('work', 'real')
    for (let i = 0; i < 200; i++) await container.fs.promises.writeFile(`/srv/file-${i}`, Buffer.alloc(1 << 20, i))
    container.tree.sync()
    const before = contents(root)
    await abortAtRandom(
      async (operation) => {
        await store.commit(container, 'changed', operation)
        await store.untag('changed')
        await store.collect()
      },
      () => expect(contents(root)).toEqual(before),
      42,
    )
  })
})
